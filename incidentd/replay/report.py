"""A difference in words and as JSON: the same difference always reads the same, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from incidentd.replay.difference import Difference, Line, Total
from incidentd.replay.recording import Recording
from incidentd.replay.run import Outcome

LIMITS = (
    "deliveries: no failures, pauses, fall-backs or bundled storms; a page counts when it would have been handed over",
    "heartbeats: their absence opens no incident here, and a resolve is not withheld because of one",
    "incidents declared by people, and those found by asking Alertmanager, are not in the journal",
    "alerts that began to fire before the period count from their first repeat in it",
    "people's acts are repeated at their time on the incident of the same group, if it is there",
)
"""What a replay cannot tell."""
_SHOWN = 3


def as_json(recording: Recording, outcome: Outcome, difference: Difference) -> dict[str, Any]:
    """All of it."""
    return {
        "since": _time(recording.since),
        "until": _time(recording.until),
        "bodies": outcome.bodies,
        "alerts": outcome.alerts,
        "unreadable": outcome.unreadable,
        "acts": outcome.acts,
        "acts_without_incident": {"before": outcome.before.acts_missed, "after": outcome.after.acts_missed},
        "incidents": {"before": outcome.before.incidents, "after": outcome.after.incidents},
        "pages": {"before": len(outcome.before.pages), "after": len(outcome.after.pages)},
        "differs": difference.differs,
        "totals": [_total(total) for total in difference.totals],
        "differences": [_line(line) for line in difference.lines],
        "not_replayed": list(LIMITS),
    }


def _total(total: Total) -> dict[str, Any]:
    names = ("who", "before", "after", "more", "less", "earlier", "later")
    return {name: getattr(total, name) for name in names}


def _line(line: Line) -> dict[str, Any]:
    group, opened_at = line.key
    return {
        "group_key": group,
        "opened_at": _time(opened_at),
        "title": line.title,
        "who": line.who,
        "change": line.kind.value,
        "before": [_time(at) for at in line.before],
        "after": [_time(at) for at in line.after],
    }


def as_text(recording: Recording, outcome: Outcome, difference: Difference, limit: int) -> Iterator[str]:
    """Lines for people; at most `limit` incidents and recipients that differ, 0 for all."""
    before, after = outcome.before, outcome.after
    yield f"journal from {_time(recording.since)} to {_time(recording.until)}"
    yield f"{outcome.bodies} bodies with {outcome.alerts} alerts, {outcome.acts} acts of people"
    if outcome.unreadable:
        yield f"{outcome.unreadable} bodies could not be read and were left out"
    if before.acts_missed or after.acts_missed:
        yield f"acts that found no incident of their group: {before.acts_missed} before, {after.acts_missed} after"
    yield f"incidents: {before.incidents} before, {after.incidents} after"
    yield f"pages: {len(before.pages)} before, {len(after.pages)} after"
    yield "not replayed:"
    yield from (f"  - {text}" for text in LIMITS)
    yield ""
    if not difference.differs:
        yield "no difference: everybody is paged as before"
        return
    yield from _table(difference.totals)
    yield ""
    shown = difference.lines[:limit] if limit else difference.lines
    for line in shown:
        yield f"{_time(line.key[1])}  {line.who}  {line.kind.value}  {line.title}  {line.key[0]}"
        yield f"    before: {_times(line.before)}"
        yield f"    after:  {_times(line.after)}"
    if len(shown) < len(difference.lines):
        yield f"... and {len(difference.lines) - len(shown)} more; --limit 0 shows all"


def _table(totals: Sequence[Total]) -> Iterator[str]:
    head = ["who", "pages before", "after", "more", "less", "earlier", "later"]
    rows = [[str(value) for value in _total(total).values()] for total in totals]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for first, *rest in (head, *rows):
        cells = [first.ljust(widths[0]), *[c.rjust(w) for c, w in zip(rest, widths[1:], strict=True)]]
        yield "  ".join(cells)


def _times(times: Sequence[datetime]) -> str:
    if not times:
        return "nothing"
    more = f" and {len(times) - _SHOWN} more" if len(times) > _SHOWN else ""
    return ", ".join([_time(at) for at in times[:_SHOWN]]) + more


def _time(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
