"""A storm in few messages: what a target cannot take one by one rides along in the message of another. Pure."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field

from incidentd.domain.notification import Notice
from incidentd.store.deliveries import Delivery

MOST = 500
"""Rows in one message: what is loaded for them keeps the database's one writer busy, and intake waits for it."""
_TOGETHER = frozenset({Notice.TRIGGERED, Notice.RESOLVED})
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

    The first ones go alone. With `together`, those that find no seat ride with the last one to their target that
    says the same; what neither fits waits. Incidents in `followed_up` have a message of their own already, which
    has to be kept true, so they do not ride. A repeat keeps the riders of its first attempt and gets no new ones.
    """
    seats: list[Seat] = []
    used: dict[str, int] = {}
    open_seats: dict[tuple[str, Notice], Seat] = {}
    for row in rows:
        fit = together and _can_ride(row, followed_up)
        if len(seats) < limit and used.get(row.target, 0) < tokens(row.target):
            used[row.target] = used.get(row.target, 0) + 1
            seat = Seat(row)
            seats.append(seat)
            if fit:
                open_seats[row.target, row.notice] = seat
        elif fit and (bus := open_seats.get((row.target, row.notice))) and len(bus.riders) < MOST:
            bus.riders.append(row)
    return seats


def _can_ride(row: Delivery, followed_up: Container[int]) -> bool:
    fresh = not row.attempts and not row.minimal and row.fallback_of is None
    return fresh and row.notice in _TOGETHER and row.incident_id not in followed_up
