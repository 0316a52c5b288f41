"""`database`: where incidents are kept."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, WithJsonSchema

from incidentd.config.section import Section
from incidentd.fields import SECRET_SCHEMA, env_reference, expand_secret_text, resolve_secret

_ACCEPTED = "accepted: sqlite+aiosqlite:///PATH or postgresql+asyncpg://USER@HOST:PORT/DATABASE"
_SQLITE = "sqlite+aiosqlite:///"


class DatabaseUrl(SecretStr):
    """The address of the database. It may hold a password: only `redacted` may be shown."""

    @property
    def redacted(self) -> str:
        """The address without password and without query, which may hold one too."""
        return re.sub(r"\?.*", "?...", re.sub(r"(://[^/@:]*):.*@", r"\1:***@", self.get_secret_value()))

    @property
    def is_sqlite(self) -> bool:
        """True for SQLite, False for PostgreSQL."""
        return self.get_secret_value().startswith(_SQLITE)


def literal_password(raw: object) -> bool:
    """True if `raw`, as written in the file, holds a password and not a reference to one."""
    if not isinstance(raw, str):
        return False
    found = re.search(r"://[^/@:]*:(.*)@", raw)
    return found is not None and env_reference(found[1]) is None


def _database_url(value: object, info: ValidationInfo) -> DatabaseUrl:
    if isinstance(value, str) and env_reference(value) is None:
        text = expand_secret_text(value, info)
    else:
        text = resolve_secret(value, info).get_secret_value()
    if text.startswith(_SQLITE):
        _check_sqlite(text.removeprefix(_SQLITE).partition("?")[0])
    elif text.startswith("postgresql+asyncpg://"):
        _check_postgresql(text)
    else:
        raise ValueError(f"is not a database address; {_ACCEPTED}")
    return DatabaseUrl(text)


def _check_sqlite(path: str) -> None:
    if path in ("", ":memory:") or path.startswith("file:"):
        raise ValueError(
            "must name a file, or nothing survives a restart; accepted: sqlite+aiosqlite:///PATH"
        )


def _check_postgresql(text: str) -> None:
    try:
        parts = urlsplit(text)
        complete = bool(parts.path.strip("/")) and (parts.hostname or "host=" in parts.query)
        _ = parts.port
    except ValueError:
        complete = False
    if not complete:
        raise ValueError(
            f"is not a complete database address: host and database name are needed; {_ACCEPTED}"
        )


class Database(Section):
    """Where incidents are kept: SQLite in one file, or PostgreSQL."""

    url: Annotated[
        DatabaseUrl,
        BeforeValidator(_database_url),
        WithJsonSchema(dict(SECRET_SCHEMA)),
    ] = Field(
        default=DatabaseUrl("sqlite+aiosqlite:///data/incidentd.db"),
        json_schema_extra={"default": "sqlite+aiosqlite:///data/incidentd.db"},
    )
    """`sqlite+aiosqlite:///PATH` (relative to the working directory) or
    `postgresql+asyncpg://USER:${PASSWORD}@HOST/DATABASE`. The value of a `${NAME}` inside the address is
    percent-encoded; as the whole value it is taken as it is. `{file: PATH}` is accepted too."""
