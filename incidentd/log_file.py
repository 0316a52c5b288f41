"""A log file that does not fill the disk: at a size it is put aside, and the oldest put aside is deleted."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

_MODE = 0o640
"""Names of systems and people stand in it: not for everybody on the machine."""


class RotatingFile:
    """`incidentd.log`, and beside it `incidentd.log.1`, the newest put aside, up to `.keep`.

    Safe to write to from several threads. What cannot be written is dropped, and `trouble` says why.
    """

    def __init__(self, path: Path, max_bytes: int, keep: int) -> None:
        """Raises OSError if it cannot be written to."""
        self.path = path
        self.trouble = ""
        """Why the last line was not written; empty if it was."""
        self._max = max_bytes
        self._keep = keep
        self._lock = threading.Lock()
        self._file = -1
        self._open()

    def write(self, text: str) -> None:
        """Append, and put the file aside first if it would become too big."""
        data = text.encode("utf-8", "replace")
        with self._lock:
            try:
                if self._file < 0:
                    self._open()
                if self._size and self._size + len(data) > self._max:
                    self._rotate()
                while data:
                    written = os.write(self._file, data)
                    self._size += written
                    data = data[written:]
            except OSError as error:
                self.trouble = error.strerror or type(error).__name__
            else:
                self.trouble = ""

    def close(self) -> None:
        """Let go of the file; a later write opens it again."""
        with self._lock:
            self._close()

    def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)
        self._size = os.fstat(self._file).st_size

    def _close(self) -> None:
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def _rotate(self) -> None:
        self._close()
        for number in range(self._keep - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                self._aside(number).replace(self._aside(number + 1))
        if self._keep:
            self.path.replace(self._aside(1))
        else:
            self.path.unlink()
        self._open()

    def _aside(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")
