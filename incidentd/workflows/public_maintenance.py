"""Scheduled maintenance: told to the public, and tied to the windows that keep pages quiet meanwhile."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from incidentd.audit.chain import Value, timestamp
from incidentd.domain import maintenance as domain
from incidentd.domain.maintenance import Plan, Window
from incidentd.domain.status_page import planned
from incidentd.domain.status_page.facts import Maintenance
from incidentd.domain.status_page.layout import Layout
from incidentd.domain.status_page.planned import Said, Word
from incidentd.domain.status_page.words import Stage
from incidentd.store import maintenance as window_store
from incidentd.store import public_state
from incidentd.store.engine import Tx
from incidentd.workflows import announcing, audit
from incidentd.workflows import maintenance as windows
from incidentd.workflows.publishing import Codes
from incidentd.workflows.respond import NotFoundError


def schedule(
    tx: Tx, layout: Layout, wanted: Maintenance, word: Word, codes: Codes, *, quiet: bool
) -> Maintenance:
    """Tell the public of it; `quiet`: pages about its components are withheld meanwhile. Raises ValueError."""
    if wanted.scheduled_until <= wanted.created_at:
        raise ValueError("the maintenance is over already")
    made = wanted
    if quiet:
        made = replace(wanted, windows=_windows(tx, layout, wanted, _plan(wanted), wanted.created_at))
    return _write(tx, planned.scheduled(layout, made, codes(), word), word.author, made.created_at)


def _plan(known: Maintenance) -> Plan:
    length = known.scheduled_until - known.scheduled_for
    return domain.plan(datetime.fromisoformat(known.starts), length, known.time_zone, known.rrule)


def _windows(tx: Tx, layout: Layout, known: Maintenance, plan: Plan, now: datetime) -> tuple[int, ...]:
    """Windows that keep pages quiet by `plan`, one for each component; their numbers."""
    comment, parts = f"status page: {known.code}", [p for p in layout.parts if p.id in known.components]
    made = [
        windows.add(tx, Window(known.title[:100], part.match, plan), comment, known.created_by, now)
        for part in parts
    ]
    return tuple([each.id for each in made])


def find(tx: Tx, code: str) -> Maintenance:
    """One. Raises `NotFoundError`."""
    found = public_state.maintenance(tx, code)
    if found is None:
        raise NotFoundError(f"there is no scheduled maintenance {code}")
    return found


def move(
    tx: Tx, layout: Layout, known: Maintenance, stage: Stage, now: datetime, word: Word, codes: Codes
) -> Maintenance:
    """A person takes it on, or ends it. Raises `StatusRefusedError`."""
    said = planned.move(layout, known, stage, now, codes(), word)
    if known.windows and stage is Stage.IN_PROGRESS and now < known.scheduled_for:
        # It begins early, and so does the quiet; by plan it goes on.
        early = domain.plan(now, known.scheduled_for - now, known.time_zone, None)
        more = _windows(tx, layout, known, early, now)
        said = replace(said, maintenance=replace(said.maintenance, windows=(*known.windows, *more)))
    return _gone_on(tx, layout, known, said, word, now, codes)


def due(tx: Tx, now: datetime) -> bool:
    """True if `run` would do something: a read."""
    return any([planned.due(known, now) is not None for known in public_state.open_maintenances(tx)])


def run(tx: Tx, layout: Layout, now: datetime, codes: Codes) -> None:
    """Begin and complete what is due by the clock."""
    for each in public_state.open_maintenances(tx):
        known = public_state.maintenance(tx, each.code)
        stage = None if known is None else planned.due(known, now)
        if known is None or stage is None:
            continue
        # When it should have been: a daemon that was away tells no other time than the plan's.
        at = known.scheduled_for if stage is Stage.IN_PROGRESS else known.scheduled_until
        said = planned.move(layout, known, stage, max(at, known.updated_at), codes())
        _gone_on(tx, layout, known, said, Word(), now, codes)


def _gone_on(
    tx: Tx, layout: Layout, before: Maintenance, said: Said, word: Word, now: datetime, codes: Codes
) -> Maintenance:
    """Write a step, and the next occurrence of what comes again: as long as planned, whenever this one ended."""
    stored = _write(tx, said, word.author, now)
    if stored.stage is not Stage.COMPLETED:
        return stored
    early = said.ended or word.series
    for number in stored.windows if early else ():
        if window_store.by_id(tx, number) is not None:
            windows.cancel(tx, number, word.author, now)
    again = None if word.series else planned.following(before, now, codes())
    if again is not None:
        if early and stored.windows:
            # What is left of this occurrence is not quiet any more, those to come are.
            left = domain.rest(_plan(before), again.scheduled_for)
            again = replace(again, windows=_windows(tx, layout, again, left, now) if left else ())
        _write(tx, planned.scheduled(layout, again, codes()), Word().author, now)
    return stored


def _write(tx: Tx, said: Said, author: str, now: datetime) -> Maintenance:
    stored = public_state.save_maintenance(tx, said.maintenance)
    announcing.say(tx, said.update, now)
    _audited(tx, stored, said, author, now)
    return stored


def _audited(tx: Tx, stored: Maintenance, said: Said, author: str, now: datetime) -> None:
    data: dict[str, Value] = {
        "components": list(stored.components),
        "from": timestamp(stored.scheduled_for),
        "to": timestamp(stored.scheduled_until),
        "update": said.update.code,
        "windows": list(stored.windows),
    }
    what = f"status.maintenance_{stored.stage.value}"
    audit.note(tx, now, author, what, f"status-maintenance:{stored.code}", data)
