"""The event stream: in order, resumable, prompt to end."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest

from incidentd.store import tokens as token_store
from incidentd.store.timeline import StoredEntry
from incidentd.web import answers
from incidentd.web.context import Context
from incidentd.web.hub import GapWatch
from tests.web.conftest import TOKENS, Daemon, MovableClock, alert, until


class Stream:
    """The events of one connection."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer

    async def block(self) -> list[str]:
        """The next block, without its empty line."""
        lines: list[str] = []
        async with asyncio.timeout(5):
            while (line := (await self.answer.content.readline()).decode()) not in {"\n", ""}:
                lines.append(line.rstrip("\n"))
        return lines

    async def event(self) -> dict[str, Any]:
        """The data of the next event."""
        number, name, data = await self.block()
        entry: dict[str, Any] = json.loads(data.removeprefix("data: "))
        assert (number, name) == (f"id: {entry['id']}", "event: timeline")
        answers.Entry.model_validate(entry)
        return entry


@contextlib.asynccontextmanager
async def listening(daemon: Daemon, query: str = "", **headers: str) -> AsyncIterator[Stream]:
    given = {"Authorization": f"Bearer {TOKENS['read']}"} | headers
    async with daemon.session.get(f"{daemon.url}/api/v1/events{query}", headers=given) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/event-stream"
        stream = Stream(answer)
        assert await stream.block() == ["retry: 2000"]
        yield stream


async def test_a_new_stream_begins_now_and_carries_each_entry_once_in_order(daemon: Daemon) -> None:
    await daemon.alert(alert("Before"))
    async with listening(daemon) as stream:
        await daemon.alert(alert("One"), alert("Two"))
        await daemon.noted()
        first, second = await stream.event(), await stream.event()
        assert [first["incident_id"], second["incident_id"]] == [2, 3]
        await daemon.post("/api/v1/incidents/2/notes", {"text": "line\nbreak"})
        # Nobody wakes the stream for what another replica writes: it is found by asking.
        assert (await stream.event())["text"] == "line\nbreak"


@pytest.mark.parametrize(("query", "headers"), [("?after=1", {}), ("", {"Last-Event-ID": "1"})])
async def test_a_stream_resumes_where_it_was(daemon: Daemon, query: str, headers: dict[str, str]) -> None:
    await daemon.alert(alert("One"), alert("Two"), alert("Three"))
    async with listening(daemon, query, **headers) as stream:
        assert [(await stream.event())["id"] for _ in range(2)] == [2, 3]


async def test_a_wrong_place_to_begin_is_400(daemon: Daemon) -> None:
    for query, headers in (
        ("?after=-1", {}),
        ("?after=x", {}),
        ("", {"Last-Event-ID": "x"}),
        ("?before=1", {}),
    ):
        assert (await daemon.get(f"/api/v1/events{query}", headers=headers))[0].status == 400


async def test_streams_end_at_once_when_the_daemon_stops(daemon: Daemon) -> None:
    async with listening(daemon) as stream:
        daemon.context.stopping.set()
        async with asyncio.timeout(0.9):
            assert await stream.answer.content.read() == b""
    assert (await daemon.get("/api/v1/events"))[0].status == 503


async def test_one_stream_too_many_is_503_and_a_left_one_makes_room(daemon: Daemon) -> None:
    daemon.desk.hub.max_streams = 1
    async with listening(daemon):
        answer, _ = await daemon.get("/api/v1/events")
        assert answer.status == 503
    await until(lambda: not daemon.desk.hub._streams)
    async with listening(daemon):
        pass


async def test_a_quiet_stream_is_pinged(daemon: Daemon) -> None:
    async with listening(daemon) as stream:
        daemon.clock.ahead += timedelta(seconds=15)
        assert await stream.block() == [": ping"]


async def test_a_stream_outlives_a_database_that_is_away(daemon: Daemon) -> None:
    async with listening(daemon) as stream:
        daemon.store.reads_fail = True
        await daemon.alert(alert())
        await daemon.noted()
        daemon.store.reads_fail = False
        assert (await stream.event())["kind"] == "triggered"


async def test_a_stream_ends_within_five_seconds_of_the_revocation_of_its_token(daemon: Daemon) -> None:
    token = await daemon.new_token("reader", ["read"])
    async with listening(daemon, Authorization=f"Bearer {token}") as stream:
        daemon.clock.ahead += timedelta(seconds=5)
        await daemon.alert(alert("Down"))
        await daemon.noted()
        assert (await stream.event())["kind"] == "triggered"
        await daemon.context.store.write(lambda tx: token_store.revoke(tx, "reader", daemon.clock.now()))
        daemon.clock.ahead += timedelta(seconds=5)
        async with asyncio.timeout(3):
            assert await stream.answer.content.read() == b""


async def test_a_stream_ends_at_once_when_its_process_hears_of_the_revocation(daemon: Daemon) -> None:
    token = await daemon.new_token("reader", ["read"])
    async with listening(daemon) as other, listening(daemon, Authorization=f"Bearer {token}") as stream:
        await daemon.context.store.write(lambda tx: token_store.revoke(tx, "reader", daemon.clock.now()))
        await daemon.desk.auth.refresh()  # as any request does every five seconds
        async with asyncio.timeout(0.9):
            assert await stream.answer.content.read() == b""
        await daemon.alert(alert("Down"))
        await daemon.noted()
        assert (await other.event())["kind"] == "triggered"


async def test_a_stream_ends_at_once_when_a_reload_takes_its_token_away(daemon: Daemon) -> None:
    async with listening(daemon) as stream:
        config = daemon.context.config
        auth = config.auth.model_copy(update={"tokens": config.auth.tokens[:1]})
        daemon.context.config = config.model_copy(update={"auth": auth})
        await daemon.noted()
        async with asyncio.timeout(0.9):
            assert await stream.answer.content.read() == b""


async def test_a_stream_outlives_tokens_that_cannot_be_looked_up(daemon: Daemon) -> None:
    token = await daemon.new_token("reader", ["read"])
    async with listening(daemon, Authorization=f"Bearer {token}") as stream:
        daemon.store.reads_fail = True
        daemon.clock.ahead += timedelta(seconds=15)
        assert await stream.block() == [": ping"]


async def test_a_stream_ends_when_its_token_expires(daemon: Daemon) -> None:
    soon = daemon.clock.now() + timedelta(seconds=30)
    token = await daemon.new_token("reader", ["read"], expires_at=soon)
    async with listening(daemon, Authorization=f"Bearer {token}") as stream:
        daemon.clock.ahead += timedelta(seconds=31)
        async with asyncio.timeout(3):
            assert b"event:" not in await stream.answer.content.read()


def _gap_watch(*, postgresql: bool) -> tuple[GapWatch, MovableClock]:
    clock = MovableClock()
    context = SimpleNamespace(store=SimpleNamespace(postgresql=postgresql), clock=clock)
    return GapWatch(cast("Context", context)), clock


def _entries(clock: MovableClock, *numbers: int) -> list[StoredEntry]:
    return [StoredEntry(number, 1, number, clock.now(), "note", "a", "t", {}) for number in numbers]


def _ids(entries: Any) -> list[int]:
    return [entry.id for entry in entries]


def test_on_postgresql_a_missing_number_is_waited_for_five_seconds() -> None:
    gaps, clock = _gap_watch(postgresql=True)
    entries = _entries(clock, 4, 5, 7, 8)
    assert _ids(gaps.ready(3, entries)) == [4, 5]
    assert _ids(gaps.ready(5, entries[2:])) == []
    clock.ahead += timedelta(seconds=5)
    assert _ids(gaps.ready(5, entries[2:])) == [7, 8]


def test_a_missing_number_behind_an_old_entry_is_not_waited_for() -> None:
    gaps, clock = _gap_watch(postgresql=True)
    entries = _entries(clock, 9, 12)
    clock.ahead += timedelta(seconds=6)
    assert _ids(gaps.ready(3, entries)) == [9, 12]


def test_a_clock_of_a_replica_that_is_ahead_holds_nothing_up_for_longer() -> None:
    gaps, clock = _gap_watch(postgresql=True)
    clock.ahead += timedelta(hours=1)
    entries = _entries(clock, 9)
    clock.ahead -= timedelta(hours=1)
    assert _ids(gaps.ready(7, entries)) == []
    clock.ahead += timedelta(seconds=5)
    assert _ids(gaps.ready(7, entries)) == [9]


def test_sqlite_has_one_writer_so_a_gap_there_is_final() -> None:
    gaps, clock = _gap_watch(postgresql=False)
    assert _ids(gaps.ready(1, _entries(clock, 7))) == [7]
