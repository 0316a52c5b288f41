"""A storm in few messages: what a target cannot take one by one rides along in the message of another. Pure."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field

from incidentd.domain.notification import Notice
from incidentd.store.deliveries import Delivery

MOST = 500
"""Rows in one message: what is loaded for them keeps the database's one writer busy, and intake waits for it."""
_TOGETHER = frozenset({Notice.TRIGGERED, Notice.RESOLVED, Notice.MISSED})
"""What can be said of many incidents at once."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A row that leaves now, and those that its message tells of too."""

    row: Delivery
    riders: list[Delivery] = field(default_factory=list)


def seated(
    rows: Sequence[Delivery],
    *,
    tokens: Callable[[str], int],
    limit: int,
    together: bool,
    followed_up: Container[int],
) -> list[Seat]:
    """Who leaves, out of `rows` in their order: at most `limit`, and of each target as many as it takes now.

    A digest is one message. Of all else the first ones go alone. With `together`, those that find no seat ride with
    the last one to their target that says the same; what neither fits waits. Incidents in `followed_up` have a
    message of their own already, which has to be kept true, so they do not ride. A repeat keeps the riders of its
    first attempt and gets no new ones.
    """
    seats: list[Seat] = []
    used: dict[str, int] = {}
    open_seats: dict[tuple[str, Notice, bool], Seat] = {}
    for row in rows:
        fit = together and _can_ride(row, followed_up)
        if fit and row.notice is Notice.DIGEST and (bus := open_seats.get(_line(row))):
            bus.riders.append(row)
            continue
        left = tokens(row.target) - used.get(row.target, 0)
        if left > 0 and len(seats) >= limit:
            continue  # the next claim has a seat of its own for it
        if left > 0:
            used[row.target] = used.get(row.target, 0) + 1
            seat = Seat(row)
            seats.append(seat)
            if fit:
                open_seats[_line(row)] = seat
        elif fit and (bus := open_seats.get(_line(row))) and len(bus.riders) < MOST:
            bus.riders.append(row)
    return seats


def _line(row: Delivery) -> tuple[str, Notice, bool]:
    # What stands in for another channel says so, and so rides with its like.
    return row.target, row.notice, row.fallback_of is not None


def _can_ride(row: Delivery, followed_up: Container[int]) -> bool:
    # Not by its attempts: one that was leased and given back unstarted may have riders of its own.
    fresh = not row.generation and not row.minimal
    if row.notice is Notice.DIGEST:
        return fresh
    if row.person is not None:  # who is told in person has no thread to be kept true
        return fresh and (row.notice in _TOGETHER or row.notice is Notice.ESCALATED)
    return fresh and row.notice in _TOGETHER and row.incident_id not in followed_up
