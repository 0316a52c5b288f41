"""What became of an alert: the incident it belongs to and why, or why none. On both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from incidentd.domain.matcher import parse_matchers
from incidentd.ingest.types import Quarantined, Reason
from incidentd.workflows.explain_alert import why_alert
from incidentd.workflows.receive import Submission
from incidentd.workflows.respond import NotFoundError
from tests.workflows.world import A, World, fires, over, stored


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    with stored(database_url) as world:
        yield world


def of_alert(world: World, fingerprint: str) -> list[str]:
    now = world.now
    return [each.text for each in world.write(lambda tx: why_alert(tx, ["main"], fingerprint, now))]


def test_an_alert_says_which_incident_it_opened_or_joined(world: World) -> None:
    world.post(A)
    world.minute = 1
    world.post(fires("b", since=1))
    assert of_alert(world, A.fingerprint) == [
        "Alert a of source main began to fire at 2026-03-01 12:00 UTC and still does: it opened INC-1.",
        'Alerts of source main with service="api" make one incident (grouping.by).',
        "It belongs to INC-1, which is triggered.",
    ]
    assert of_alert(world, fires("b").fingerprint)[0] == (
        "Alert b of source main began to fire at 2026-03-01 12:01 UTC and still does: "
        "it joined INC-1, which was open for its group."
    )


def test_a_blip_and_a_heartbeat_say_why_they_open_nothing(world: World) -> None:
    world.post(over("blip"))
    assert of_alert(world, fires("blip").fingerprint) == [
        (
            "Alert blip of source main was reported over at 2026-03-01 12:01 UTC and had never been seen to fire: it "
            "came and went between two posts, so it is recorded and opens nothing."
        ),
        "It belongs to no incident: it came and went between two posts, so it is recorded and opens nothing.",
    ]
    world.rules = replace(world.rules, heartbeats={"main": (parse_matchers("alertname=Watchdog"),)})
    world.post(fires("Watchdog"))
    assert of_alert(world, fires("Watchdog").fingerprint)[-1] == (
        "It belongs to no incident: it is a heartbeat: that it fires is the good news, and only its absence is an "
        "incident."
    )


def test_an_alert_whose_incident_a_person_closed_says_that_it_stays_quiet(world: World) -> None:
    world.post(A)
    world.resolve()
    assert of_alert(world, A.fingerprint)[-2] == (
        "INC-1 was resolved by alice while it fired: this occurrence tells nobody any more, and a newer one opens a "
        "new incident."
    )


def test_an_alert_that_was_set_aside_says_where_it_was_wrong(world: World) -> None:
    bad = Quarantined("alerts[0].startsAt", Reason.TIME, '{"fingerprint":"f%1","startsAt":"soon"}')
    world.batch(Submission("main", "r", (), (bad,)))
    assert of_alert(world, "f%1") == [
        f"An alert of source main was set aside (alerts[0].startsAt): {Reason.TIME}.",
        "It belongs to no incident: it could not be understood (incidentctl quarantine).",
    ]
    with pytest.raises(NotFoundError):
        of_alert(world, "f_1")


def test_an_alert_that_was_never_heard_of_is_not_found(world: World) -> None:
    with pytest.raises(NotFoundError, match="no alert with the fingerprint"):
        of_alert(world, "unheard-of")
