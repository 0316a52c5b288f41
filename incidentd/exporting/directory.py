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
    link = root / f".{name}.link"
    link.symlink_to(Path(RELEASES) / name)
    link.replace(before)
    _synced(root)
    _prune(releases, name)
    return written


def _fill(folder: Path, files: Iterable[File], before: Path) -> int:
    folder.mkdir(mode=_FOLDER)
    folder.chmod(_FOLDER)
    written, made, changed = 0, {folder}, {folder}
    for file in files:
        path, old = folder / file.name, before / file.name
        _make(path.parent, made)
        if _same(old, file.body):
            os.link(old, path)
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


def _synced(folder: Path) -> None:
    """Names are on the disk too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _prune(releases: Path, newest: str) -> None:
    """Delete old copies, and halves that a crash has left."""
    complete = sorted([each.name for each in releases.iterdir() if not each.name.startswith(".")])
    kept = {newest, *complete[-KEPT:]}
    for each in releases.iterdir():
        if each.name not in kept:
            shutil.rmtree(each, ignore_errors=True)
