"""Starting on a SQLite file that cannot be used: one sentence that says what to do, within a moment."""

import asyncio
import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from incidentd.store import sqlite
from incidentd.store.engine import Store, StoreUnavailableError
from incidentd.store.filelock import FileLock
from incidentd.store.migrate import migrate, migrate_file
from incidentd.workflows.receive import receive
from tests.programs import missing
from tests.store.samples import NOW, RULES, alert, post

HOLD = "import sys; from pathlib import Path; from incidentd.store.filelock import FileLock\n"
HOLD += "lock = FileLock(Path(sys.argv[1])); lock.acquire(); print('held', flush=True); sys.stdin.read()"


def url(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A migrated database with one alert in it."""
    path = tmp_path / "incidentd.db"

    async def make() -> None:
        await migrate(url(path))
        store = Store(url(path))
        await store.write(lambda tx: receive(tx, [post(alert())], RULES, NOW))
        await store.close()

    asyncio.run(make())
    return path


@pytest.mark.parametrize("place", ["", ":memory:"])
def test_a_database_in_memory_is_refused(place: str) -> None:
    with pytest.raises(StoreUnavailableError, match="would lose every alert"):
        Store(f"sqlite+aiosqlite:///{place}")


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down" / "incidentd.db"
    migrate_file(url(path))
    assert path.exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(StoreUnavailableError, match=r"cannot create the folder .*file/x\.db.*database\.url"):
        sqlite.prepare(tmp_path / "file" / "x.db")


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder in which nothing can be written, also not by root."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    if os.geteuid() != 0:
        folder.chmod(0o500)
        yield folder
        return
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", folder], check=False).returncode != 0:
        missing("the right to mount", "run as root with CAP_SYS_ADMIN, or as another user")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_read_only_folder_is_named(read_only: Path) -> None:
    with pytest.raises(StoreUnavailableError, match=r"cannot write into .*read-only.*make it writable"):
        Store(url(read_only / "incidentd.db"))
    with pytest.raises(StoreUnavailableError, match="beside the database"):
        FileLock(read_only / "incidentd.db").acquire()


def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="is no file"):
        sqlite.prepare(tmp_path)


def test_a_file_of_something_else_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "incidentd.db"
    path.write_text("dear diary, this is a text of some length" * 10, encoding="utf-8")
    before = path.read_bytes()
    with pytest.raises(StoreUnavailableError, match=r"damaged or no database.*backup"):
        Store(url(path))
    assert path.read_bytes() == before


def test_an_empty_file_is_a_fresh_database(tmp_path: Path) -> None:
    path = tmp_path / "incidentd.db"
    path.touch()
    assert migrate_file(url(path)).before is None


def test_a_damaged_schema_is_found_at_start(database: Path) -> None:
    content = bytearray(database.read_bytes())
    content[100:200] = b"\xff" * 100
    database.write_bytes(content)
    with pytest.raises(StoreUnavailableError, match="damaged"):
        Store(url(database))


def test_the_full_check_finds_damage_further_down(database: Path) -> None:
    assert sqlite.check(database) == []
    content = bytearray(database.read_bytes())
    for page in range(4096, len(content), 4096):
        content[page : page + 64] = b"\xa5" * 64
    database.write_bytes(content)
    assert sqlite.check(database) != []


async def test_damage_met_at_run_time_is_unavailable_not_the_senders_fault(tmp_path: Path) -> None:
    path = tmp_path / "incidentd.db"
    await migrate(url(path))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store = Store(url(path))
    content = bytearray(path.read_bytes())
    for page in range(4096, len(content), 4096):
        content[page : page + 64] = b"\xa5" * 64
    path.write_bytes(content)
    with pytest.raises(StoreUnavailableError, match="malformed"):
        await store.write(lambda tx: receive(tx, [post(alert())], RULES, NOW))
    await store.close()


def test_a_second_daemon_on_the_same_file_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    path = tmp_path / "incidentd.db"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        (tmp_path / "alias.db").symlink_to(path)
        for name in ("incidentd.db", "alias.db"):
            with pytest.raises(StoreUnavailableError, match=f"process {holder.pid}\\).*stop it first"):
                FileLock(tmp_path / name).acquire()
        # The kernel gives it back whatever way the holder ends.
        holder.kill()
        holder.wait()
    with FileLock(path) as lock:
        assert lock.path.read_text() == f"{os.getpid()}\n"


def test_a_released_lock_can_be_taken_again(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "x.db"), FileLock(tmp_path / "x.db")
    first.acquire()
    first.acquire()
    with pytest.raises(StoreUnavailableError):
        second.acquire()
    first.release()
    second.acquire()
    second.release()
    second.release()
