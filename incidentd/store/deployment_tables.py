"""The tables of deployments; `store.schema` puts them with the others."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)


def define(metadata: MetaData) -> tuple[Table, Table]:
    """Add them to `metadata`: deployments, and what vendors are told of them."""
    return _deployments(metadata), _change_events(metadata)


def _deployments(metadata: MetaData) -> Table:
    return Table(
        "deployments",
        metadata,
        Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
        Column("source", Text, nullable=False),
        Column("name", Text, nullable=False, comment="the id that its sender gave it"),
        Column("service", Text, nullable=False),
        Column("environment", Text, nullable=False),
        Column("version", Text, nullable=False),
        Column("status", Text, comment="null while it runs"),
        Column("commit_time", BigInteger),
        Column("started_at", BigInteger, nullable=False),
        Column("finished_at", BigInteger, comment="null while it runs"),
        Column("received_at", BigInteger, nullable=False, comment="of the first post about it"),
        UniqueConstraint("source", "name"),
        Index(None, "service", "finished_at"),
        Index(None, "started_at"),
        sqlite_autoincrement=True,
        comment="what pipelines told of deployments",
    )


def _change_events(metadata: MetaData) -> Table:
    table = Table(
        "change_events",
        metadata,
        Column("deployment_id", BigInteger, nullable=False),
        Column("channel", Text, nullable=False),
        Column("state", Text, nullable=False, comment="pending, leased, sent, dead"),
        Column("attempts", Integer, nullable=False),
        Column("not_before", BigInteger, nullable=False, comment="while leased, when the lease ends"),
        Column("lease_generation", Integer, nullable=False),
        Column("last_error", Text),
        Column("created_at", BigInteger, nullable=False),
        Column("ended_at", BigInteger, comment="when it was sent or given up"),
        PrimaryKeyConstraint("deployment_id", "channel"),
        comment="vendors that are told of a deployment, each once",
    )
    _index("ix_change_events_open", table, "ended_at IS NULL", "channel", "not_before")
    _index("ix_change_events_dead", table, "state = 'dead'", "ended_at")
    return table


def _index(name: str, table: Table, where: str, *columns: str) -> None:
    condition = text(where)
    Index(name, *[table.c[column] for column in columns], sqlite_where=condition, postgresql_where=condition)
