"""A copy in a directory: whole or not there, changed files only, readable by a web server."""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from incidentd.exporting.directory import publish
from incidentd.exporting.tree import File, files
from incidentd.public.documents import HTML, JSON, Document

NOW = datetime(2026, 11, 20, tzinfo=UTC)
LONG = b"<p>hello</p>" * 200


def documents(home: bytes = LONG) -> dict[str, Document]:
    return {
        "/": Document(home, HTML),
        "/incidents/abc": Document(b"<p>abc</p>", HTML),
        "/api/v2/status.json": Document(b"{}", JSON),
    }


def tree(home: bytes = LONG) -> list[File]:
    return list(files(documents(home), NOW, folders=True))


def test_every_document_is_where_a_file_server_looks_for_it(tmp_path: Path) -> None:
    publish(tmp_path / "new" / "site", tree(), "1")
    current = tmp_path / "new" / "site" / "current"
    found = {str(path.relative_to(current)) for path in current.rglob("*") if path.is_file()}
    assert found == {
        "index.html", "index.html.gz", "incidents/abc/index.html", "api/v2/status.json", "checked.json",
    }  # fmt: skip
    assert gzip.decompress((current / "index.html.gz").read_bytes()) == LONG
    assert b'"2026-11-20T00:00:00.000Z"' in (current / "checked.json").read_bytes()


def test_an_object_store_has_the_names_of_the_addresses() -> None:
    listed = {**documents(), "/pages/inside/": Document(b"<p>x</p>", HTML)}
    assert [file.name for file in files(listed, NOW, folders=False)] == [
        "index.html", "index.html.gz", "incidents/abc", "api/v2/status.json", "pages/inside/index.html",
        "checked.json",
    ]  # fmt: skip


def test_what_has_not_changed_is_not_written_again(tmp_path: Path) -> None:
    assert publish(tmp_path, tree(), "1") == 5
    kept = (tmp_path / "current" / "api/v2/status.json").stat()
    assert publish(tmp_path, tree(LONG + b"!"), "2") == 2
    again = (tmp_path / "current" / "api/v2/status.json").stat()
    assert (kept.st_ino, kept.st_mtime) == (again.st_ino, again.st_mtime)
    assert (tmp_path / "current" / "index.html").read_bytes().endswith(b"!")


def test_a_failure_in_the_middle_leaves_the_current_copy(tmp_path: Path) -> None:
    publish(tmp_path, tree(), "1")

    def failing() -> Iterator[File]:
        yield from tree(b"half")[:1]
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space"):
        publish(tmp_path, failing(), "2")
    assert (tmp_path / "current" / "index.html").read_bytes() == LONG
    assert [each.name for each in (tmp_path / "releases").iterdir()] == ["1"]


def aged(path: Path, seconds: float) -> None:
    """As if it had been made that long ago."""
    at = path.lstat().st_mtime - seconds
    os.utime(path, (at, at), follow_symlinks=False)


def test_old_copies_and_halves_that_a_crash_left_are_deleted(tmp_path: Path) -> None:
    releases = tmp_path / "releases"
    (releases / ".0").mkdir(parents=True)
    (tmp_path / ".0.link").symlink_to("nowhere")
    for left in (releases / ".0", tmp_path / ".0.link"):
        aged(left, 3700)
    for number in range(1, 7):
        publish(tmp_path, tree(b"%d" % number), str(number))
        aged(releases / str(number), 61)
    publish(tmp_path, tree(b"7"), "7")
    assert sorted(each.name for each in releases.iterdir()) == ["5", "6", "7"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["current", "releases"]
    assert (tmp_path / "current").readlink() == Path("releases/7")


def test_what_another_replica_is_writing_or_about_to_show_stays(tmp_path: Path) -> None:
    releases = tmp_path / "releases"
    (releases / ".theirs").mkdir(parents=True)
    aged(releases / ".theirs", 600)
    for number in range(1, 6):
        publish(tmp_path, tree(b"%d" % number), str(number))
    assert sorted(each.name for each in releases.iterdir()) == [".theirs", "1", "2", "3", "4", "5"]


def test_the_page_never_goes_back_to_a_copy_that_was_begun_earlier(tmp_path: Path) -> None:
    publish(tmp_path, tree(b"later"), "2")
    publish(tmp_path, tree(b"earlier"), "1")
    assert (tmp_path / "current" / "index.html").read_bytes() == b"later"
    aged(tmp_path / "releases" / "2", 61)  # whose clock is ahead, and who publishes nothing any more
    publish(tmp_path, tree(b"now"), "11")
    assert (tmp_path / "current" / "index.html").read_bytes() == b"now"


def another_disk(than: Path) -> Path:
    """A folder in memory if the tests' own are on a disk, and the other way round."""
    found = [Path(tempfile.mkdtemp(dir=place)) for place in ("/dev/shm", "/var/tmp")]  # noqa: S108 - removed again
    [elsewhere] = [folder for folder in found if folder.stat().st_dev != than.stat().st_dev] or found[:1]
    for folder in found:
        if folder != elsewhere:
            folder.rmdir()
    return elsewhere


def test_where_no_link_can_be_made_files_are_written_anew(tmp_path: Path) -> None:
    elsewhere = another_disk(tmp_path)
    try:
        assert elsewhere.stat().st_dev != tmp_path.stat().st_dev
        publish(elsewhere, tree(), "1")
        (tmp_path / "current").symlink_to(elsewhere / "current")
        assert publish(tmp_path, tree(), "2") == 5
    finally:
        shutil.rmtree(elsewhere)
    assert (tmp_path / "current").readlink() == Path("releases/2")
    assert (tmp_path / "current" / "index.html").read_bytes() == LONG


def test_the_web_server_can_read_it_whatever_our_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        publish(tmp_path / "site", tree(), "1")
    finally:
        os.umask(before)
    current = tmp_path / "site" / "current"
    modes = {path.stat().st_mode & 0o777 for path in (current, *current.rglob("*"))}
    assert modes == {0o755, 0o644}


@pytest.mark.parametrize("path", ["/../x", "/a//b", "/a/./b", "/a\\b", "//", "/../"])
def test_an_address_that_could_lead_out_of_the_root_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="no address"):
        list(files({path: Document(b"", JSON)}, NOW, folders=True))
