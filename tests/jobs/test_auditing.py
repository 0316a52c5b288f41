"""The head that is kept beside the key: over restarts, by replicas together or alone, and when it cannot be read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from incidentd.audit.head_file import HeadFile, HeadUnreadableError
from incidentd.channels.http import HttpClient
from incidentd.cli.audit import _accepted
from incidentd.clock import FixedClock
from incidentd.config import Config
from incidentd.jobs.anchors import Anchors
from incidentd.jobs.auditing import Auditing
from incidentd.metrics import Metrics
from incidentd.store import audit
from incidentd.store import schema_audit as schema
from incidentd.store.engine import Store, Tx
from incidentd.store.migrate import HEAD, MigrationResult
from tests.audit.forger import unlock
from tests.audit.sample import KEY
from tests.jobs.test_anchors import head

NOW = datetime(2026, 11, 21, 16, tzinfo=UTC)


@dataclass
class Replica:
    """What keeps the log of one replica."""

    store: Store
    config: Config
    clock: FixedClock

    def __post_init__(self) -> None:
        self.metrics, http = Metrics(), HttpClient()
        anchors = Anchors(lambda: self.config.audit.anchor, dict, http, self.metrics)
        self.job = Auditing(self.store, self.clock, self.metrics, self.config, anchors)

    async def start(self) -> None:
        await self.job.start("i", MigrationResult(HEAD, HEAD))

    async def look(self) -> float:
        """A minute later; 1 if it says that the log is broken."""
        self.clock.set(self.clock.now() + timedelta(minutes=1))
        await self.job.sign()
        return self.value("incidentd_audit_broken")

    def value(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


def config_of(path: Path) -> Config:
    return Config.model_validate({"audit": {"key": KEY.pem().decode(), "head_file": str(path)}})


@pytest.fixture
async def stores(pg_url: str) -> AsyncIterator[list[Store]]:
    """Two replicas' connections to one database."""
    opened = [Store(pg_url), Store(pg_url)]
    yield opened
    for each in opened:
        await each.close()


def cut(tx: Tx) -> None:
    """A backup is restored: one entry is left, and nothing of what was signed."""
    unlock(tx)
    tx.conn.execute(sa.delete(schema.audit_events).where(schema.audit_events.c.seq > 1))
    tx.conn.execute(sa.delete(schema.audit_checkpoints))
    tx.conn.execute(sa.update(schema.audit_head).values(seq=1, hash=audit.hash_of(tx, 1)))


@pytest.mark.parametrize("names", [("one", "one"), ("one", "other")], ids=["shared", "separate"])
async def test_replicas_remember_what_was_signed_and_go_on_when_it_was_accepted_once(
    stores: list[Store], tmp_path: Path, names: tuple[str, str]
) -> None:
    clock = FixedClock(NOW)
    configs = [config_of(tmp_path / name / "audit-head.json") for name in names]
    before = [Replica(store, config, clock) for store, config in zip(stores, configs, strict=True)]
    await asyncio.gather(*[each.start() for each in before])
    found = await stores[0].read(lambda tx: audit.after(tx, 0, 10))
    assert sum(b'"audit.key"' in each.entry for each in found) == 1, "both have the same key"
    assert [await each.look() for each in before] == [0, 0]
    kept = {(tmp_path / name / "audit-head.json").read_bytes() for name in names}
    assert len(kept) == 1, "who has not signed keeps what the other one has"

    await stores[0].write(cut)
    after = [Replica(store, config, clock) for store, config in zip(stores, configs, strict=True)]
    for each in after:
        await each.start()
    assert [await each.look() for each in after] == [1, 1]
    assert await _accepted(stores[0], configs[0], "a backup was restored") is not None
    assert [await each.look() for each in after] == [0, 0]
    newest = {HeadFile(tmp_path / name / "audit-head.json").read() for name in names}
    assert len(newest) == 1
    assert await _accepted(stores[1], configs[1], "again") is None, "nothing is wrong any more"


async def test_a_file_that_cannot_be_read_is_no_absent_one_and_one_that_cannot_be_written_is_told_of(
    stores: list[Store], tmp_path: Path
) -> None:
    file, clock = tmp_path / "audit-head.json", FixedClock(NOW)
    one = Replica(stores[0], config_of(file), clock)
    await one.start()
    for text in (b"", b"{}", b"no JSON", b'{"v":1}'):
        file.write_bytes(text)
        assert await one.look() == 1
    file.unlink()
    assert await one.look() == 0
    two = Replica(stores[1], config_of(file / "below-a-file.json"), clock)
    await two.start()
    assert await two.look() == 1, "what lies below a file is not absent but unreadable"
    three = Replica(stores[1], config_of(Path("/proc/nowhere/audit-head.json")), clock)
    await three.start()
    assert await three.look() == 0
    assert three.value("incidentd_audit_anchor_failures_total", place="beside_key") == 1
    assert one.value("incidentd_audit_anchored", place="beside_key") > 0


def test_the_file_is_its_owners_replaced_as_a_whole_and_goes_back_only_if_told_to(tmp_path: Path) -> None:
    file = HeadFile(tmp_path / "deep" / "audit-head.json")
    assert file.read() is None
    for seq, back, expected in ((5, False, 5), (3, False, 5), (9, False, 9), (2, True, 2)):
        file.write(head(seq), back=back)
        found = file.read()
        assert found is not None
        assert found.seq == expected
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in file.path.parent.iterdir()] == ["audit-head.json"], "no halves are left"
    file.path.write_text(file.path.read_text().replace("2026-", "last year "))
    with pytest.raises(HeadUnreadableError, match="holds no signed head"):
        file.read()
