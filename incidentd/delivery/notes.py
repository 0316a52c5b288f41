"""What delivery writes into timelines: pages that were withheld, pages that were missed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from incidentd.audit.chain import Actor, Event, Value
from incidentd.domain.incident import OURSELVES, Entry, Incident
from incidentd.domain.notification import DeliveryClass
from incidentd.store import audit, incidents, timeline
from incidentd.store.deliveries import Delivery
from incidentd.store.engine import Tx

ACTOR = OURSELVES


def suppressed(delivery: Delivery, reason: str) -> Entry:
    """A page need not be sent any more, because of what a person did."""
    return Entry(
        "page_suppressed", ACTOR, f"page to {delivery.channel} not sent: {reason}", _data(delivery, reason)
    )


def missed(delivery: Delivery, reason: str) -> Entry:
    """A page was given up: somebody was not told."""
    return Entry(
        "page_missed", ACTOR, f"page to {delivery.channel} was missed: {reason}", _data(delivery, reason)
    )


def fell_back(delivery: Delivery, reason: str, stand_in: str | None, told: Collection[str]) -> Entry:
    """A page did not get through in time, and `stand_in` is told in its place; None if nobody is left.

    `told`: the channels that were told the same.
    """
    others = sorted(set(told) - {delivery.channel})
    if stand_in is not None:
        end = f"told over {stand_in} instead"
    elif others:
        end = f"no fall-back is left; {', '.join(others)} was told too"
    else:
        end = "no fall-back is configured or left; it is still being tried"
    text = f"page to {delivery.channel} did not get through ({reason}): {end}"
    return Entry("page_fell_back", ACTOR, text, _data(delivery, reason) | {"told": stand_in or ""})


def _data(delivery: Delivery, reason: str) -> dict[str, object]:
    return {
        "delivery": delivery.id,
        "channel": delivery.channel,
        "notice": delivery.notice.value,
        "attempts": delivery.attempts,
        "reason": reason,
    }


Line = tuple[int, int, datetime, Entry]
"""As `timeline.append` takes it."""


def numbered(incident: Incident, entries: Sequence[Entry], now: datetime) -> tuple[Incident, list[Line]]:
    """The incident with its sequence number moved on, and the entries with theirs."""
    if not entries:
        return incident, []
    first, at = incident.last_seq + 1, incident.moment(now)
    lines = [(incident.id, first + n, at, entry) for n, entry in enumerate(entries)]
    return replace(incident, last_seq=incident.last_seq + len(entries), last_at=at), lines


def write_missed(tx: Tx, dead: Sequence[tuple[Delivery, str]], now: datetime) -> None:
    """Tell of pages among `dead` rows, given with their reasons, in the timelines of their incidents."""
    entries: dict[int, list[Entry]] = {}
    for delivery, reason in dead:
        if is_page(delivery):
            entries.setdefault(delivery.incident_id, []).append(missed(delivery, reason))
    if not entries:
        return
    changed: list[Incident] = []
    lines: list[Line] = []
    for incident in incidents.by_ids(tx, list(entries)):
        after, more = numbered(incident, entries[incident.id], now)
        changed.append(after)
        lines += more
    incidents.save(tx, changed)
    write_lines(tx, lines, now)


def write_lines(tx: Tx, lines: Sequence[Line], now: datetime) -> None:
    """Append to the timelines; that somebody was not told, or somebody else was, is in the audit log too."""
    timeline.append(tx, lines)
    found: dict[str, Value] = {}
    for kind in ("page_missed", "page_fell_back"):
        numbers = sorted({number for number, _, _, entry in lines if entry.kind == kind})
        found |= {kind: numbers} if numbers else {}
    if found:
        audit.record(tx, Event(now, Actor("machine", OURSELVES), "incidents.changed", "", found))


def is_page(delivery: Delivery) -> bool:
    """Somebody has to be told."""
    return delivery.delivery_class is DeliveryClass.PAGE
