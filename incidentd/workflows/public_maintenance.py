"""Scheduled maintenance: told to the public, and tied to the windows that keep pages quiet meanwhile."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from incidentd.audit.chain import Value, timestamp
from incidentd.domain import maintenance as domain
from incidentd.domain.maintenance import Plan, Window
from incidentd.domain.status_page import planned
from incidentd.domain.status_page.facts import BY_RULE, Maintenance
from incidentd.domain.status_page.layout import Layout
from incidentd.domain.status_page.planned import Said, Word
from incidentd.domain.status_page.words import Stage
from incidentd.store import maintenance as window_store
from incidentd.store import public_state, publications
from incidentd.store.engine import Tx
from incidentd.workflows import audit
from incidentd.workflows import maintenance as windows
from incidentd.workflows.publishing import Codes
from incidentd.workflows.respond import NotFoundError


def schedule(
    tx: Tx, layout: Layout, wanted: Maintenance, word: Word, codes: Codes, *, quiet: bool
) -> Maintenance:
    """Tell the public of it; `quiet`: pages about its components are withheld meanwhile. Raises ValueError."""
    if wanted.scheduled_until <= wanted.created_at:
        raise ValueError("the maintenance is over already")
    numbers: list[int] = []
    if quiet:
        length = wanted.scheduled_until - wanted.scheduled_for
        starts = datetime.fromisoformat(wanted.starts)
        plan = domain.plan(starts, length, wanted.time_zone, wanted.rrule)
        numbers = [_window(tx, layout, wanted, plan, component) for component in wanted.components]
    made = replace(wanted, windows=tuple(numbers))
    return _write(tx, planned.scheduled(layout, made, codes(), word), word.author, made.created_at)


def _window(tx: Tx, layout: Layout, wanted: Maintenance, plan: Plan, component: str) -> int:
    part = next(part for part in layout.parts if part.id == component)
    window = Window(wanted.title[:100], part.match, plan)
    comment = f"status page: {wanted.code}"
    return windows.add(tx, window, comment, wanted.created_by, wanted.created_at).id


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
    return _gone_on(tx, layout, said, word.author, now, codes)


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
        _gone_on(tx, layout, said, BY_RULE, now, codes)


def _gone_on(tx: Tx, layout: Layout, said: Said, author: str, now: datetime, codes: Codes) -> Maintenance:
    stored = _write(tx, said, author, now)
    if stored.stage is Stage.COMPLETED:
        again = planned.following(stored, now, codes())
        if again is not None:
            _write(tx, planned.scheduled(layout, again, codes()), BY_RULE, now)
    return stored


def _write(tx: Tx, said: Said, author: str, now: datetime) -> Maintenance:
    stored = public_state.save_maintenance(tx, said.maintenance)
    publications.say(tx, said.update)
    _audited(tx, stored, said, author, now)
    if said.ended and stored.rrule is None:
        # Those of one that comes again go on: its next occurrence needs them.
        for number in stored.windows:
            if window_store.by_id(tx, number) is not None:
                windows.cancel(tx, number, author, now)
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
