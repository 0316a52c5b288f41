"""The newest signed head in a file beside the key: what is known of the chain whatever is done to the database."""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import orjson

from incidentd.audit.chain import canonical
from incidentd.audit.checkpoint import Checkpoint
from incidentd.audit.faults import BrokenError, checkpoint_of


class HeadUnreadableError(Exception):
    """The file is there, and what it says cannot be told. It does not count as absent: that would be a way to cheat."""


@dataclass(frozen=True, slots=True)
class HeadFile:
    """One line, as heads outside have it. Several replicas may share it: it is only ever replaced as a whole."""

    path: Path

    def read(self) -> Checkpoint | None:
        """What it says; None if there is no file. Raises `HeadUnreadableError`."""
        try:
            found = checkpoint_of(orjson.loads(self.path.read_bytes()), 0)
            datetime.fromisoformat(found.ts)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise HeadUnreadableError(f"{self.path} cannot be read: {error.strerror}") from None
        except (ValueError, BrokenError):
            raise HeadUnreadableError(f"{self.path} holds no signed head") from None
        return found

    def write(self, head: Checkpoint, *, back: bool = False) -> None:
        """Replace what it says, if `head` is newer, or with `back` in any case. Raises OSError.

        Of two replicas that write at the same time the older head may stay: it is as true, and replaced with the next.
        """
        if not back:
            with contextlib.suppress(HeadUnreadableError):
                known = self.read()
                if known is not None and known.seq >= head.seq:
                    return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_name(f"{self.path.name}.{secrets.token_hex(8)}.tmp")
        try:
            with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(canonical(head.document) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self.path)
        finally:
            unfinished.unlink(missing_ok=True)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
