"""The log file: it never grows beyond its size, and nothing it cannot do stops anybody."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from incidentd.log_file import RotatingFile


def test_a_full_file_is_put_aside_and_the_oldest_is_deleted(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "logs" / "incidentd.log", max_bytes=20, keep=2)
    for number in range(8):
        file.write(f"line {number}...\n")
    file.close()
    kept = {path.name: path.read_text() for path in (tmp_path / "logs").iterdir()}
    assert kept == {
        "incidentd.log": "line 6...\nline 7...\n",
        "incidentd.log.1": "line 4...\nline 5...\n",
        "incidentd.log.2": "line 2...\nline 3...\n",
    }


def test_a_restart_goes_on_where_the_file_ended(tmp_path: Path) -> None:
    for word in ("first", "second"):
        file = RotatingFile(tmp_path / "a.log", max_bytes=100, keep=1)
        file.write(f"{word}\n")
        file.close()
    assert (tmp_path / "a.log").read_text() == "first\nsecond\n"
    assert (tmp_path / "a.log").stat().st_mode & 0o007 == 0


def test_with_none_to_keep_only_the_newest_lines_are_there(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "a.log", max_bytes=4, keep=0)
    file.write("one\n")
    file.write("two\n")
    assert [path.name for path in tmp_path.iterdir()] == ["a.log"]
    assert (tmp_path / "a.log").read_text() == "two\n"
    file.close()


def test_what_cannot_be_written_is_dropped_and_said_until_it_can(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    file = RotatingFile(folder / "a.log", max_bytes=4, keep=1)
    file.write("one\n")
    (folder / "a.log").unlink()
    (folder / "a.log").mkdir()
    (folder / "a.log" / "in the way").touch()
    (folder / "a.log.1").mkdir()
    (folder / "a.log.1" / "too").touch()
    file.write("two\n")
    assert file.trouble
    (folder / "a.log" / "in the way").unlink()
    (folder / "a.log").rmdir()
    file.write("three\n")
    assert file.trouble == ""
    file.close()
    assert (folder / "a.log").read_text() == "three\n"


def test_a_file_that_cannot_be_made_is_an_error_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        RotatingFile(tmp_path / "file" / "a.log", max_bytes=4, keep=1)


def test_lines_of_several_threads_are_whole(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "a.log", max_bytes=1000, keep=100)

    def write(number: int) -> None:
        for _ in range(100):
            file.write(f"{number}:{'x' * 30}\n")

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    file.close()
    lines = [line for path in tmp_path.iterdir() for line in path.read_text().splitlines()]
    assert len(lines) == 400
    assert {len(line) for line in lines} == {32}
