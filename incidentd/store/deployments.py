"""Deployments as pipelines tell of them: found by sender and id, listed newest first, forgotten in the end."""

from __future__ import annotations

import zlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from incidentd.domain.deployment import Deployment, DeploymentStatus
from incidentd.store import schema
from incidentd.store.codec import instant, instant_or_none, micros, micros_or_none
from incidentd.store.engine import Tx

_d = schema.deployments.c
_c = schema.change_events.c
_SLOTS = 256
_TELLING = "SELECT pg_advisory_xact_lock(7266, slot) FROM unnest($1::int[]) AS slot"
_OPENING = "SELECT pg_advisory_xact_lock_shared(7266, slot) FROM unnest($1::int[]) AS slot"


@dataclass(frozen=True, slots=True)
class Stored:
    """A deployment with the number it is kept under."""

    number: int
    deployment: Deployment


def locked(tx: Tx, source: str, name: str) -> Stored | None:
    """The deployment that `source` calls `name`; nobody else changes it until the commit."""
    query = sa.select(schema.deployments).where(_d.source == source, _d.name == name)
    row = tx.conn.execute(query.with_for_update() if tx.postgresql else query).first()
    return None if row is None else Stored(row.id, decode(row))


def take_turns(tx: Tx, services: Collection[str], *, telling: bool) -> None:
    """Make who tells of a deployment of a service and who opens an incident of it take turns, until the commit.

    Else, on PostgreSQL, each might look for the other's before that is committed, and both find nothing. Those who
    open incidents (`telling` is false) do not wait for each other. SQLite has one writer anyway.
    """
    if tx.postgresql and services:
        slots = sorted({zlib.crc32(service.encode()) % _SLOTS for service in services})
        tx.conn.exec_driver_sql(_TELLING if telling else _OPENING, (slots,))


def insert(tx: Tx, deployment: Deployment, now: datetime) -> int:
    """Write one that is not known yet; its number. Of two at once the second fails, and is run again."""
    d = deployment
    values = {
        "source": d.source,
        "name": d.id,
        "service": d.service,
        "environment": d.environment,
        "version": d.version,
        "started_at": micros(d.started_at),
        "received_at": micros(now),
        **_changing(d),
    }
    statement = sa.insert(schema.deployments).values(values).returning(_d.id)
    return int(tx.conn.execute(statement).scalar_one())


def update(tx: Tx, number: int, deployment: Deployment) -> None:
    """Write what may change of one."""
    tx.conn.execute(sa.update(schema.deployments).where(_d.id == number).values(_changing(deployment)))


def search(
    tx: Tx,
    *,
    service: str | None = None,
    environment: str | None = None,
    since: datetime | None = None,
    before: int | None = None,
    limit: int,
) -> list[Stored]:
    """Deployments in the order they became known, newest first; `since` is about their start."""
    query = sa.select(schema.deployments).order_by(_d.id.desc()).limit(limit)
    if service is not None:
        query = query.where(_d.service == service)
    if environment is not None:
        query = query.where(_d.environment == environment)
    if since is not None:
        query = query.where(_d.started_at >= micros(since))
    if before is not None:
        query = query.where(_d.id < before)
    return [Stored(row.id, decode(row)) for row in tx.conn.execute(query)]


def near(tx: Tx, services: Collection[str], since: datetime, until: datetime) -> list[Deployment]:
    """Deployments of these services that began by `until` and ended at `since` or later, or began then and run still.

    In the order they became known.
    """
    query = sa.select(schema.deployments).where(
        _d.service.in_(sorted(services)),
        _d.started_at <= micros(until),
        sa.or_(
            _d.finished_at >= micros(since),
            sa.and_(_d.finished_at.is_(None), _d.started_at >= micros(since)),
        ),
    )
    return [decode(row) for row in tx.conn.execute(query.order_by(_d.id))]


def ended_since(tx: Tx, since: datetime, service: str | None = None) -> list[Deployment]:
    """Deployments that ended at `since` or later, of one service or of all, in the order of their end."""
    query = sa.select(schema.deployments).where(_d.finished_at >= micros(since))
    if service is not None:
        query = query.where(_d.service == service)
    return [decode(row) for row in tx.conn.execute(query.order_by(_d.finished_at, _d.id))]


def delete_old(tx: Tx, received_before: datetime, batch: int) -> int:
    """Forget up to `batch` deployments, with whom was told of them; how many."""
    rows = tx.conn.execute(sa.select(_d.id, _d.received_at).order_by(_d.id).limit(batch)).all()
    gone = [row.id for row in rows if row.received_at < micros(received_before)]
    if gone:
        tx.conn.execute(sa.delete(schema.change_events).where(_c.deployment_id.in_(gone)))
        tx.conn.execute(sa.delete(schema.deployments).where(_d.id.in_(gone)))
    return len(gone)


def decode(row: Any) -> Deployment:
    """The deployment of a row."""
    return Deployment(
        source=row.source,
        id=row.name,
        service=row.service,
        environment=row.environment,
        version=row.version,
        status=None if row.status is None else DeploymentStatus(row.status),
        commit_time=instant_or_none(row.commit_time),
        started_at=instant(row.started_at),
        finished_at=instant_or_none(row.finished_at),
    )


def _changing(d: Deployment) -> dict[str, object]:
    return {
        "status": None if d.status is None else d.status.value,
        "commit_time": micros_or_none(d.commit_time),
        "finished_at": micros_or_none(d.finished_at),
    }
