"""Publications and the revisions of their texts, and what tells the replicas that the page has changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from incidentd.domain.status_page.facts import Affected, Publication, Update
from incidentd.domain.status_page.words import Level, Phase, Policy, State, Status
from incidentd.store import schema
from incidentd.store import schema_status_page as tables
from incidentd.store.codec import dumps, instant, instant_or_none, loads, micros, micros_or_none
from incidentd.store.engine import Tx
from incidentd.store.prepared import Ids, Prepared

_p, _u, _s = tables.publications.c, tables.publication_updates.c, schema.settings.c
_VERSION = "status_page_version"
_CURSOR = "status_page_cursor"
_DUE = sa.text("(publish_at IS NOT NULL OR remind_at IS NOT NULL OR settle_at IS NOT NULL)")
_OVER = (Phase.RESOLVED.value, Phase.POSTMORTEM.value)
_setting = Prepared(lambda _: sa.select(_s.value).where(_s.name == sa.bindparam("name")), ["name"])


def version(tx: Tx) -> str:
    """Changes with everything that the page is made of; empty before anything was."""
    row = _setting.first(tx, _VERSION)
    return "" if row is None else str(row[0])


def touch(tx: Tx) -> None:
    """What the page is made of has changed: every replica makes it anew."""
    # By every writer in its own transaction, so the last one to commit has the highest.
    number = sa.cast(_s.value, sa.BigInteger) + 1
    changed = tx.conn.execute(
        sa.update(schema.settings).where(_s.name == _VERSION).values(value=sa.cast(number, sa.Text))
    ).rowcount
    if not changed:
        tx.conn.execute(sa.insert(schema.settings).values(name=_VERSION, value="1"))


def cursor(tx: Tx) -> int | None:
    """The last timeline entry that was looked at for the page; None: none ever was."""
    row = _setting.first(tx, _CURSOR)
    return None if row is None else int(row[0])


def move_cursor(tx: Tx, before: int | None, after: int) -> bool:
    """Take the entries in between; False if another replica has."""
    if before is None:
        tx.conn.execute(sa.insert(schema.settings).values(name=_CURSOR, value=str(after)))
        return True
    moved = sa.update(schema.settings).where(_s.name == _CURSOR, _s.value == str(before))
    return tx.conn.execute(moved.values(value=str(after))).rowcount == 1


def newest_of(tx: Tx, incident_ids: Sequence[int]) -> dict[int, Publication]:
    """Incident -> its newest publication; locked for this transaction."""
    query = sa.select(tables.publications).where(_p.incident_id.in_(incident_ids))
    rows = tx.conn.execute(query.order_by(_p.id).with_for_update())
    return {row.incident_id: _publication(row) for row in rows}


def by_code(tx: Tx, code: str) -> Publication | None:
    """One, locked for this transaction; or None."""
    query = sa.select(tables.publications).where(_p.code == code).with_for_update()
    row = tx.conn.execute(query).first()
    return None if row is None else _publication(row)


def waiting(tx: Tx, now: datetime) -> list[Publication]:
    """Those for which the clock means something by now; not locked."""
    at = micros(now)
    past = sa.or_(_p.publish_at <= at, _p.remind_at <= at, _p.settle_at <= at)
    query = sa.select(tables.publications).where(_DUE, past).order_by(_p.id)
    return [_publication(row) for row in tx.conn.execute(query)]


def shown(tx: Tx, limit: int) -> list[Publication]:
    """Published ones, open ones at the front, then the newest; at most `limit`."""
    over = sa.case((_p.phase.in_(_OVER), 1), else_=0)
    query = sa.select(tables.publications).where(_p.state == State.PUBLISHED.value)
    rows = tx.conn.execute(query.order_by(over, _p.published_at.desc(), _p.id.desc()).limit(limit))
    return [_publication(row) for row in rows]


def going_on(tx: Tx, limit: int) -> list[Publication]:
    """Published ones that are not over; at most `limit`."""
    query = sa.select(tables.publications).where(_p.state == State.PUBLISHED.value, _p.phase.not_in(_OVER))
    return [_publication(row) for row in tx.conn.execute(query.order_by(_p.id.desc()).limit(limit))]


def told_since(tx: Tx, since: datetime, limit: int) -> list[Publication]:
    """Published ones that were not over at `since` or begun later, the newest `limit`."""
    lasted = sa.or_(_p.phase.not_in(_OVER), _p.resolved_at >= micros(since))
    query = sa.select(tables.publications).where(_p.state == State.PUBLISHED.value, lasted)
    return [_publication(row) for row in tx.conn.execute(query.order_by(_p.id.desc()).limit(limit))]


def search(tx: Tx, states: Sequence[State], before: int | None, limit: int) -> list[Publication]:
    """Those in these states, newest first."""
    query = sa.select(tables.publications).where(_p.state.in_([state.value for state in states]))
    if before is not None:
        query = query.where(_p.id < before)
    return [_publication(row) for row in tx.conn.execute(query.order_by(_p.id.desc()).limit(limit))]


def save(tx: Tx, publication: Publication) -> Publication:
    """Write it; with its number."""
    values = _values(publication)
    if publication.id:
        tx.conn.execute(sa.update(tables.publications).where(_p.id == publication.id).values(values))
        number = publication.id
    else:
        number = Ids(tx, tables.publications, 1).take()
        tx.conn.execute(sa.insert(tables.publications).values(id=number, **values))
    touch(tx)
    found = by_code(tx, publication.code)
    assert found is not None  # noqa: S101 - it was written in this very transaction
    return found


def say(tx: Tx, update: Update) -> Update:
    """Write a text behind those of its owner, whose row this transaction has locked; with its place in the chain."""
    last = sa.select(_u.hash).where(_u.owner == update.owner).order_by(_u.id.desc()).limit(1)
    linked = update.linked(tx.conn.execute(last).scalar() or "")
    tx.conn.execute(
        sa.insert(tables.publication_updates).values(
            id=Ids(tx, tables.publication_updates, 1).take(),
            code=linked.code,
            owner=linked.owner,
            revision=linked.revision,
            status=linked.status,
            body=linked.body,
            at=micros(linked.at),
            author=linked.author,
            origin=linked.origin,
            affected=dumps([[a.component, a.old.value, a.new.value] for a in linked.affected]),
            forced=dumps(list(linked.forced)),
            previous_hash=linked.previous_hash,
            hash=linked.hash,
        )
    )
    touch(tx)
    return linked


def updates_of(tx: Tx, owners: Iterable[str]) -> dict[str, tuple[Update, ...]]:
    """Owner -> every revision of its texts, in the order they were written."""
    found: dict[str, list[Update]] = {owner: [] for owner in owners}
    query = sa.select(tables.publication_updates).where(_u.owner.in_(list(found))).order_by(_u.id)
    for row in tx.conn.execute(query):
        found[row.owner].append(_update(row))
    return {owner: tuple(said) for owner, said in found.items()}


def _values(p: Publication) -> dict[str, Any]:
    return {
        "code": p.code,
        "incident_id": p.incident_id,
        "state": p.state.value,
        "title": p.title,
        "phase": p.phase.value,
        "policy": p.policy.value,
        "effects": dumps(p.effects),
        "baseline": dumps(p.baseline),
        "impact": p.impact.value,
        "impact_override": None if p.impact_override is None else p.impact_override.value,
        "created_at": micros(p.created_at),
        "started_at": micros(p.started_at),
        "updated_at": micros(p.updated_at),
        **{name: micros_or_none(getattr(p, name)) for name in _INSTANTS},
        "stale": p.stale,
        "by_hand": p.by_hand,
        "draft_text": p.draft_text,
    }


_INSTANTS = (
    "published_at", "monitoring_at", "resolved_at", "next_update_at", "publish_at", "remind_at", "settle_at",
)  # fmt: skip


def _publication(row: Any) -> Publication:
    override = row.impact_override
    return Publication(
        id=row.id,
        code=row.code,
        state=State(row.state),
        title=row.title,
        phase=Phase(row.phase),
        policy=Policy(row.policy),
        created_at=instant(row.created_at),
        started_at=instant(row.started_at),
        updated_at=instant(row.updated_at),
        incident_id=row.incident_id,
        effects=_statuses(row.effects),
        baseline=_statuses(row.baseline),
        impact=Level(row.impact),
        impact_override=None if override is None else Level(override),
        stale=bool(row.stale),
        by_hand=bool(row.by_hand),
        draft_text=row.draft_text,
        **{name: instant_or_none(getattr(row, name)) for name in _INSTANTS},
    )


def _statuses(text: str) -> dict[str, Status]:
    return {key: Status(word) for key, word in loads(text).items()}


def _update(row: Any) -> Update:
    return Update(
        code=row.code,
        owner=row.owner,
        revision=row.revision,
        status=row.status,
        body=row.body,
        at=instant(row.at),
        author=row.author,
        origin=row.origin,
        affected=tuple([Affected(code, Status(old), Status(new)) for code, old, new in loads(row.affected)]),
        forced=tuple(loads(row.forced)),
        previous_hash=row.previous_hash,
        hash=row.hash,
    )
