"""A recording read from the database."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from incidentd.replay.recording import Kept, MadeWindow, Recording
from incidentd.store import journal, overrides
from incidentd.store.engine import Store, Tx

_FRAMES = 50
"""In one read: a frame is about a mebibyte of bodies."""


async def recorded(store: Store, since: datetime, until: datetime) -> Recording:
    """What is there of the period. Raises `StoreUnavailableError`."""
    bodies: list[Kept] = []
    after = 0
    while frames := await store.read(
        partial(journal.frames, after=after, since=since, until=until, limit=_FRAMES)
    ):
        after = frames[-1][0]
        found = [kept for _, frame in frames for kept in journal.unpack(frame)]
        bodies += [kept for kept in found if since <= kept.at <= until]
    # Replicas write their frames one after the other: put in the order of arrival, of one instant as they were written.
    bodies.sort(key=lambda kept: kept.at)
    return await store.read(lambda tx: _with_context(tx, since, until, bodies))


def _with_context(tx: Tx, since: datetime, until: datetime, bodies: list[Kept]) -> Recording:
    return Recording(
        since,
        until,
        bodies,
        tuple(journal.acts(tx, since, until)),
        overrides.between(tx, since, until),
        tuple([MadeWindow(w.window, w.created_at, w.cancelled_at) for w in journal.windows(tx, since)]),
    )
