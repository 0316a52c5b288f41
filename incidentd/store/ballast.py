"""Room kept for the worst day: on a full disk SQLite cannot even delete, so a file of our own goes first."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

SIZE = 8 * 1024 * 1024
"""Bytes. Enough to resolve, prune and fold the write-ahead log while somebody makes room."""


class Ballast:
    """A file beside the database that is given up at the first "disk full" and made again when there is
    room.
    """

    def __init__(self, database: Path, size: int = SIZE) -> None:
        """`size` in bytes."""
        self.path = database.with_name(f"{database.name}.ballast")
        self._size = size

    @property
    def there(self) -> bool:
        """True while it can still be given up: if not, the disk was full and has not recovered."""
        return self.path.exists()

    def ensure(self) -> bool:
        """Make the file if it is missing and there is room for half as much again; True if it is there
        afterwards.

        Blocks for the time it takes to write and sync it: call it in a thread.
        """
        if self.there:
            return True
        try:
            # The margin keeps it from being taken from the very room that giving it up has made.
            if shutil.disk_usage(self.path.parent).free < self._size * 3 // 2:
                return False
            self._write()
        except OSError:
            self._unfinished.unlink(missing_ok=True)
            return False
        return True

    def release(self) -> bool:
        """Give the room up; True if there was any. For `Store(on_full=...)`."""
        try:
            self.path.unlink()
        except OSError:
            return False
        return True

    @property
    def _unfinished(self) -> Path:
        return self.path.with_name(f"{self.path.name}.tmp")

    def _write(self) -> None:
        # Really written, with bytes that do not compress: a hole or zeros would free nothing on some file
        # systems.
        with self._unfinished.open("wb") as file:
            left = self._size
            while left > 0:
                left -= file.write(os.urandom(min(left, 1 << 20)))
            file.flush()
            os.fsync(file.fileno())
        self._unfinished.replace(self.path)
