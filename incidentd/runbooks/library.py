"""The folder of runbooks: read again when a file changes, and never worse off than before because of a broken one."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from pathlib import Path

import structlog

from incidentd.config.people import Runbooks
from incidentd.domain.runbook import Runbook
from incidentd.domain.runbook_match import Shelf
from incidentd.metrics import Metrics
from incidentd.runbooks.problem import RunbookError, RunbookProblem
from incidentd.runbooks.read import MAX_BYTES, read_runbook

MAX_FILES = 1000
"""A folder with more is refused: it is hardly one of runbooks."""
_README = "readme"

log = structlog.get_logger()

_Stamp = tuple[int, int, int]
"""Of a file: when it was changed, its size, its inode."""


@dataclass(frozen=True, slots=True)
class Folder:
    """Where runbooks are, and what was found there."""

    path: Path
    required: bool = False
    """A missing folder is a problem, for somebody named it."""
    stamps: dict[str, _Stamp] = field(default_factory=dict)
    """File -> how it looked when it was read last."""
    good: dict[str, Runbook] = field(default_factory=dict)
    """File -> its last good version."""
    bad: dict[str, tuple[RunbookProblem, ...]] = field(default_factory=dict)
    """File -> what is wrong with it now; the folder itself stands under its own path."""

    @property
    def problems(self) -> tuple[RunbookProblem, ...]:
        """Everything that is wrong, file by file."""
        return tuple([problem for file in sorted(self.bad) for problem in self.bad[file]])

    def shelf(self) -> Shelf:
        """The runbooks in force, by name."""
        return Shelf(tuple(sorted(self.good.values(), key=lambda runbook: runbook.name)))


def look(folder: Folder, *, again: bool = False) -> Folder:
    """The folder as it is now. Reads what has changed since; everything with `again`. Blocks."""
    try:
        found = _files(folder.path)
    except FileNotFoundError:
        what = "there is no such folder; accepted: a folder of Markdown files, at runbooks.path"
        return _without(folder, what) if folder.required else Folder(folder.path)
    except (OSError, ValueError) as refused:
        return _without(folder, getattr(refused, "strerror", None) or str(refused))
    here = str(folder.path)
    now = Folder(folder.path, folder.required, found)
    for file, stamp in found.items():
        if not again and folder.stamps.get(file) == stamp:
            _keep(now, folder, file)
            continue
        try:
            now.good[file] = read_file(Path(here, file))
        except RunbookError as refused:
            now.bad[file] = refused.problems
            if file in folder.good:
                now.good[file] = folder.good[file]
    return now


def _keep(now: Folder, before: Folder, file: str) -> None:
    if file in before.good:
        now.good[file] = before.good[file]
    if file in before.bad:
        now.bad[file] = before.bad[file]


def _without(before: Folder, what: str) -> Folder:
    """The folder cannot be looked into: what was good stays."""
    problem = RunbookProblem(str(before.path), None, what)
    return Folder(before.path, before.required, {}, before.good, {str(before.path): (problem,)})


def read_file(path: Path) -> Runbook:
    """The runbook in one file. Raises `RunbookError`. Blocks."""
    try:
        with path.open("rb") as opened:
            # One byte more than allowed, for the file may have grown since it was looked at.
            content = opened.read(MAX_BYTES + 1)
        return read_runbook(content, str(path), path.stem)
    except OSError as refused:
        what = f"cannot be read: {refused.strerror or 'unreadable'}"
    except RecursionError:
        what = "is nested too deeply to be understood"
    raise RunbookError((RunbookProblem(str(path), None, what),))


def _files(path: Path) -> dict[str, _Stamp]:
    """The Markdown files right in the folder, but README and those that begin with . or _.

    Raises OSError, and ValueError if there are far too many.
    """
    found: dict[str, _Stamp] = {}
    with os.scandir(path) as entries:
        for entry in entries:
            if not entry.name.endswith(".md") or entry.name[0] in "._" or _is_readme(entry.name):
                continue
            try:
                # Follows links: a mounted ConfigMap is a folder of them.
                seen = entry.stat()
            except OSError:
                # It went while we looked, or is a link to nowhere: reading it tells.
                found[entry.name] = (0, 0, 0)
                continue
            if stat.S_ISREG(seen.st_mode):
                found[entry.name] = (seen.st_mtime_ns, seen.st_size, seen.st_ino)
    if len(found) > MAX_FILES:
        raise ValueError(f"has {len(found)} Markdown files; accepted: at most {MAX_FILES}")
    return dict(sorted(found.items()))


def _is_readme(name: str) -> bool:
    return name.rpartition(".")[0].lower() == _README


def folder_of(section: Runbooks) -> Folder:
    """The folder that a configuration names, not looked into yet. One that it does not name may be missing."""
    return Folder(Path(section.path), required="path" in section.model_fields_set)


class Library:
    """The runbooks of a running daemon."""

    def __init__(self, metrics: Metrics, where: Callable[[], Runbooks]) -> None:
        """`where` is asked anew each time: a reload of the configuration may name another folder."""
        self._where = where
        self.folder = Folder(Path())
        self.shelf = Shelf()
        self._metrics = metrics
        self._turn = asyncio.Lock()

    async def refresh(self, *, again: bool = False) -> bool:
        """Look into the folder and read what has changed, or everything; True if other runbooks are in force now.

        What is wrong stands in `folder.problems`, in the log and in the metrics.
        """
        async with self._turn:
            before, wanted = self.folder, folder_of(self._where())
            if (before.path, before.required) != (wanted.path, wanted.required):
                # Another folder's last good versions are not this one's.
                before = wanted
            after = await asyncio.to_thread(look, before, again=again)
            self._report(after, again=again)
            self.folder = after
            shelf = after.shelf()
            if shelf == self.shelf:
                return False
            self.shelf = shelf
            return True

    def _report(self, after: Folder, *, again: bool) -> None:
        self._metrics.runbook_errors.set(len(after.bad))
        self._metrics.runbooks.set(len(after.good))
        self._metrics.runbook_tested.clear()
        for runbook in after.good.values():
            tested = datetime.combine(runbook.tested, time(), UTC).timestamp() if runbook.tested else 0
            self._metrics.runbook_tested.labels(runbook.name).set(tested)
        for file, problems in after.bad.items():
            if not again and self.folder.bad.get(file) == problems:
                continue  # told already
            for problem in problems:
                log.error("runbook_refused", problem=str(problem), in_force=file in after.good)
        for file in self.folder.bad.keys() - after.bad.keys():
            log.info("runbook_mended", file=file)
