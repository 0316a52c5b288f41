"""What can go wrong with a database, as two answers: try again later, or never."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError

UNIQUE_VIOLATION = "23505"
_CONFLICTS = frozenset({"40001", "40P01", UNIQUE_VIOLATION})
"""PostgreSQL: serialization failure, deadlock, unique violation between replicas. The retry sees the other's
rows."""

_LATER = frozenset({"08", "25", "28", "3D", "42", "53", "55", "57", "58", "XX"})
"""Classes of SQLSTATE that say nothing about the values: connection, transaction state (a stand-by is read-only),
login, no such database, missing rights or columns (a roll-out under way), resources, locks, operator intervention,
system, internal."""

_FULL = frozenset({sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE})
"""Besides SQLITE_FULL: an exceeded quota, and no room to grow the shared-memory file."""


class StoreUnavailableError(Exception):
    """The database cannot commit now (locked, full, gone). Nothing was written; trying again later may
    work.
    """


class StoreRejectedError(Exception):
    """The database refuses these values; trying again cannot help."""


class ConflictError(Exception):
    """Another replica was first; the unit of work can simply run again. Never leaves the store."""

    def __init__(self, message: str, state: str) -> None:
        super().__init__(message)
        self.state = state


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn what drivers and pools raise into the three errors above; everything else passes through."""
    try:
        yield
    except (IntegrityError, OperationalError, InterfaceError, DBAPIError) as error:
        raise _judged(error) from error
    except (sa.exc.TimeoutError, OSError, sqlite3.Error) as error:
        raise StoreUnavailableError(brief(error)) from error
    except (UnicodeEncodeError, OverflowError) as error:
        # Half a surrogate pair, or a number beyond 64 bits: sqlite3 raises these before it asks SQLite.
        raise StoreRejectedError(brief(error)) from error
    # asyncpg's refusals while connecting (wrong password, too many clients, starting up) come unwrapped.
    except Exception as error:
        state = getattr(error, "sqlstate", None)
        if not isinstance(state, str):
            raise
        raise StoreUnavailableError(brief(error)) from error


def _judged(error: DBAPIError) -> Exception:
    state = str(getattr(error.orig, "sqlstate", None) or "")
    if state in _CONFLICTS:
        return ConflictError(brief(error), state)
    if state:
        kind = StoreUnavailableError if state[:2] in _LATER else StoreRejectedError
        return kind(brief(error))
    if error.connection_invalidated or isinstance(error, (OperationalError, InterfaceError)):
        return StoreUnavailableError(brief(error))
    if primary_code(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return StoreUnavailableError(brief(error))
    return StoreRejectedError(brief(error))


def primary_code(error: DBAPIError) -> int:
    """SQLite's result code without its extension, or 0 if it was not SQLite."""
    return int(getattr(error.orig, "sqlite_errorcode", 0) or 0) & 0xFF


def is_full(error: DBAPIError) -> bool:
    """True if SQLite found no room to write."""
    code = int(getattr(error.orig, "sqlite_errorcode", 0) or 0)
    return code & 0xFF == sqlite3.SQLITE_FULL or code in _FULL


def brief(error: BaseException) -> str:
    """The driver's own words without the statement and its parameters, which may hold alert texts."""
    original = getattr(error, "orig", None) or error
    lines = str(original).splitlines()
    # SQLAlchemy puts the driver's class in front: <class '...'>: text.
    text = lines[0].rpartition("'>: ")[2] if lines else type(original).__name__
    return text[:300]
