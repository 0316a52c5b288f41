"""Subscribers are told of what becomes public: noted in its transaction, worded and spread by the clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from incidentd.audit.chain import Value
from incidentd.domain.status_page.facts import Update
from incidentd.domain.status_page.layout import Layout
from incidentd.domain.status_page.subscriber import Kind
from incidentd.domain.status_page.words import Status
from incidentd.public.push import component_payload, event_payload
from incidentd.store import announcements, publications, subscribers
from incidentd.store.announcements import EVENT, Announcement
from incidentd.store.engine import Tx
from incidentd.workflows import audit, public_page

AT_ONCE = 500
"""Subscribers that one transaction writes rows for: intake gets its turn in between."""


def say(tx: Tx, update: Update, now: datetime) -> None:
    """Write a public text, who answers for it, and that subscribers are to be told.

    A correction of a text that is known is told to nobody: readers would take it for news.
    """
    said = publications.say(tx, update)
    data: dict[str, Value] = {"update": said.code, "revision": said.revision, "status": said.status}
    data |= {"hash": said.hash, "previous_hash": said.previous_hash, "forced": list(said.forced)}
    audit.note(tx, now, said.author, "status.said", f"publication:{said.owner}", data)
    if said.revision == 1:
        announcements.announce(tx, EVENT, said.owner, said.code, now)


def spread(tx: Tx, layout: Layout, now: datetime, codes: Callable[[], str]) -> bool:
    """Word the oldest announcement, and write it for the next of its subscribers; False if there is nothing to do."""
    known = announcements.next_unspread(tx)
    if known is None:
        return False
    payload = known.payload or _worded(tx, layout, known, now, codes)
    if payload is None:  # it is not on the page any more, say because the configuration is another one
        announcements.spread(tx, known, [], known.reached, now, done=True)
        return True
    found = subscribers.active_after(tx, known.reached, known.created_at, AT_ONCE)
    wanting = [
        each
        for each in found
        if each.wants(payload["concerns"]) and (payload["mail"] is not None or each.kind is not Kind.EMAIL)
    ]
    reached = found[-1].id if found else known.reached
    announcements.spread(tx, known, wanting, reached, now, done=len(found) < AT_ONCE)
    return True


def _worded(
    tx: Tx, layout: Layout, known: Announcement, now: datetime, codes: Callable[[], str]
) -> Mapping[str, Any] | None:
    page = public_page.page(tx, layout, now).page
    if known.kind == EVENT:
        payload = event_payload(page, known.about, known.said)
    else:
        old, _, new = known.said.partition(" ")
        payload = component_payload(page, known.about, Status(old), Status(new), known.created_at, codes())
    if payload is not None:
        announcements.write_payload(tx, known.id, payload)
    return payload
