"""Uptime after the fact: an incident that began before the public was told of it counts from its beginning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from incidentd.domain.status_page.facts import Facts, Publication, Update
from incidentd.domain.status_page.hindsight import Shift, shifts
from incidentd.domain.status_page.layout import Layout, Part
from incidentd.domain.status_page.publishing import Step
from incidentd.store import public_state, publications
from incidentd.store.engine import Tx
from incidentd.workflows import public_page

_MOST = 500
"""Publications and overrides of that time that are looked at."""


def recount(tx: Tx, layout: Layout, known: Publication | None, step: Step, now: datetime) -> None:
    """Put right the days that `step` tells something new of. `known`: the publication as it was, None if it is new."""
    after = step.publication
    if not after.public:
        return
    said = publications.updates_of(tx, [after.code])[after.code]
    told = (*said, step.update) if step.update is not None else said
    concerned = {each.component for update in told for each in update.affected}
    spans = {
        part.id: sorted((after.started_at, _counted_from(part, known, now)))
        for part in layout.parts
        if part.id in concerned
    }
    since = min((begin for begin, end in spans.values() if begin < end), default=None)
    if since is None:
        return
    others = _facts(tx, after.code, since, now)
    before = others if known is None or not known.public else _with(others, known, said)
    found: list[Shift] = []
    for part in layout.parts:
        if part.id in spans:
            begin, end = spans[part.id]
            found += shifts(part, before, _with(others, after, told), begin, end, layout.time_zone)
    if found:
        # What was watched up to this instant is written first, or it would be counted as it was thought to be.
        public_page.count(tx, layout, now)
        public_state.shift_days(tx, found)


def _counted_from(part: Part, known: Publication | None, now: datetime) -> datetime:
    """Since when it has counted for the component."""
    if known is None:
        return now
    if known.public:
        return known.started_at
    return known.created_at if part.auto_component else now


def _facts(tx: Tx, code: str, since: datetime, now: datetime) -> Facts:
    """What else is known of the time since then."""
    told = [p for p in publications.told_since(tx, since, _MOST) if p.code != code]
    return Facts(
        publications=tuple(told),
        maintenances=tuple(public_state.begun_since(tx, since)),
        updates=publications.updates_of(tx, [p.code for p in told]),
        overrides=tuple(public_state.overrides(tx, now, _MOST)),
    )


def _with(facts: Facts, known: Publication, said: Sequence[Update]) -> Facts:
    return replace(
        facts,
        publications=(*facts.publications, known),
        updates={**facts.updates, known.code: tuple(said)},
    )
