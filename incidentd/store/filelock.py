"""One daemon per SQLite file: two would each believe to be the only sender and page everybody twice."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from incidentd.store.errors import StoreUnavailableError


class FileLock:
    """An exclusive lock beside a database, held until released; the kernel releases it when the process
    dies.
    """

    def __init__(self, database: Path) -> None:
        # Resolved: two names for one database must meet at one lock.
        real = database.resolve()
        self.path = real.with_name(f"{real.name}.lock")
        self._database = database
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock. Raises `StoreUnavailableError`, naming the process that holds it."""
        if self._file is not None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreUnavailableError(
                f"cannot make {self.path} beside the database: {error.strerror}; "
                "make the folder writable, or point database.url elsewhere"
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(file, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(file)
            if not isinstance(error, BlockingIOError):
                raise StoreUnavailableError(f"cannot lock {self.path}: {error.strerror}") from error
            raise StoreUnavailableError(
                f"another incidentd (process {holder}) uses the database {self._database}: stop it first, "
                "or give this one a database.url of its own"
            ) from error
        self._file = file
        # The lock counts, not the text: on a full disk the number is simply missing from the message.
        with contextlib.suppress(OSError):
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let go. The file stays: whoever removed it could remove one that somebody has just locked."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
