"""The spool of the journal: bounded, in frames, and patient with a database that is away."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from incidentd.store.engine import Store, StoreUnavailableError
from incidentd.workflows.journal import FRAME_BYTES, SPOOL_BYTES, Spool

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
HALF = b"x" * (FRAME_BYTES // 2)


def keep(spool: Spool, body: bytes) -> bool:
    return spool.keep(T0, "main", "alertmanager", body)


def test_what_does_not_fit_is_refused_and_what_waits_stays() -> None:
    spool = Spool()
    assert not keep(spool, b"x" * (SPOOL_BYTES + 1))
    assert keep(spool, b"x" * SPOOL_BYTES)
    assert not keep(spool, b"x")
    assert len(spool.take()) == 1
    assert keep(spool, b"x")


def test_a_frame_is_full_at_a_mebibyte_and_a_larger_body_stands_alone() -> None:
    spool = Spool()
    for body in (HALF, HALF, b"x", 3 * HALF, b"y"):
        assert keep(spool, body)
    assert spool.due(T0)
    assert [len(spool.take()) for _ in range(5)] == [2, 1, 1, 1, 0]


def test_a_clock_set_back_does_not_keep_bodies_waiting() -> None:
    spool = Spool()
    assert keep(spool, b"x")
    assert spool.due(datetime(2026, 2, 1, tzinfo=UTC))


async def test_a_database_that_is_away_costs_no_body(tmp_path: Path) -> None:
    spool, store = Spool(), Store(f"sqlite+aiosqlite:///{tmp_path}/x.db")
    for body in (b"a", b"b"):
        assert keep(spool, body)
    await store.close()
    with pytest.raises(StoreUnavailableError):
        await spool.write_all(store)
    assert [kept.body for kept in spool.take()] == [b"a", b"b"]
