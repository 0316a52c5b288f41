"""A copy of the page in a directory: complete before anybody sees it.

Each copy is a folder of its own below `releases`; the link `current` is moved to it by one rename. Whoever is reading
the one before finishes undisturbed. What has not changed is the same file in both: hard links, not copies.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from incidentd.exporting.tree import File

CURRENT = "current"
RELEASES = "releases"
KEPT = 3
"""Copies, the newest among them: readers of an older one have long finished."""
_SETTLED = 60.0
"""Seconds: a younger copy may be one that another replica is about to make the current one."""
_ABANDONED = 3600.0
"""Seconds: half a copy is written in a fraction of that, so nobody works on it any more."""
_LINK = ".link"
_FOLDER, _FILE = 0o755, 0o644
"""The web server is somebody else, whatever our umask says."""


def publish(root: Path, files: Iterable[File], name: str) -> int:
    """Write a copy called `name`, which is fresh, and make it the current one; how many files are new.

    Raises OSError; then the current copy is as it was.
    """
    releases = root / RELEASES
    releases.mkdir(parents=True, exist_ok=True)
    for folder in (root, releases):
        folder.chmod(_FOLDER)
    before, half = root / CURRENT, releases / f".{name}"
    try:
        written = _fill(half, files, before)
        half.rename(releases / name)
    except BaseException:  # whatever it was, half a copy is of use to nobody
        shutil.rmtree(half, ignore_errors=True)
        raise
    _synced(releases)
    if not _newer(before, releases / name):
        link = root / f".{name}{_LINK}"
        link.symlink_to(Path(RELEASES) / name)
        link.replace(before)
        _synced(root)
    _prune(root, name)
    return written


def _fill(folder: Path, files: Iterable[File], before: Path) -> int:
    folder.mkdir(mode=_FOLDER)
    folder.chmod(_FOLDER)
    written, made, changed = 0, {folder}, {folder}
    for file in files:
        path, old = folder / file.name, before / file.name
        _make(path.parent, made)
        if _same(old, file.body) and _linked(old, path):
            continue
        with path.open("xb") as stream:
            stream.write(file.body)
            stream.flush()
            os.fchmod(stream.fileno(), _FILE)
            os.fsync(stream.fileno())
        written += 1
        changed.add(path.parent)
    # Not all of them: what is only linked is on the disk, and its names are with those of the last folder.
    for each in changed:
        _synced(each)
    return written


def _make(folder: Path, made: set[Path]) -> None:
    if folder in made:
        return
    _make(folder.parent, made)
    folder.mkdir(exist_ok=True)
    folder.chmod(_FOLDER)
    made.add(folder)


def _same(path: Path, body: bytes) -> bool:
    try:
        return path.stat().st_size == len(body) and path.read_bytes() == body
    except (FileNotFoundError, NotADirectoryError):
        return False


def _linked(old: Path, path: Path) -> bool:
    """The same file under another name; False where that cannot be: on another file system, or one without links."""
    try:
        os.link(old, path)
    except OSError:
        return False  # it is written instead; should that fail too, that says why
    return True


def _synced(folder: Path) -> None:
    """Names are on the disk too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _newer(current: Path, ours: Path) -> bool:
    """True if another replica has meanwhile published one that was made later: the page never goes back."""
    there = current.resolve()
    begun = [
        each.name.partition("-")[0] for each in (ours, there)
    ]  # what follows tells apart, and nothing else
    if there.parent != ours.parent.resolve() or begun[1] <= begun[0] or not there.exists():
        return False
    # A replica whose clock is ahead must not keep the others out for as long as that, should it die.
    return _age(there, ours) < _SETTLED


def _prune(root: Path, newest: str) -> None:
    """Delete old copies, and what a crash has left; what another replica may be working on stays."""
    releases = root / RELEASES
    complete = sorted([each.name for each in releases.iterdir() if not each.name.startswith(".")])
    kept = {newest, (root / CURRENT).resolve().name, *complete[-KEPT:]}
    ours = releases / newest
    for each in releases.iterdir():
        least = _ABANDONED if each.name.startswith(".") else _SETTLED
        if each.name not in kept and _age(each, ours) > least:
            shutil.rmtree(each, ignore_errors=True)
    for link in root.glob(f".*{_LINK}"):
        if _age(link, ours) > _ABANDONED:
            link.unlink(missing_ok=True)


def _age(path: Path, ours: Path) -> float:
    """Seconds from when `path` was made to when ours was, by the clock of the disk; 0 if it has just gone."""
    try:
        return ours.stat().st_mtime - path.lstat().st_mtime
    except FileNotFoundError:
        return 0.0
