"""The public page out of the database, and what would become of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from incidentd.domain.status_page.compose import compose
from incidentd.domain.status_page.derive import next_change, statuses
from incidentd.domain.status_page.facts import Facts
from incidentd.domain.status_page.layout import Layout
from incidentd.domain.status_page.page import PublicPage
from incidentd.domain.status_page.publishing import Step
from incidentd.domain.status_page.uptime import WINDOWS, spent
from incidentd.domain.status_page.words import State
from incidentd.store import public_state, publications
from incidentd.store.engine import Tx

SHOWN = 50
"""Incidents, and maintenances, that the documents hold."""
_OVERRIDES = 200
LOOK = timedelta(seconds=30)
"""How often the days of components are counted, if nothing changes."""


@dataclass(frozen=True, slots=True)
class Made:
    """A page, and how long it is good."""

    page: PublicPage
    version: str
    until: datetime | None
    """When it changes although nothing is written."""


def facts(tx: Tx, layout: Layout, now: datetime) -> Facts:
    """Everything that the page is made of."""
    shown = publications.shown(tx, SHOWN)
    if any([part.auto_component for part in layout.parts]):
        shown += publications.search(tx, [State.DRAFT], None, SHOWN)
    planned = public_state.maintenances(tx, SHOWN)
    today = now.astimezone(ZoneInfo(layout.time_zone)).date()
    return Facts(
        publications=tuple(shown),
        maintenances=tuple(planned),
        updates=publications.updates_of(tx, [*[p.code for p in shown], *[m.code for m in planned]]),
        overrides=tuple(public_state.overrides(tx, _OVERRIDES)),
        days=tuple(public_state.days_since(tx, today - timedelta(days=max(WINDOWS)))),
        known_since={component: found[0] for component, found in public_state.watches(tx).items()},
    )


def page(tx: Tx, layout: Layout, now: datetime) -> Made:
    """The page at `now`."""
    found = facts(tx, layout, now)
    return Made(compose(layout, found, now), publications.version(tx), next_change(found, now))


def after(tx: Tx, layout: Layout, step: Step, now: datetime) -> tuple[PublicPage, PublicPage]:
    """The page as it is, and as it would be after `step`: what a person sees before publishing."""
    found = facts(tx, layout, now)
    new, others = step.publication, [p for p in found.publications if p.code != step.publication.code]
    said = (*found.updates.get(new.code, ()), *([step.update] if step.update else []))
    then = replace(found, publications=(*others, new), updates={**found.updates, new.code: said})
    return compose(layout, found, now), compose(layout, then, now)


def count_due(tx: Tx, layout: Layout, now: datetime) -> bool:
    """True if a component fares otherwise than at the last look, or that was long ago."""
    known, found = public_state.watches(tx), statuses(layout, facts(tx, layout, now), now)
    return any(
        [
            key not in known or known[key][1] is not status or now - known[key][2] >= LOOK
            for key, status in found.items()
        ]
    )


def count(tx: Tx, layout: Layout, now: datetime) -> None:
    """Add the time since the last look to the days of each component."""
    known, found = public_state.watches(tx), statuses(layout, facts(tx, layout, now), now)
    for key, status in found.items():
        _, before, last = known.get(key, (now, status, None))
        # Of several replicas one counts: whoever moves the mark.
        if (
            (last is None or last < now)
            and public_state.watch(tx, key, status, last, now)
            and last is not None
        ):
            public_state.add_days(tx, spent(key, before, last, now, layout.time_zone))
    if found.keys() - known.keys():
        publications.touch(tx)
