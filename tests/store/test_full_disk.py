"""No room: nothing half written, nothing claimed that is not on the disk, and enough left to clear up."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from incidentd.store import alerts, incidents, retention, sqlite
from incidentd.store.ballast import Ballast
from incidentd.store.engine import Store, StoreUnavailableError, Tx
from incidentd.store.incidents import Search
from incidentd.store.migrate import migrate
from incidentd.workflows.receive import Reception, receive
from tests.programs import missing
from tests.shape import ROOT
from tests.store.samples import DAY, NOW, RULES, alert, post

MIB = 1024 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        missing("the right to mount", "run as root with CAP_SYS_ADMIN")
    yield folder
    subprocess.run(["umount", folder], check=True)


def fill_up(folder: Path) -> Path:
    """Leave not a single free block; returns the file to delete."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (MIB, 4096):
            try:
                while file.write(b"\xff" * size) == size:
                    pass
            except OSError:
                continue
    return filler


def batch(first: int, count: int = 500) -> list[int]:
    return list(range(first, first + count))


def take(tx: Tx, numbers: list[int], *, firing: bool = True) -> Reception:
    return receive(tx, [post(*[alert(n, firing=firing) for n in numbers])], RULES, NOW)


def test_a_file_size_limit_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.store.small_disk", str(tmp_path / "incidentd.db")],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    before, after, stored = map(int, done.stdout.split())
    assert before > 0
    assert after == 200
    assert stored == before + after
    assert sqlite.check(tmp_path / "incidentd.db") == []


async def test_a_full_disk_is_unavailable_and_undone_and_recovers(small_disk: Path) -> None:
    url = f"sqlite+aiosqlite:///{small_disk}/incidentd.db"
    await migrate(url)
    store = Store(url)
    await store.write(lambda tx: take(tx, batch(0)))
    filler = fill_up(small_disk)
    with pytest.raises(StoreUnavailableError, match="full"):
        await store.write(lambda tx: take(tx, batch(1000, 5000)))
    known = await store.read(lambda tx: alerts.known(tx, "main", [alert(1000).fingerprint]))
    assert known == []
    filler.unlink()
    await store.write(lambda tx: take(tx, batch(1000, 1000)))
    await store.close()
    assert sqlite.check(small_disk / "incidentd.db") == []


async def test_the_ballast_keeps_resolving_and_pruning_possible(small_disk: Path) -> None:
    path = small_disk / "incidentd.db"
    ballast = Ballast(path)
    assert ballast.ensure()
    url = f"sqlite+aiosqlite:///{path}"
    await migrate(url)
    store = Store(url, on_full=ballast.release)
    await store.write(lambda tx: take(tx, batch(0)))
    filler = fill_up(small_disk)

    await store.write(lambda tx: take(tx, batch(0), firing=False))

    assert not ballast.there
    assert not ballast.ensure()
    left = await store.read(lambda tx: incidents.search(tx, Search(limit=999)))
    assert len([i for i in left if not i.open]) == 500
    gone = await store.write(lambda tx: retention.delete_incidents(tx, NOW + DAY, 100))
    assert gone == 100
    await store.checkpoint()
    filler.unlink()
    assert ballast.ensure()
    await store.close()


def test_the_ballast_is_really_written_and_given_up_once(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path / "incidentd.db", size=3 * MIB)
    assert ballast.ensure()
    assert ballast.ensure()
    assert ballast.path.stat().st_blocks * 512 >= 3 * MIB
    assert ballast.release()
    assert not ballast.release()
    assert [p.name for p in tmp_path.iterdir()] == []


def test_no_ballast_is_taken_where_there_is_no_room_or_no_right(tmp_path: Path) -> None:
    assert not Ballast(tmp_path / "incidentd.db", size=1 << 60).ensure()
    assert not Ballast(tmp_path / "missing" / "incidentd.db").ensure()
    assert list(tmp_path.iterdir()) == []
