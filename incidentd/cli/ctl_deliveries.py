"""Commands about telling people: deliveries with their retry, channels."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from incidentd.cli import output
from incidentd.cli.ctl_common import (
    DeliveryId,
    IncidentId,
    Session,
    api_options,
    each,
    page_options,
    pass_session,
)
from incidentd.cli.ctl_ops import print_page
from incidentd.cli.output import clean, when

STATES = ("pending", "leased", "sent", "superseded", "suppressed", "dead")
REMEDIES = {
    "ok": "retry",
    "retry": "retry when the channel works again",
    "throttled": "retry when the channel works again",
    "ambiguous": "retry; it may have arrived already",
    "content_rejected": "the vendor refuses the text: tell it in another way",
    "target_gone": "name another target in the channel, reload",
    "destination_broken": "mend the channel's credentials or address, reload, retry",
    "disabled": "the receiver wants no more: remove the channel, or reload and retry",
}
"""What to do about a delivery that was given up, by its last outcome."""
_NEVER_TRIED = "configure the channel again, retry"
_Json = dict[str, Any]


@click.group(
    "deliveries",
    invoke_without_command=True,
    short_help="List notifications and their fate; retry those given up.",
)
@click.option("--dead", is_flag=True, help="Only those given up: somebody was not told.")
@click.option("--state", type=click.Choice(STATES), help="Only this state.")
@click.option("--incident", metavar="ID", type=IncidentId(), help="Only those of one incident.")
@click.option("--channel", metavar="NAME", help="Only those over this channel.")
@page_options
@api_options
@pass_session
@click.pass_context
def deliveries(
    ctx: click.Context, session: Session, /, *, dead: bool, state: str | None, **query: str | int | None
) -> None:
    """List notifications: to whom, by which channel, and what became of them.

    \b
    Examples:
      incidentctl deliveries --dead
      incidentctl deliveries --incident INC-12
      incidentctl deliveries retry 57 58
    """
    if ctx.invoked_subcommand is not None:
        return
    if dead and state not in (None, "dead"):
        raise click.UsageError("--dead and --state exclude each other")
    state = "dead" if dead else state
    answer = session.client().get("/api/v1/deliveries", {"state": state, **query})
    print_page(session, answer, _dead_table if state == "dead" else delivery_table, "no deliveries match")
    if state == "dead" and answer.items and not session.json:
        ids = " ".join(clean(item.get("id")) for item in answer.items)
        click.echo(f"to send them again: incidentctl deliveries retry {ids}", err=True)


@deliveries.command("retry", short_help="Send deliveries that were given up again.")
@click.argument("ids", metavar="ID...", type=DeliveryId(), nargs=-1, required=True)
@api_options
@pass_session
def retry(session: Session, /, *, ids: tuple[str, ...]) -> None:
    """Send deliveries that were given up again, now. Needs a token with the scope admin.

    Refused for what is not dead, for pages about incidents that are over, and for an acknowledgement or end after
    which something newer was sent.

    \b
    Example:
      incidentctl deliveries retry 57 58
    """
    each(ids, lambda one: _retry(session, one), lambda one: f"delivery {one}")


def _retry(session: Session, delivery_id: str) -> None:
    answer = session.client().post(f"/api/v1/deliveries/{delivery_id}/retry", {})
    if session.printed(answer):
        return
    state = clean(answer.object.get("state")) or "pending"
    click.echo(f"delivery {delivery_id} to {clean(answer.object.get('channel')) or 'its channel'}: {state}")


def delivery_table(items: list[_Json], now: datetime) -> output.Table:
    """Return deliveries with the reason of the last failure."""
    return output.table_of(
        items,
        {
            "ID": lambda d: d.get("id"),
            "INCIDENT": lambda d: output.ref(d.get("incident_id")),
            "CHANNEL": lambda d: d.get("channel"),
            "TARGET": lambda d: d.get("target"),
            "WHAT": lambda d: d.get("notice"),
            "CLASS": lambda d: d.get("class"),
            "STATE": lambda d: d.get("state"),
            "TRIES": lambda d: d.get("attempts"),
            # What waits by a rule counts as created when it may leave.
            "CREATED": lambda d: "" if _later(d, now, "created_at") else when(d.get("created_at"), now),
            "NEXT": lambda d: (
                when(d.get("next_attempt_at"), now) if d.get("attempts") or _later(d, now) else ""
            ),
            "WHY": _why,
        },
    )


def _later(delivery: _Json, now: datetime, key: str = "next_attempt_at") -> bool:
    """Whether it waits for its time: a digest, the end of quiet hours, a contact rule."""
    at = output.parse_time(delivery.get(key))
    return at is not None and at > now


def _dead_table(items: list[_Json], now: datetime) -> output.Table:
    """Return deliveries that were given up: why, and what to do about it."""
    return output.table_of(
        items,
        {
            "ID": lambda d: d.get("id"),
            "INCIDENT": lambda d: output.ref(d.get("incident_id")),
            "CHANNEL": lambda d: d.get("channel"),
            "TARGET": lambda d: d.get("target"),
            "WHAT": lambda d: d.get("notice"),
            "TRIES": lambda d: d.get("attempts"),
            "CREATED": lambda d: when(d.get("created_at"), now),
            "WHY": _why,
            "REMEDY": _remedy,
        },
    )


def _why(delivery: _Json) -> str:
    said = [delivery.get("reason") or delivery.get("last_error")]
    if delivery.get("notice") == "digest" and delivery.get("state") == "pending":
        said.append("waits for the digest")
    if first := delivery.get("fallback_of"):
        said.append(f"in place of {first}")
    if carrier := delivery.get("bundled_in"):
        said.append(f"in the message of {carrier}")
    if delivery.get("fell_back"):
        said.append("fell back")
    return "; ".join(str(part) for part in said if part)


def _remedy(delivery: _Json) -> str:
    if not delivery.get("attempts"):
        return _NEVER_TRIED
    return REMEDIES.get(str(delivery.get("last_outcome")), REMEDIES["retry"])


@click.command("channels", short_help="Show how each channel is doing.")
@page_options
@api_options
@pass_session
def channels(session: Session, /, **query: str | int | None) -> None:
    """Show each channel: ok, throttled, degraded or broken, since when, why, and who is told in its place.

    \b
    Examples:
      incidentctl channels
      incidentctl channels --json | jq -r '.items[] | select(.state == "broken").name'
    """
    print_page(session, session.client().get("/api/v1/channels", query), _channel_table, "no channels")


def _channel_table(items: list[_Json], now: datetime) -> output.Table:
    return output.table_of(
        items,
        {
            "CHANNEL": lambda c: c.get("name"),
            "KIND": lambda c: c.get("kind"),
            "STATE": lambda c: c.get("state"),
            "SINCE": lambda c: when(c.get("since"), now),
            "PAUSED UNTIL": lambda c: when(c.get("paused_until"), now),
            "FAILURES": lambda c: c.get("failures"),
            "OLDEST PAGE": lambda c: when(c.get("oldest_page_at"), now),
            "PROVEN": lambda c: when(c.get("last_proven_at"), now) or "never",
            "TARGETS": lambda c: ", ".join(str(name) for name in c.get("targets") or ()),
            "FALL-BACK": lambda c: ", ".join(str(name) for name in c.get("fallback") or ()),
            "LAST ERROR": lambda c: c.get("last_error"),
        },
    )
