"""Who sees what: several pages of one daemon, each with components of its own.

A page tells of its components and of no others. What was written by a template of more than it shows is written again
for what it does show; the name of a component that stands on other pages only cannot get in that way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from incidentd.domain.status_page.facts import Facts, Maintenance, Publication, Update
from incidentd.domain.status_page.layout import MAIN, Layout, Part
from incidentd.domain.status_page.words import Status


def keys(layout: Layout) -> tuple[str, ...]:
    """All pages, the main one first."""
    return (MAIN, *layout.sites)


def page_of(layout: Layout, key: str) -> Layout:
    """`layout` as far as one page shows it."""
    parts = tuple([part for part in layout.parts if part.on(key)])
    site = layout.sites.get(key)
    if site is None:
        return replace(layout, parts=parts, sites={})
    return replace(layout, id=site.id, name=site.name, url=site.url, look=site.look, parts=parts, sites={})


def seen_by(layout: Layout, own: Layout, facts: Facts) -> Facts:
    """What of `facts` the page `own` tells."""
    shown = {part.id for part in own.parts}
    hidden = {part.id: part for part in layout.parts if part.id not in shown}
    if not hidden:
        return facts
    told = [_publication(own, p, hidden) for p in facts.publications if _concerns(own, p.effects)]
    plans = [m for m in facts.maintenances if _concerns(own, dict.fromkeys(m.components, Status.OPERATIONAL))]
    owners = {p.code: p.started_at for p in told} | {m.code: m.scheduled_for for m in plans}
    return replace(
        facts,
        publications=tuple(told),
        maintenances=tuple([_maintenance(own, m) for m in plans]),
        updates={
            owner: tuple([_update(own, said, hidden, owners[owner]) for said in updates])
            for owner, updates in facts.updates.items()
            if owner in owners
        },
    )


def _concerns(own: Layout, effects: Mapping[str, Status]) -> bool:
    """It has to do with a component of the page, or with none at all."""
    return not effects or bool(own.known(effects))


def _publication(own: Layout, known: Publication, hidden: Mapping[str, Part]) -> Publication:
    effects = own.known(known.effects)
    named = [part for key, part in hidden.items() if key in known.effects]
    title = known.title
    if any([part.name in title for part in named]):
        title = own.text("title", effects, known.started_at, {})
    return replace(known, effects=effects, title=title)


def _maintenance(own: Layout, known: Maintenance) -> Maintenance:
    shown = {part.id for part in own.parts}
    return replace(known, components=tuple([key for key in known.components if key in shown]))


def _update(own: Layout, said: Update, hidden: Mapping[str, Part], started_at: datetime) -> Update:
    wider = any([each.component in hidden for each in said.affected])
    # What was taken over from another page has no template, as a person's own words have none.
    if not (wider and said.origin in own.texts):
        return said
    effects = own.known({each.component: each.new for each in said.affected})
    return replace(said, body=own.text(said.origin, effects, started_at, {}))
