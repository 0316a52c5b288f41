"""Who is signed in: a row for each browser, which can be revoked. Of the secret in its cookie only the hash is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from incidentd.store import schema
from incidentd.store.codec import dumps, instant, loads, micros
from incidentd.store.engine import Tx

_s = schema.sessions.c
LOCAL: Final = "local"
"""The provider of who gave a password of ours."""


@dataclass(frozen=True, slots=True)
class Session:
    """One browser of one person."""

    hash: str
    actor: str
    provider: str
    """`local`, or the issuer that knows the person."""
    role: str
    teams: tuple[str, ...] | None
    """The teams it is restricted to; None: it is not."""
    created_at: datetime
    seen_at: datetime
    """Noted once a minute."""

    @property
    def number(self) -> str:
        """What it is called where its hash need not be shown whole."""
        return self.hash[:16]


def add(tx: Tx, session: Session) -> None:
    """Somebody has signed in."""
    tx.conn.execute(
        sa.insert(schema.sessions).values(
            hash=session.hash,
            actor=session.actor,
            provider=session.provider,
            role=session.role,
            teams=None if session.teams is None else dumps(session.teams),
            created_at=micros(session.created_at),
            seen_at=micros(session.seen_at),
        )
    )


def get(tx: Tx, digest: str) -> Session | None:
    """The session, unless it was revoked."""
    row = tx.conn.execute(sa.select(schema.sessions).where(_s.hash == digest)).first()
    return None if row is None or row.revoked_at is not None else _session(row)


def every(tx: Tx, limit: int) -> list[Session]:
    """Those that are not revoked, the newest first."""
    query = sa.select(schema.sessions).where(_s.revoked_at.is_(None)).order_by(_s.created_at.desc(), _s.hash)
    return [_session(row) for row in tx.conn.execute(query.limit(limit))]


def seen(tx: Tx, uses: Sequence[tuple[str, datetime]]) -> None:
    """Remember when sessions were last used."""
    for digest, at in uses:
        tx.conn.execute(sa.update(schema.sessions).where(_s.hash == digest).values(seen_at=micros(at)))


def revoke(tx: Tx, digest: str, now: datetime) -> bool:
    """End one; False if there is none in force."""
    return _revoke(tx, now, _s.hash == digest) == 1


def revoke_numbered(tx: Tx, number: str, now: datetime) -> list[str]:
    """End the one called `number`; whose it was, nobody's if there is none in force."""
    wanted = sa.and_(_s.hash.startswith(number, autoescape=True), _s.revoked_at.is_(None))
    actors = [str(row.actor) for row in tx.conn.execute(sa.select(_s.actor).where(wanted))]
    _revoke(tx, now, wanted)
    return actors


def revoke_all(tx: Tx, actor: str, now: datetime, provider: str | None = None) -> int:
    """End all of a person's; how many there were."""
    whose = _s.actor == actor
    return _revoke(tx, now, whose if provider is None else sa.and_(whose, _s.provider == provider))


def _revoke(tx: Tx, now: datetime, which: sa.ColumnElement[bool]) -> int:
    statement = sa.update(schema.sessions).where(which, _s.revoked_at.is_(None))
    return tx.conn.execute(statement.values(revoked_at=micros(now))).rowcount


def delete_old(tx: Tx, before: datetime, limit: int) -> int:
    """Forget at most `limit` of those not used since `before`."""
    old = sa.select(_s.hash).where(_s.seen_at < micros(before)).order_by(_s.seen_at).limit(limit)
    return tx.conn.execute(sa.delete(schema.sessions).where(_s.hash.in_(old))).rowcount


def _session(row: Any) -> Session:
    return Session(
        row.hash,
        row.actor,
        row.provider,
        row.role,
        None if row.teams is None else tuple(loads(row.teams)),
        instant(row.created_at),
        instant(row.seen_at),
    )
