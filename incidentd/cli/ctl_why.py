"""Commands that explain: why, why-not."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import click

from incidentd.cli.client import CtlError
from incidentd.cli.ctl_common import Duration, IncidentId, Session, api_options, pass_session
from incidentd.cli.ctl_oncall import moment
from incidentd.cli.output import clean, parse_time

_Json = dict[str, Any]
_BLANK = " " * len("2026-11-21 08:04:00")


@click.command("why", short_help="Explain an incident, or what became of an alert.")
@click.argument("incident_id", metavar="[ID]", type=IncidentId(), required=False)
@click.option("--alert", "fingerprint", metavar="FINGERPRINT", help="Explain an alert instead.")
@click.option("--source", metavar="NAME", help="With --alert: of this source only.")
@api_options
@pass_session
def why(session: Session, /, *, incident_id: int | None, fingerprint: str | None, source: str | None) -> None:
    """Explain why an incident is as it is, in sentences. Times are in UTC.

    Why these alerts are one incident, why this severity, this route and this policy; who was told over what,
    with which outcome, who was not and why; and how it ended. With --alert: which incident an alert belongs
    to, or why to none.

    \b
    Examples:
      incidentctl why INC-12
      incidentctl why --alert 1b0fe9e4dd4e2e1a
      incidentctl why 12 --json | jq -r '.statements[] | select(.kind == "not_told").text'
    """
    if (incident_id is None) is (fingerprint is None):
        raise CtlError("what is to be explained?", "accepted: why ID, or why --alert FINGERPRINT", code=2)
    if source is not None and fingerprint is None:
        raise CtlError(
            "--source belongs to --alert", "accepted: why --alert FINGERPRINT --source NAME", code=2
        )
    if fingerprint is not None:
        path = f"/api/v1/alerts/{quote(fingerprint, safe='')}/why"
        answer = session.client().get(path, {"source": source})
    else:
        answer = session.client().get(f"/api/v1/incidents/{incident_id}/why")
    if session.printed(answer):
        return
    if fingerprint is None:
        click.echo(f"{clean(answer.object.get('ref'))} {clean(answer.object.get('title'))}\n")
    _print(answer.object)


@click.command("why-not", short_help="Explain why somebody was not told.")
@click.argument("user", metavar="USER")
@click.option(
    "--at", metavar="TIME", required=True, help="When; without an offset it is meant in your own zone."
)
@click.option(
    "--around", type=Duration(), metavar="DURATION", help="How far before and after to look; default 30m."
)
@api_options
@pass_session
def why_not(session: Session, /, *, user: str, at: str, around: str | None) -> None:
    """Explain why USER was, or was not, told of anything around a time. Times are in UTC.

    Whether they were on duty, how they are reached, which incidents were open, which steps would have reached
    them, and what became of the messages to them. The last sentence is the answer.

    \b
    Examples:
      incidentctl why-not alice --at "2026-11-21 03:10"
      incidentctl why-not bob --at 2026-11-21T02:10:00Z --around 2h
    """
    asked = moment(at, None, session.now()).isoformat()
    answer = session.client().get("/api/v1/why-not", {"user": user, "at": asked, "around": around})
    if not session.printed(answer):
        _print(answer.object)


def _print(found: _Json) -> None:
    """One line for each sentence with its time; the answer stands apart at the end."""
    last = ""
    for each in found.get("statements") or []:
        at = parse_time(each.get("at"))
        shown = f"{at:%Y-%m-%d %H:%M:%S}" if at is not None else ""
        if each.get("kind") in {"verdict", "standing"}:
            click.echo(f"\n{clean(each.get('text'))}")
            continue
        # A time is said once for everything that happened at it.
        click.echo(f"{shown if shown and shown != last else _BLANK}  {clean(each.get('text'))}")
        last = shown or last
