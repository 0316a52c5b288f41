"""Which rows need not be said any more, judged when they are about to leave: pure rules, each with its reason.

Only people stop pages. What alerts and clocks do makes other rows needless: an end that the page told already, an
acknowledgement with the end right behind it, an end at a vendor that never heard of the beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from incidentd.delivery.traits import Traits
from incidentd.domain.incident import SOURCE, Incident, State
from incidentd.domain.notification import DeliveryClass, DeliveryState, Notice
from incidentd.store.deliveries import Delivery
from incidentd.store.pages import Page

_MACHINES = frozenset({SOURCE, "reconcile"})
"""Values of `resolved_by` that are no person: somebody still has to hear that it happened."""
PAGE_STALE_AFTER = timedelta(minutes=30)
"""A page that could not leave for so long, about what is over by now, wakes nobody: it becomes a notice."""


@dataclass(frozen=True, slots=True)
class Closed:
    """A row that ended without being sent."""

    delivery: Delivery
    state: DeliveryState
    reason: str
    missed: bool = False
    """A page that nobody stopped: it came too late."""


def withheld(incident: Incident, now: datetime, snoozed_by: str) -> str | None:
    """Why a page about `incident` must not be sent: what a person did, and who. None if it must.

    Only people stop pages. One whose alerts ended by themselves before it left is still sent, and its end follows.
    """
    if incident.acknowledged_by is not None:
        return f"acknowledged by {incident.acknowledged_by}"
    if incident.state is State.RESOLVED and incident.resolved_by not in _MACHINES:
        return f"resolved by {incident.resolved_by}"
    if incident.snoozed_until is not None and incident.snoozed_until > now:
        return f"snoozed by {snoozed_by} until {incident.snoozed_until.isoformat(timespec='seconds')}"
    return None


def too_late(row: Delivery, incident: Incident, now: datetime) -> str | None:
    """Why a page would wake somebody for nothing: it did not get through in time, and what it tells of is over.

    However often it was tried: after a vendor's outage that is the usual case.
    """
    if row.delivery_class is not DeliveryClass.PAGE or incident.state is not State.RESOLVED:
        return None
    age = now - row.waiting_since
    if age < PAGE_STALE_AFTER:
        return None
    return f"it could not be sent for {int(age.total_seconds() // 60)} minutes and is over by now"


def needless_close(row: Delivery, incident: Incident, pages: Sequence[Page], traits: Traits) -> Closed | None:
    """The end of an acknowledgement or resolve that nobody misses. `pages` are those of this incident and channel."""
    own = [p for p in pages if p.target == row.target and p.episode == row.episode and p.id < row.id]
    if (traits.keyed or row.person is not None) and not any(page.left for page in own):
        return Closed(
            row, DeliveryState.SUPPRESSED, "no page about it ever left, so there is nothing to close"
        )
    over = incident.state is State.RESOLVED and incident.episode == row.episode
    if row.notice is Notice.ACKNOWLEDGED and over and (traits.people or traits.keyed):
        return Closed(row, DeliveryState.SUPERSEDED, "its end follows")
    # By what the page said, not by clocks: those of two replicas differ.
    told = any(page.sent and page.told_over and not page.bundled for page in own)
    if row.notice is Notice.RESOLVED and over and traits.people and told:
        return Closed(row, DeliveryState.SUPERSEDED, "the page told already that it was over")
    return None
