"""Statements compiled once per database and run with plain tuples: the hot path pays for SQL, not for
building it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

from incidentd.store.engine import Tx

_SQLITE: sa.Dialect = sqlite.dialect(paramstyle="qmark")
_POSTGRESQL: sa.Dialect = PGDialect_asyncpg()  # type: ignore[no-untyped-call]

Row = Sequence[object]


@dataclass(frozen=True, slots=True)
class _Text:
    """A statement as the driver takes it."""

    sql: str
    order: tuple[int, ...] | None
    """Which value of (tuple + constants) goes where; None if the tuple fits as it is."""
    constants: tuple[object, ...]
    """Values written into the statement by its builder."""

    def arranged(self, row: Row) -> tuple[object, ...]:
        """The tuple in the order of the statement's placeholders."""
        if self.order is None:
            return tuple(row)
        values = (*row, *self.constants)
        return tuple([values[i] for i in self.order])


class Prepared:
    """A Core statement with named parameters, compiled on first use for each database.

    Rows come as the driver gives them: SQLite has 0 and 1 where PostgreSQL has booleans.
    """

    def __init__(self, build: Callable[[bool], sa.ClauseElement], parameters: Sequence[str]) -> None:
        """`build` is told whether it is for PostgreSQL; `parameters` fixes the order of the tuples passed
        later.
        """
        self._build = build
        self._parameters = tuple(parameters)
        self._texts: dict[bool, _Text] = {}

    def all(self, tx: Tx, *values: object) -> Sequence[sa.Row[Any]]:
        """Run it once and return every row, as the driver gives it."""
        return self._cursor(tx, values).all()

    def first(self, tx: Tx, *values: object) -> sa.Row[Any] | None:
        """Run it once and return the first row."""
        return self._cursor(tx, values).first()

    def tuples(self, tx: Tx, *values: object) -> Sequence[Sequence[Any]]:
        """Run it once and return every row as plain values in the order of the columns: for intake."""
        return (
            self._cursor(tx, values).all() if tx.driver is None else self._raw(tx.driver, values).fetchall()
        )

    def run(self, tx: Tx, *values: object) -> int:
        """Run it once for its effect; the number of rows it changed."""
        return (
            self._cursor(tx, values).rowcount if tx.driver is None else self._raw(tx.driver, values).rowcount
        )

    def many(self, tx: Tx, rows: Sequence[Row]) -> None:
        """Run it for each of `rows`."""
        if not rows:
            return
        text = self._text(postgresql=tx.postgresql)
        arranged = rows if text.order is None else [text.arranged(row) for row in rows]
        if tx.driver is None:
            tx.conn.exec_driver_sql(text.sql, [tuple(row) for row in arranged])
            return
        try:
            tx.driver.executemany(text.sql, arranged)
        except sqlite3.Error as error:
            raise _wrapped(text.sql, error) from error

    def sql(self, *, postgresql: bool) -> str:
        """The text for a database."""
        return self._text(postgresql=postgresql).sql

    def _text(self, *, postgresql: bool) -> _Text:
        text = self._texts.get(postgresql)
        if text is None:
            text = self._texts[postgresql] = self._compile(postgresql=postgresql)
        return text

    def _cursor(self, tx: Tx, values: Row) -> sa.CursorResult[Any]:
        text = self._text(postgresql=tx.postgresql)
        return tx.conn.exec_driver_sql(text.sql, text.arranged(values))

    def _raw(self, driver: sqlite3.Connection, values: Row) -> sqlite3.Cursor:
        text = self._text(postgresql=False)
        try:
            return driver.execute(text.sql, text.arranged(values))
        except sqlite3.Error as error:
            raise _wrapped(text.sql, error) from error

    def _compile(self, *, postgresql: bool) -> _Text:
        compiled: Any = self._build(postgresql).compile(
            dialect=_POSTGRESQL if postgresql else _SQLITE, compile_kwargs={"render_postcompile": True}
        )
        places = {name: index for index, name in enumerate(self._parameters)}
        constants: list[object] = []
        for name in compiled.positiontup or ():
            if name not in places:
                # A value of the builder's own, or one the dialect adds: SQLite's LIMIT comes with OFFSET 0.
                places[name] = len(self._parameters) + len(constants)
                constants.append(compiled.params[name])
        order = tuple([places[name] for name in compiled.positiontup or ()])
        fits = order == tuple(range(len(self._parameters)))
        return _Text(str(compiled), None if fits else order, tuple(constants))


def _wrapped(sql: str, error: sqlite3.Error) -> Exception:
    # As SQLAlchemy would raise it, without the values: they may hold alert texts.
    return sa.exc.DBAPIError.instance(sql, None, error, sqlite3.Error)


def insert(table: sa.Table) -> Prepared:
    """Insert whole rows, values in the order of the table's columns."""
    names = [column.name for column in table.columns]
    return Prepared(lambda _: sa.insert(table).values({name: sa.bindparam(name) for name in names}), names)


def update_by_id(table: sa.Table, columns: Sequence[str]) -> Prepared:
    """Update `columns` of the row with an id; the id is the last value of the tuple."""
    values: dict[str, sa.BindParameter[Any]] = {name: sa.bindparam(name) for name in columns}
    return Prepared(
        lambda _: sa.update(table).where(table.c.id == sa.bindparam("row_id")).values(values),
        [*columns, "row_id"],
    )


def among(column: sa.ColumnElement[Any], parameter: str, *, postgresql: bool) -> sa.ColumnElement[bool]:
    """`column` is one of a list passed as ONE parameter made by `values_of`: the statement's text never
    changes.
    """
    if postgresql:
        array: sa.BindParameter[Any] = sa.bindparam(parameter, type_=_array_of(column))
        return column == sa.any_(array)
    listed = sa.func.json_each(sa.bindparam(parameter)).table_valued("value")
    return column.in_(sa.select(listed.c.value))


def values_of(tx: Tx, values: Sequence[object]) -> object:
    """The parameter for `among`."""
    return list(values) if tx.postgresql else orjson.dumps(list(values)).decode()


def _array_of(column: sa.ColumnElement[Any]) -> postgresql.ARRAY[Any]:
    return postgresql.ARRAY(sa.BigInteger if isinstance(column.type, sa.Integer | sa.BigInteger) else sa.Text)


_next_sqlite = Prepared(
    lambda _: (
        sa.select(sa.text("seq"))
        .select_from(sa.text("sqlite_sequence"))
        .where(sa.text("name = :name").bindparams(sa.bindparam("name")))
    ),
    ["name"],
)


class Ids:
    """Row numbers handed out before the insert, so that rows may refer to each other in one batch."""

    def __init__(self, tx: Tx, table: sa.Table, block: int) -> None:
        """`block`: how many are likely to be needed; more are fetched when they run out."""
        self._tx = tx
        self._table = table.name
        self._block = max(block, 1)
        self._free: list[int] = []
        self._next = 0

    def take(self) -> int:
        """The next number."""
        if self._tx.postgresql:
            if not self._free:
                self._free = self._from_sequence()
            return self._free.pop()
        if not self._next:
            rows = _next_sqlite.tuples(self._tx, self._table)
            self._next = int(rows[0][0]) if rows else 0
        self._next += 1
        return self._next

    def _from_sequence(self) -> list[int]:
        rows = self._tx.conn.exec_driver_sql(
            "SELECT nextval(pg_get_serial_sequence($1, 'id')) FROM generate_series(1, $2)",
            (self._table, self._block),
        )
        return sorted((int(row[0]) for row in rows), reverse=True)
