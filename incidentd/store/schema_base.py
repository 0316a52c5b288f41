"""What every module of tables stands on: one collection of tables, the types of ids and instants."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, MetaData

# SQLite gives the fast rowid only to a column declared exactly INTEGER.
ID = BigInteger().with_variant(Integer, "sqlite")
MICROS = BigInteger
"""Microseconds since the epoch."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""All tables. `store.schema` brings every module of them together: import that one to see them all."""
