"""The folder: changes are seen, and a broken file takes nothing away."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from incidentd.config.people import Runbooks
from incidentd.metrics import Metrics
from incidentd.runbooks.library import Folder, Library, folder_of, look

GOOD = "---\nmatch: [alertname={name}]\n---\n# {name}\n## Steps\n1. {step}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "runbooks"
    path.mkdir()
    write(path, "down")
    return path


def write(folder: Path, name: str, step: str = "look") -> Path:
    file = folder / f"{name}.md"
    file.write_text(GOOD.format(name=name, step=step), encoding="utf-8")
    return file


def broken(folder: Path, name: str) -> Path:
    file = folder / f"{name}.md"
    file.write_text("---\nmatch: ['=']\n---\n## Steps\n1. x\n", encoding="utf-8")
    return file


class Room:
    """A library, its metrics, and the folder that its configuration names."""

    def __init__(self, path: Path, **section: Any) -> None:
        self.section = Runbooks(**({"path": str(path)} | section))
        self.metrics = Metrics()
        self.library = Library(self.metrics, lambda: self.section)

    def steps(self) -> dict[str, str]:
        return {book.name: book.steps[0].text for book in self.library.shelf.runbooks}

    def problems(self) -> list[str]:
        return [str(problem) for problem in self.library.folder.problems]

    def gauge(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(name)


async def test_changed_new_and_deleted_files_are_seen(folder: Path) -> None:
    room = Room(folder)
    assert await room.library.refresh()
    assert not await room.library.refresh()
    write(folder, "up")
    write(folder, "down", "look again, more closely")
    assert await room.library.refresh()
    assert room.steps() == {"down": "look again, more closely", "up": "look"}
    (folder / "down.md").unlink()
    assert await room.library.refresh()
    assert room.steps() == {"up": "look"}
    assert room.gauge("incidentd_runbooks") == 1


async def test_the_last_good_version_of_a_broken_file_stays_in_force(folder: Path) -> None:
    room = Room(folder)
    await room.library.refresh()
    file = broken(folder, "down")
    broken(folder, "never-good")
    assert not await room.library.refresh()
    assert room.steps() == {"down": "look"}
    assert [line.split(": ")[0] for line in room.problems()] == [f"{file}:2", f"{folder}/never-good.md:2"]
    assert room.gauge("incidentd_runbook_errors") == 2
    # Looked at again without a change, and read again because somebody asked: it stays so.
    await room.library.refresh()
    await room.library.refresh(again=True)
    assert room.steps() == {"down": "look"}
    write(folder, "down", "mended")
    write(folder, "never-good")
    assert await room.library.refresh()
    assert (room.steps()["down"], room.problems()) == ("mended", [])
    assert room.gauge("incidentd_runbook_errors") == 0


async def test_a_change_that_keeps_size_and_time_is_seen_when_it_is_asked_for(folder: Path) -> None:
    room = Room(folder)
    await room.library.refresh()
    file = folder / "down.md"
    seen = file.stat()
    file.write_text(file.read_text().replace("look", "kool"), encoding="utf-8")
    os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert not await room.library.refresh()
    assert await room.library.refresh(again=True)
    assert room.steps() == {"down": "kool"}


async def test_a_mounted_folder_of_links_that_is_swapped_is_seen(tmp_path: Path) -> None:
    """As Kubernetes mounts a ConfigMap."""
    for version in ("1", "2"):
        (tmp_path / f"..{version}").mkdir()
        write(tmp_path / f"..{version}", "down", f"version {version}")
    folder = tmp_path / "mounted"
    folder.mkdir()
    (folder / "..data").symlink_to(tmp_path / "..1")
    (folder / "down.md").symlink_to(Path("..data") / "down.md")
    room = Room(folder)
    await room.library.refresh()
    assert room.steps() == {"down": "version 1"}
    (folder / "new").symlink_to(tmp_path / "..2")
    (folder / "new").rename(folder / "..data")
    assert await room.library.refresh()
    assert room.steps() == {"down": "version 2"}


async def test_only_markdown_right_in_the_folder_counts(folder: Path) -> None:
    for name in ("README.md", "Readme.md", "_template.md", ".hidden.md", "notes.txt"):
        (folder / name).write_text("no runbook", encoding="utf-8")
    (folder / "deeper.md").mkdir()
    os.mkfifo(folder / "pipe.md")
    room = Room(folder)
    await room.library.refresh()
    assert (list(room.steps()), room.problems()) == (["down"], [])


async def test_a_link_to_nowhere_and_a_file_that_nests_without_end_are_told(folder: Path) -> None:
    (folder / "gone.md").symlink_to(folder / "nowhere")
    (folder / "deep.md").write_text(f"---\nmatch: {'[' * 50_000}\n---\n## Steps\n1. x\n", encoding="utf-8")
    room = Room(folder)
    await room.library.refresh()
    deep, gone = room.problems()
    assert "deep.md" in deep
    assert gone == f"{folder}/gone.md: cannot be read: No such file or directory"
    assert list(room.steps()) == ["down"]


async def test_a_folder_that_goes_takes_nothing_with_it_and_one_that_was_not_named_may_be_missing(
    folder: Path,
) -> None:
    room = Room(folder)
    await room.library.refresh()
    moved = folder.rename(folder.with_name("moved"))  # noqa: ASYNC240 - a folder of the test's own
    assert not await room.library.refresh()
    assert room.problems() == [
        f"{folder}: there is no such folder; accepted: a folder of Markdown files, at runbooks.path"
    ]
    assert list(room.steps()) == ["down"]
    moved.rename(folder)
    await room.library.refresh()
    assert room.problems() == []
    assert not folder_of(Runbooks()).required
    assert look(Folder(folder / "none")) == Folder(folder / "none")


async def test_a_file_in_the_place_of_the_folder_and_far_too_many_files_are_told(folder: Path) -> None:
    (folder.parent / "file").write_text("x", encoding="utf-8")
    assert [str(p) for p in look(Folder(folder.parent / "file", required=True)).problems] == [
        f"{folder.parent}/file: Not a directory"
    ]
    for number in range(1001):
        (folder / f"{number}.md").touch()
    (problem,) = look(Folder(folder)).problems
    assert str(problem) == f"{folder}: has 1002 Markdown files; accepted: at most 1000"


async def test_another_folder_has_none_of_the_versions_of_the_first(folder: Path, tmp_path: Path) -> None:
    room = Room(folder)
    await room.library.refresh()
    other = tmp_path / "other"
    other.mkdir()
    broken(other, "down")
    room.section = Runbooks(path=str(other))
    assert await room.library.refresh()
    assert room.steps() == {}
