"""`incidentctl drill` and `incidentd drill`: a marked alert over the whole way of a page, and what each hop took."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import click

from incidentd.cli import output
from incidentd.cli.alertmanager_body import fingerprint
from incidentd.cli.client import Answer, Client
from incidentd.cli.ctl_common import SEVERITIES, Duration, Session, api_options, pass_session
from incidentd.cli.output import clean, parse_time
from incidentd.cli.profiles import check_token, check_url

_POLL_SECONDS = 0.2
_END_SECONDS = 30.0
"""For the end to come the same way, and to be written down."""
_UNITS = {"h": 3600, "m": 60, "s": 1, "ms": 0.001}
_NO_TIME = "0001-01-01T00:00:00Z"
_Json = dict[str, Any]


@dataclass(frozen=True)
class _Way:
    """How the alert gets to the daemon."""

    session: Session
    client: Client
    """Of whoever sends it: the daemon's webhook, or an Alertmanager."""
    through: str | None

    def send(self, drill: _Json, *, ends: datetime, over: bool) -> None:
        """Send the drill's alert, or its end. An Alertmanager that hears no more ends it by itself at `ends`."""
        starts, now = str(drill["registered_at"]), self.session.now()
        alert = {
            "labels": drill["labels"],
            "annotations": drill["annotations"],
            "startsAt": starts,
            "endsAt": (now if over else ends).isoformat(),
            "generatorURL": "",
        }
        if self.through is not None:
            self.client.post("/api/v2/alerts", [alert])
        else:
            self.client.post("/webhooks/alertmanager", _body(alert, over=over))


def _body(alert: _Json, *, over: bool) -> _Json:
    status = "resolved" if over else "firing"
    labels, quoted = alert["labels"], json.dumps(alert["labels"]["alertname"])
    told = {
        "status": status,
        "endsAt": alert["endsAt"] if over else _NO_TIME,
        "fingerprint": fingerprint(labels),
    }
    return {
        "version": "4",
        "groupKey": f"{{}}:{{alertname={quoted}}}",
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "incidentd",
        "groupLabels": {"alertname": labels["alertname"]},
        "commonLabels": labels,
        "commonAnnotations": alert["annotations"],
        "externalURL": "",
        "alerts": [{**alert, **told}],
    }


@click.command("drill", short_help="Send a marked page over the whole way and see each hop.")
@click.option(
    "--through-alertmanager",
    "through",
    metavar="URL",
    help="Post to this Alertmanager, and wait for its webhook.",
)
@click.option(
    "--severity", type=click.Choice(SEVERITIES), default="critical", show_default=True, help="Its label."
)
@click.option("--service", default="", metavar="NAME", help="Its label `service`: decides the route.")
@click.option(
    "--channel", "channels", multiple=True, metavar="NAME", help="Tell this channel, not the route's."
)
@click.option("--user", "users", multiple=True, metavar="NAME", help="Page this person, not the route's.")
@click.option(
    "--wait",
    type=Duration(),
    default="60s",
    show_default=True,
    help="By then all must be accepted; up to 1h.",
)
@click.option(
    "--ingest-token",
    metavar="TOKEN",
    help="For the webhook (env INCIDENTD_INGEST_TOKEN; default: the usual).",
)
@api_options
@pass_session
def drill(session: Session, /, *, through: str | None, wait: str, **options: Any) -> None:
    """Page for real with an alert that is marked as a drill, show what each hop took, and end it.

    Nothing of it reaches the status page or any figure. Exits 1 if a page was not accepted. Needs the scopes
    respond and read, and ingest for the webhook.

    \b
    Examples:
      incidentctl drill
      incidentctl drill --through-alertmanager http://127.0.0.1:9093
      incidentctl drill --user alice --channel pagerduty --wait 2m
    """
    seconds = _seconds(wait)
    client = session.client()
    way = _way(session, through, options["ingest_token"])
    notify = [
        *(f"channel:{name}" for name in options["channels"]),
        *(f"user:{name}" for name in options["users"]),
    ]
    asked: _Json = {"severity": options["severity"], "service": options["service"], "wait": wait}
    made = client.post("/api/v1/drills", {**asked, **({"notify": notify} if notify else {})}).object
    ends = session.now() + timedelta(seconds=seconds + _END_SECONDS)
    way.send(made, ends=ends, over=False)
    try:
        _watched(session, client, made["id"], seconds, lambda one: one["state"] not in ("waiting", "running"))
    finally:
        # Also when somebody presses Ctrl-C: nobody shall be paged on by it.
        way.send(made, ends=ends, over=True)
    answer = _watched(session, client, made["id"], _END_SECONDS, lambda one: one["finished_at"] is not None)
    if not session.printed(answer):
        _print(answer.object, through)
    if answer.object["state"] != "passed":
        click.get_current_context().exit(1)


def _way(session: Session, through: str | None, ingest_token: str | None) -> _Way:
    if through is not None:
        return _Way(session, Client(check_url(through, "--through-alertmanager")), through)
    given = check_token(ingest_token or os.environ.get("INCIDENTD_INGEST_TOKEN") or None, "ingest token")
    return _Way(session, session.client(given), None)


def _seconds(text: str) -> float:
    found = re.findall(r"(\d+)(ms|h|m|s)", text)
    total = sum(float(number) * _UNITS[unit] for number, unit in found)
    if not 0 < total <= 3600 or "".join(f"{number}{unit}" for number, unit in found) != text:
        raise click.BadParameter(f"{text} is not above zero and at most 1h", param_hint="--wait")
    return total


def _watched(
    session: Session, client: Client, identity: str, seconds: float, done: Callable[[_Json], bool]
) -> Answer:
    """The drill once it is `done`, or as it stands after `seconds`."""
    deadline = session.monotonic() + seconds
    while True:
        answer = client.get(f"/api/v1/drills/{identity}")
        if done(answer.object) or session.monotonic() >= deadline:
            return answer
        session.sleep(_POLL_SECONDS)


def _print(found: _Json, through: str | None) -> None:
    posted, received = found.get("registered_at"), found.get("received_at")
    click.echo(f"drill {clean(found.get('id'))}: {clean(found.get('state'))}")
    for reason in found.get("reasons") or []:
        click.echo(f"  {clean(reason)}")
    where = f"through {clean(through)}" if through else "to the webhook"
    click.echo(f"\nposted {where}")
    if received:
        name = output.ref(found.get("incident_id"))
        click.echo(f"  +{_took(posted, received)}  received, {name} opened")
    table = output.Table(
        ("CHANNEL", "TARGET", "PERSON", "OUTCOME", "TRIES", "FIRST TRY", "ACCEPTED", "ERROR")
    )
    for page in found.get("pages") or []:
        tried, accepted = page.get("first_attempt_at"), page.get("accepted_at")
        table.add(
            page.get("channel"),
            page.get("target"),
            page.get("person"),
            page.get("outcome"),
            page.get("attempts"),
            f"+{_took(page.get('queued_at'), tried)}" if tried else "",
            f"+{_took(tried, accepted)}" if accepted else "",
            page.get("error") if page.get("outcome") != "accepted" else "",
        )
    if table.rows:
        output.print_table(table)
    if found.get("resolved_at"):
        click.echo(f"  resolved {_took(posted, found['resolved_at'])} after it was posted")
    if not found.get("finished_at"):
        click.echo("  its end has not come back; the daemon ends it by itself when its time is over")


def _took(begin: object, end: object) -> str:
    first, last = parse_time(begin), parse_time(end)
    if first is None or last is None:
        return "?"
    seconds = max((last - first).total_seconds(), 0.0)
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
