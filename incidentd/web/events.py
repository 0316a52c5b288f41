"""Server-sent events: one for each timeline entry, in the order of their ids, resumable."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

import orjson
from aiohttp import web

from incidentd.store import incidents, timeline
from incidentd.store.engine import StoreUnavailableError
from incidentd.store.timeline import StoredEntry
from incidentd.web.context import Context
from incidentd.web.hub import GapWatch
from incidentd.web.models import EventQuery
from incidentd.web.op import Call
from incidentd.web.present import entry_json
from incidentd.web.problems import Problem, unavailable

_POLL_SECONDS: Final = 1.0
"""Entries of other replicas are found this late; one's own wake the stream."""
_PAUSE_SECONDS: Final = 0.05
"""Between two reads, so that a storm costs a few large reads and not many small ones."""
_PING_SECONDS: Final = 15.0
_WRITE_SECONDS: Final = 10.0
"""A client that takes nothing for this long is dropped; it resumes where it was."""
_BATCH: Final = 500
_BIGGEST_ID: Final = 2**63 - 1


async def stream(call: Call) -> web.StreamResponse:
    """Timeline entries as they happen, from `Last-Event-ID` or `after` on, else from now on."""
    context = call.desk.context
    if context.stopping.is_set():
        raise unavailable("the daemon is stopping")
    last = _start(call)
    if last is None:
        last = await context.store.read(timeline.newest_id)
    wake = call.desk.hub.join()
    try:
        headers = call.desk.headers(call.request_id, "text/event-stream; charset=utf-8")
        headers["X-Accel-Buffering"] = "no"
        response = web.StreamResponse(headers=headers)
        await response.prepare(call.request)
        # A stream that ends is taken up again by its reader, where it was.
        with contextlib.suppress(ConnectionError, TimeoutError, StoreUnavailableError):
            await _write(response, b"retry: 2000\n\n")
            await _follow(call, response, wake, last)
    finally:
        call.desk.hub.leave(wake)
    return response


def _start(call: Call) -> int | None:
    given = call.request.headers.get("Last-Event-ID")
    query: EventQuery = call.query
    if not given:
        return query.after
    if not (given.isascii() and given.isdigit() and len(given) <= 19) or int(given) > _BIGGEST_ID:
        raise Problem(400, "Last-Event-ID is not the id of an event")
    return int(given)


async def _follow(call: Call, response: web.StreamResponse, wake: asyncio.Event, last: int) -> None:
    context = call.desk.context
    gaps, clock = GapWatch(context), context.clock
    sent_at = clock.monotonic()
    # A client that left is not told to handlers otherwise; it would take a place until the next write.
    while not context.stopping.is_set() and call.request.transport is not None:
        wake.clear()
        # A token that is revoked or expires, and one whose scope is taken away, ends its streams too.
        if not await call.desk.auth.still_admits(call.request, call.identity):
            return
        entries = gaps.ready(last, await _read(context, last))
        if entries:
            last = entries[-1].id
        theirs = await _theirs(call, entries)
        if theirs:
            await _write(response, b"".join([_event(entry) for entry in theirs]))
            sent_at = clock.monotonic()
        elif clock.monotonic() - sent_at >= _PING_SECONDS:
            await _write(response, b": ping\n\n")
            sent_at = clock.monotonic()
        if len(entries) == _BATCH:
            continue
        await clock.wait(context.stopping, _PAUSE_SECONDS)
        await clock.wait(wake, _POLL_SECONDS)


async def _read(context: Context, last: int) -> list[StoredEntry]:
    try:
        return await context.store.read(lambda tx: timeline.after(tx, last, _BATCH))
    except StoreUnavailableError:
        # The stream outlives a database that is away; what happens meanwhile is sent afterwards.
        return []


async def _theirs(call: Call, entries: Sequence[StoredEntry]) -> Sequence[StoredEntry]:
    """Without those of incidents that belong to other teams than the caller's."""
    who = call.identity
    if who.teams is None or not entries:
        return entries
    wanted = sorted({entry.incident_id for entry in entries})
    labels = await call.desk.context.store.read(lambda tx: incidents.labels_of(tx, wanted))
    return [entry for entry in entries if entry.incident_id in labels and who.sees(labels[entry.incident_id])]


async def _write(response: web.StreamResponse, data: bytes) -> None:
    async with asyncio.timeout(_WRITE_SECONDS):
        await response.write(data)


def _event(entry: StoredEntry) -> bytes:
    data = orjson.dumps(entry_json(entry), option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)
    return b"id: %d\nevent: timeline\ndata: %b\n\n" % (entry.id, data)
