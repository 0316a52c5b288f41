"""The journal in both databases: what was posted is found again, and only as much as is wanted is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

from incidentd.config.journal import Journal
from incidentd.replay.stored import recorded
from incidentd.store import journal
from incidentd.store.engine import Store
from incidentd.store.journal import Kept
from incidentd.workflows.journal import Spool, prune, without_userinfo

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def kept(minute: int, body: bytes = b'{"alerts": []}') -> Kept:
    return Kept(T0 + minute * MINUTE, "main", "alertmanager", body)


async def add(store: Store, *bodies: Kept) -> None:
    await store.write(partial(journal.add, bodies=bodies, frame=journal.pack(bodies)))


async def bodies(store: Store, since: int = 0, until: int = 100) -> list[bytes]:
    found = await recorded(store, T0 + since * MINUTE, T0 + until * MINUTE)
    return [each.body for each in found.bodies]


async def test_bodies_are_found_again_as_they_were_in_the_order_they_came(store: Store) -> None:
    await add(store, kept(2, b"b\n{}"), kept(3, b"c"))
    await add(store, kept(1, b"a\xff"))
    assert await bodies(store) == [b"a\xff", b"b\n{}", b"c"]
    assert await bodies(store, 2, 2) == [b"b\n{}"]
    assert await bodies(store, 4) == []


async def test_what_is_too_old_is_forgotten_frame_by_frame(store: Store) -> None:
    for minute in range(5):
        await add(store, kept(minute))
    settings = Journal(keep=timedelta(minutes=2))
    assert await prune(store, settings, T0 + 4 * MINUTE) == 2
    assert len(await bodies(store)) == 3


async def test_what_is_too_much_goes_oldest_first(store: Store) -> None:
    for minute in range(5):
        await add(store, kept(minute, str(minute).encode()))
    one = await store.read(journal.stored_bytes) // 5 + 1
    assert await store.write(partial(journal.trim, max_bytes=2 * one, batch=2)) == 2
    assert await store.write(partial(journal.trim, max_bytes=2 * one, batch=2)) == 1
    assert await store.write(partial(journal.trim, max_bytes=2 * one, batch=2)) == 0
    assert await bodies(store) == [b"3", b"4"]


async def test_a_spool_writes_frames_and_keeps_no_credentials(store: Store) -> None:
    spool = Spool()
    assert spool.keep(T0, "main", "alertmanager", b'{"generatorURL": "http://bob:hunter2@prometheus/graph"}')
    assert spool.keep(T0, "main", "grafana", b"second")
    assert not spool.due(T0 + timedelta(seconds=1))
    assert spool.due(T0 + timedelta(seconds=10))
    assert await spool.write_all(store) == 2
    assert not spool.due(T0 + timedelta(days=1))
    assert await bodies(store) == [b'{"generatorURL": "http://prometheus/graph"}', b"second"]


def test_user_and_password_leave_every_spelling_of_an_address() -> None:
    for written in (
        b"http://u:p@host/x",
        rb"http:\/\/u:p\u0026q@host/x",
        rb"http://u:p\u0040host/x",
        b"http://u:p@q@host/x",
    ):
        clean = without_userinfo(b'{"externalURL": "' + written + b'", "mail": "a@b"}')
        assert clean.replace(rb"\/", b"/") == b'{"externalURL": "http://host/x", "mail": "a@b"}'
    assert without_userinfo(b'"http://host/path?to=a@b"') == b'"http://host/path?to=a@b"'
