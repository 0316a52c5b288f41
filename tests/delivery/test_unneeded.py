"""What need not be said any more, for people, machines and vendors that keep alerts by key."""

from datetime import timedelta

import pytest

from incidentd.delivery.traits import Traits
from incidentd.delivery.unneeded import PAGE_STALE_AFTER, needless_close, too_late, withheld
from incidentd.domain.incident import Incident, State
from incidentd.domain.notification import DeliveryState, Notice
from incidentd.store.pages import Page
from tests.delivery.cast import NOW
from tests.delivery.test_bundle import row
from tests.store.samples import incident

PEOPLE = Traits()
MACHINE = Traits(people=False)
KEYED = Traits(people=False, keyed=True)
ALL = {"people": PEOPLE, "machine": MACHINE, "keyed": KEYED}
SECOND = timedelta(seconds=1)
OPEN = incident(9)
ACKED = incident(9, state=State.ACKNOWLEDGED, acknowledged_by="bob", acknowledged_at=NOW)
OVER = incident(9, state=State.RESOLVED, resolved_by="source", resolved_at=NOW)
AGAIN = incident(9, episode=2)


def page(**changes: object) -> Page:
    plain = {
        "id": 8,
        "incident_id": 9,
        "target": "#ops",
        "episode": 1,
        "attempts": 1,
        "sent": True,
        "told_over": False,
        "bundled": False,
    }
    return Page(**{**plain, **changes})  # type: ignore[arg-type]


NEVER_LEFT = page(attempts=0, sent=False, told_over=False)
FAILED = page(sent=False)
TOLD_AFTER = page(told_over=True)
AS_RIDER = page(told_over=True, bundled=True)


@pytest.mark.parametrize("who", ["bob", "ann via slack", "Source"])
def test_only_people_withhold_a_page(who: str) -> None:
    assert (
        withheld(incident(1, state=State.ACKNOWLEDGED, acknowledged_by=who), NOW, "")
        == f"acknowledged by {who}"
    )
    assert withheld(incident(1, state=State.RESOLVED, resolved_by=who), NOW, "") == f"resolved by {who}"
    for machine in ("source", "reconcile"):
        assert withheld(incident(1, state=State.RESOLVED, resolved_by=machine), NOW, "") is None


@pytest.mark.parametrize(("left", "stops"), [(-SECOND, False), (timedelta(), False), (SECOND, True)])
def test_a_snooze_withholds_until_its_instant(left: timedelta, stops: bool) -> None:
    why = withheld(incident(1, snoozed_until=NOW + left), NOW, "carol")
    assert (why is not None and why.startswith("snoozed by carol until ")) == stops


@pytest.mark.parametrize("attempts", [0, 1, 40])
@pytest.mark.parametrize(
    ("subject", "age", "late"),
    [
        (OVER, PAGE_STALE_AFTER, True),
        (OVER, PAGE_STALE_AFTER - SECOND, False),
        (OVER, timedelta(hours=9), True),
        (OPEN, timedelta(hours=9), False),
        (ACKED, timedelta(hours=9), False),
        (AGAIN, timedelta(hours=9), False),
    ],
)
def test_a_page_is_too_late_after_half_an_hour_if_what_it_tells_of_is_over(
    subject: Incident, age: timedelta, late: bool, attempts: int
) -> None:
    waiting = row(10, created_at=NOW - age, attempts=attempts, generation=attempts)
    assert (too_late(waiting, subject, NOW) is not None) == late


def test_the_reason_names_the_minutes() -> None:
    why = too_late(row(10, created_at=NOW - timedelta(minutes=47)), OVER, NOW)
    assert why == "it could not be sent for 47 minutes and is over by now"


def test_a_page_that_a_person_put_back_is_fresh_again() -> None:
    old = row(10, created_at=NOW - timedelta(days=2), retried_at=NOW - SECOND)
    assert too_late(old, OVER, NOW) is None


@pytest.mark.parametrize("notice", [Notice.RESOLVED, Notice.ACKNOWLEDGED, Notice.UPDATED, Notice.MISSED])
def test_only_pages_come_too_late(notice: Notice) -> None:
    assert too_late(row(10, notice, created_at=NOW - timedelta(days=2)), OVER, NOW) is None


SENT, NEEDLESS, ENDED = None, DeliveryState.SUPPRESSED, DeliveryState.SUPERSEDED
TABLE = [
    # notice, incident, its pages -> for people, a machine, a keyed vendor
    (Notice.RESOLVED, OVER, [page()], SENT, SENT, SENT),
    (Notice.RESOLVED, OVER, [TOLD_AFTER], ENDED, SENT, SENT),
    (Notice.RESOLVED, OVER, [page(), TOLD_AFTER], ENDED, SENT, SENT),
    (Notice.RESOLVED, OVER, [page(told_over=False)], SENT, SENT, SENT),
    (Notice.RESOLVED, OVER, [AS_RIDER], SENT, SENT, SENT),
    (Notice.RESOLVED, OVER, [], SENT, SENT, NEEDLESS),
    (Notice.RESOLVED, OVER, [NEVER_LEFT], SENT, SENT, NEEDLESS),
    (Notice.RESOLVED, OVER, [FAILED], SENT, SENT, SENT),
    (Notice.RESOLVED, OVER, [page(sent=False, told_over=True)], SENT, SENT, SENT),
    (Notice.RESOLVED, OVER, [page(target="#other")], SENT, SENT, NEEDLESS),
    (Notice.RESOLVED, OVER, [page(target="#other", told_over=True)], SENT, SENT, NEEDLESS),
    (Notice.RESOLVED, OVER, [page(episode=2)], SENT, SENT, NEEDLESS),
    (Notice.RESOLVED, OVER, [page(id=11)], SENT, SENT, NEEDLESS),
    (Notice.RESOLVED, AGAIN, [TOLD_AFTER], SENT, SENT, SENT),
    (Notice.ACKNOWLEDGED, ACKED, [page()], SENT, SENT, SENT),
    (Notice.ACKNOWLEDGED, ACKED, [NEVER_LEFT], SENT, SENT, NEEDLESS),
    (Notice.ACKNOWLEDGED, OVER, [page()], ENDED, SENT, ENDED),
    (Notice.ACKNOWLEDGED, AGAIN, [page()], SENT, SENT, SENT),
    (Notice.ACKNOWLEDGED, OPEN, [page()], SENT, SENT, SENT),
]


@pytest.mark.parametrize("case", range(len(TABLE)))
def test_an_end_is_told_unless_nobody_misses_it(case: int) -> None:
    notice, subject, pages, *expected = TABLE[case]
    found = [
        needless_close(row(10, notice, incident_id=9), subject, pages, traits) for traits in ALL.values()
    ]
    assert [closed.state if closed else None for closed in found] == expected
    assert all(closed.reason for closed in found if closed)
