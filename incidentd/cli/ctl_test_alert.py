"""`incidentctl test-alert`: a real Alertmanager webhook body, to see the whole way of an alert."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any

import click

from incidentd.cli import output
from incidentd.cli.alertmanager_body import TestAlert, body
from incidentd.cli.client import Answer, Client, CtlError, RefusedError
from incidentd.cli.ctl_common import SEVERITIES, Session, api_options, pass_session
from incidentd.cli.output import clean, parse_time
from incidentd.cli.profiles import check_token

WAIT_SECONDS = 5.0
_POLL_SECONDS = 0.2
_UNSETTLED = ("pending", "leased")
_MAX_PAGES = 50
_Json = dict[str, Any]


@dataclass
class _Before:
    """What the server knew before the post, to tell what the post changed."""

    firing: list[tuple[TestAlert, _Json]] = field(default_factory=list)
    told: set[str] = field(default_factory=set)
    at: datetime | None = None
    readable: bool = True

    def is_new(self, delivery: _Json) -> bool:
        """Whether a delivery came after the look. The ID decides; for an incident unknown then, the time."""
        created = parse_time(delivery.get("created_at"))
        late = self.at is None or created is None or created >= self.at
        return late and str(delivery.get("id")) not in self.told


@click.command("test-alert", short_help="Send a realistic test alert and see who is told.")
@click.option(
    "--severity",
    type=click.Choice(SEVERITIES),
    help="Severity label.  [default: critical; with --resolve: any]",
)
@click.option(
    "--service", default="test", show_default=True, metavar="NAME", help="Service label: decides the route."
)
@click.option(
    "--name", default="IncidentdTestAlert", show_default=True, metavar="NAME", help="The alert's name."
)
@click.option("--resolve", is_flag=True, help="Resolve the test alert that is firing.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait up to 5 s to see who was told.")
@click.option(
    "--ingest-token",
    metavar="TOKEN",
    help="Token with scope ingest (env INCIDENTD_INGEST_TOKEN; default: the usual token).",
)
@api_options
@pass_session
def test_alert(
    session: Session,
    /,
    *,
    severity: str | None,
    service: str,
    name: str,
    resolve: bool,
    wait: bool,
    ingest_token: str | None,
) -> None:
    """Send one alert to the webhook exactly as Alertmanager does, and show what came of it.

    It pages for real. The same options give the same alert: repeating it opens nothing new, --resolve
    ends it. Give --severity together with --resolve only to pick one of several.

    \b
    Examples:
      incidentctl test-alert --severity critical
      incidentctl test-alert --resolve
      incidentctl test-alert --service checkout --severity warning --no-wait
    """
    wanted = (severity,) if severity else SEVERITIES if resolve else ("critical",)
    candidates = [TestAlert(name, service, each) for each in wanted]
    reader = session.client()
    before = _look(reader, candidates, required=resolve)
    if resolve and not before.firing:
        reason = f"no test alert {name!r} of service {service!r} is firing"
        raise CtlError(reason, "send one: incidentctl test-alert", code=5)
    alerts = _to_send(session, candidates, before)
    given = check_token(ingest_token or os.environ.get("INCIDENTD_INGEST_TOKEN") or None, "ingest token")
    content = body(alerts, session.now(), resolved=resolve)
    answer = session.client(given).post("/webhooks/alertmanager", content)
    if not session.printed(answer):
        _tell(session, reader, answer, before, resolve=resolve, wait=wait)
        _next_steps(answer, candidates[0], resolve=resolve)
    if answer.object.get("quarantined"):
        raise CtlError("the server could not understand the alert", "see why: incidentctl quarantine")


def _look(reader: Client, candidates: Sequence[TestAlert], *, required: bool) -> _Before:
    """Find which candidates fire now. A token without `read` may still send: then nothing is known."""
    before = _Before()
    try:
        for candidate in candidates:
            found = _find(reader, candidate.fingerprint, before)
            if found is None:
                continue
            before.firing.append((candidate, found))
            if found.get("incident_id") is not None:
                detail = reader.get(f"/api/v1/incidents/{found['incident_id']}").object
                before.told |= {str(one.get("id")) for one in detail.get("deliveries") or []}
    except RefusedError as error:
        if required or error.status not in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise
        before.readable = False
    return before


def _find(reader: Client, fingerprint: str, before: _Before) -> _Json | None:
    query: dict[str, str | int | None] = {"status": "firing", "fingerprint": fingerprint}
    for _ in range(_MAX_PAGES):
        answer = reader.get("/api/v1/alerts", query)
        before.at = before.at or _http_date(answer.date)
        for alert in answer.items:
            if alert.get("fingerprint") == fingerprint and alert.get("status") == "firing":
                return alert
        query["cursor"] = answer.object.get("next_cursor")
        if query["cursor"] is None:
            break
    return None


def _http_date(text: str | None) -> datetime | None:
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(text) if text else None
    except ValueError:
        return None


def _to_send(session: Session, candidates: Sequence[TestAlert], before: _Before) -> list[TestAlert]:
    """Alertmanager repeats the startsAt of a firing alert, and so does this: it identifies the occurrence."""
    if before.firing:
        return [alert.started(str(found.get("starts_at") or "")) for alert, found in before.firing]
    return [candidates[0].started(session.now().isoformat())]


def _tell(
    session: Session, reader: Client, answer: Answer, before: _Before, *, resolve: bool, wait: bool
) -> None:
    touched = answer.object.get("incidents") or []
    known = [found["incident_id"] for _, found in before.firing if found.get("incident_id") is not None]
    for incident_id in dict.fromkeys(touched or known):
        if not wait or not before.readable:
            click.echo(f"{output.ref(incident_id)}: accepted")
            continue
        repeated = bool(before.firing) and not resolve
        incident, told = _watch_deliveries(session, reader, incident_id, before, patient=not repeated)
        severity = clean(incident.get("severity"))
        click.echo(f"{_changed(incident, repeated=repeated)}, {severity}, {_told(told, repeated=repeated)}")
    if not touched and not known:
        click.echo("accepted; no incident was touched")


def _watch_deliveries(
    session: Session, reader: Client, incident_id: int, before: _Before, *, patient: bool
) -> tuple[_Json, list[_Json]]:
    """Return the incident and its new deliveries, once they settled or WAIT_SECONDS passed."""
    deadline = session.monotonic() + WAIT_SECONDS
    while True:
        incident = reader.get(f"/api/v1/incidents/{incident_id}").object
        told = [one for one in incident.get("deliveries") or [] if before.is_new(one)]
        settled = bool(told) and all(one.get("state") not in _UNSETTLED for one in told)
        if settled or not patient or session.monotonic() >= deadline:
            return incident, told
        session.sleep(_POLL_SECONDS)


def _changed(incident: _Json, *, repeated: bool) -> str:
    name = clean(incident.get("ref")) or output.ref(incident.get("id"))
    if repeated:
        return f"{name} is open already (the same alert again)"
    if incident.get("state") == "triggered" and (incident.get("alerts_total") or 0) <= 1:
        return f"{name} {'reopened' if incident.get('reopen_count') else 'opened'}"
    return f"{name} {clean(incident.get('state'))}"


def _told(deliveries: Sequence[_Json], *, repeated: bool) -> str:
    if not deliveries:
        return "nobody is told again" if repeated else "nobody told yet"
    pairs = (f"{clean(one.get('channel'))} ({clean(one.get('state'))})" for one in deliveries)
    return "told: " + ", ".join(dict.fromkeys(pairs))


def _next_steps(answer: Answer, alert: TestAlert, *, resolve: bool) -> None:
    ids = answer.object.get("incidents") or []
    same = "".join(
        f" --{option} {shlex.quote(value)}"
        for option, value, usual in (
            ("name", alert.name, "IncidentdTestAlert"),
            ("service", alert.service, "test"),
        )
        if value != usual
    )
    steps = [f"incidentctl show {ids[0]}", f"incidentctl timeline {ids[0]}"] if ids else ["incidentctl list"]
    if resolve:
        steps.append("incidentctl report")
    else:
        steps[1:1] = [f"incidentctl ack {ids[0]}"] if ids else []
        steps.append(f"incidentctl test-alert --resolve{same}")
    click.echo("\ntry next:")
    for step in steps:
        click.echo(f"  {step}")
