"""The public page out of the database, and what would become of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from incidentd.domain.status_page.audience import keys, page_of, seen_by
from incidentd.domain.status_page.compose import compose
from incidentd.domain.status_page.derive import next_change, statuses
from incidentd.domain.status_page.facts import Facts, Publication
from incidentd.domain.status_page.layout import MAIN, Layout
from incidentd.domain.status_page.page import PublicPage
from incidentd.domain.status_page.publishing import Step
from incidentd.domain.status_page.uptime import WINDOWS, spent
from incidentd.domain.status_page.words import Phase, State, Status
from incidentd.store import announcements, public_state, publications
from incidentd.store.engine import Tx

SHOWN = 500
"""Incidents, and maintenances, that can be read; documents for machines hold the newest of them."""
_DRAFTS = 50
_OVERRIDES = 200
LOOK = timedelta(seconds=30)
"""How often the days of components are counted, if nothing changes."""


@dataclass(frozen=True, slots=True)
class Made:
    """The pages, and how long they are good."""

    pages: Mapping[str, PublicPage]
    """By key; there may be several."""
    version: str
    until: datetime | None
    """When it changes although nothing is written."""

    @property
    def page(self) -> PublicPage:
        """The main one."""
        return self.pages[MAIN]


def facts(tx: Tx, layout: Layout, now: datetime) -> Facts:
    """Everything that the page is made of."""
    shown = [*publications.shown(tx, SHOWN), *_drafts(tx, layout)]
    planned = public_state.maintenances(tx, SHOWN)
    today = now.astimezone(ZoneInfo(layout.time_zone)).date()
    return Facts(
        publications=tuple(shown),
        maintenances=tuple(planned),
        updates=publications.updates_of(tx, [*[p.code for p in shown], *[m.code for m in planned]]),
        overrides=tuple(public_state.overrides(tx, now, _OVERRIDES)),
        days=tuple(public_state.days_since(tx, today - timedelta(days=max(WINDOWS)))),
        known_since={component: found[0] for component, found in public_state.watches(tx).items()},
    )


def _drafts(tx: Tx, layout: Layout) -> list[Publication]:
    """Those that components follow before anybody publishes them."""
    follows = any([part.auto_component for part in layout.parts])
    return publications.search(tx, [State.DRAFT], None, _DRAFTS) if follows else []


def present(tx: Tx, layout: Layout, now: datetime) -> Facts:
    """What decides how components fare now, without the past."""
    return Facts(
        publications=(*publications.going_on(tx, SHOWN), *_drafts(tx, layout)),
        maintenances=tuple(public_state.open_maintenances(tx)),
        overrides=tuple(public_state.overrides(tx, now, _OVERRIDES)),
    )


def page(tx: Tx, layout: Layout, now: datetime) -> Made:
    """The pages at `now`."""
    found = facts(tx, layout, now)
    pages = {key: _composed(layout, key, found, now) for key in keys(layout)}
    return Made(pages, publications.version(tx), next_change(found, now))


def _composed(layout: Layout, key: str, found: Facts, now: datetime) -> PublicPage:
    own = page_of(layout, key)
    return compose(own, seen_by(layout, own, found), now)


def after(tx: Tx, layout: Layout, step: Step, now: datetime) -> tuple[PublicPage, PublicPage]:
    """The page as it is, and as it would be after `step`: what a person sees before publishing."""
    found = facts(tx, layout, now)
    new, others = step.publication, [p for p in found.publications if p.code != step.publication.code]
    said = (*found.updates.get(new.code, ()), *([step.update] if step.update else []))
    then = replace(found, publications=(*others, new), updates={**found.updates, new.code: said})
    return _composed(layout, MAIN, found, now), _composed(layout, MAIN, then, now)


def count_due(tx: Tx, layout: Layout, now: datetime) -> bool:
    """True if a component fares otherwise than at the last look, or that was long ago."""
    known, found = public_state.watches(tx), statuses(layout, present(tx, layout, now), now)
    return any(
        [
            key not in known or known[key][1] is not status or now - known[key][2] >= LOOK
            for key, status in found.items()
        ]
    )


def count(tx: Tx, layout: Layout, now: datetime) -> None:
    """Add the time since the last look to the days of each component."""
    seen = present(tx, layout, now)
    known, found = public_state.watches(tx), statuses(layout, seen, now)
    blind = any([p.open and p.stale and p.phase is not Phase.MONITORING for p in seen.publications])
    for key, status in found.items():
        _, before, last = known.get(key, (now, status, None))
        # Of several replicas one counts: whoever moves the mark.
        if (
            (last is None or last < now)
            and public_state.watch(tx, key, status, last, now)
            and last is not None
        ):
            # While our own monitoring is away, that nothing is known to be wrong says nothing: it is no uptime.
            if not (blind and before is Status.OPERATIONAL):
                public_state.add_days(tx, spent(key, before, last, now, layout.time_zone))
            if before is not status:
                said = f"{before.value} {status.value}"
                announcements.announce(tx, announcements.COMPONENT, key, said, now)
    if found.keys() - known.keys():
        publications.touch(tx)


def take_note(tx: Tx, layout: Layout, now: datetime) -> None:
    """Components fare by now as they do, and nobody is told of that; right after `count`."""
    known = public_state.watches(tx)
    for key, status in statuses(layout, present(tx, layout, now), now).items():
        if key in known and known[key][1] is not status:
            public_state.watch(tx, key, status, known[key][2], now)
