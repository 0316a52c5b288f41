"""Pages are stopped by people only, and it is written down who did it."""

from datetime import timedelta

import pytest

from incidentd.delivery.unneeded import withheld
from incidentd.domain import response
from incidentd.domain.incident import Incident, State
from tests.delivery.cast import NOW, OK, RETRY, FakeSender, Office
from tests.store.samples import incident

HOUR = timedelta(hours=1)
TRIGGERED = incident(1)


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        (TRIGGERED, None),
        (incident(1, state=State.ACKNOWLEDGED, acknowledged_by="bob"), "acknowledged by bob"),
        (incident(1, state=State.RESOLVED, resolved_by="bob"), "resolved by bob"),
        (incident(1, state=State.RESOLVED, resolved_by="source"), None),
        (incident(1, state=State.RESOLVED, resolved_by="reconcile"), None),
        (
            incident(1, state=State.RESOLVED, resolved_by="source", acknowledged_by="bob"),
            "acknowledged by bob",
        ),
        (incident(1, snoozed_until=NOW + HOUR), "snoozed by carol until 2026-03-01T13:00:00+00:00"),
        (incident(1, snoozed_until=NOW), None),
        (incident(1, held_until=NOW + HOUR), None),
    ],
)
def test_a_page_is_withheld_for_what_a_person_did_and_for_nothing_else(
    subject: Incident, reason: str | None
) -> None:
    assert withheld(subject, NOW, "carol") == reason


async def test_an_acknowledgement_stops_the_page_that_is_tried_again(office: Office) -> None:
    chat = FakeSender(RETRY)
    office.hire({"chat": chat})
    number = await office.declare()
    await office.settled()
    await office.acknowledge(number, "bob")
    await office.later(5)
    assert chat.notices() == ["triggered", "acknowledged"]
    assert await office.states() == [("triggered", "suppressed"), ("acknowledged", "sent")]
    assert (await office.rows())[0].reason == "acknowledged by bob"
    [entry] = await office.entries(number, "page_suppressed")
    assert entry.text == "page to chat not sent: acknowledged by bob"
    assert entry.data["attempts"] == 1
    assert office.counted("chat", "page", "suppressed") == 1


async def test_a_resolve_by_a_person_stops_the_page(office: Office) -> None:
    number = await office.declare()
    await office.resolve(number, "bob")
    chat = FakeSender()
    office.hire({"chat": chat})
    await office.settled()
    assert chat.notices() == ["resolved"]
    assert (await office.rows())[0].reason == "resolved by bob"


async def test_a_snooze_stops_the_page_and_names_who_snoozed_last(office: Office) -> None:
    number = await office.declare()
    await office.snooze(number, "alice", hours=2)
    await office.snooze(number, "carol")
    chat = FakeSender()
    office.hire({"chat": chat})
    await office.settled()
    assert chat.notices() == []
    [entry] = await office.entries(number, "page_suppressed")
    assert entry.text == "page to chat not sent: snoozed by carol until 2026-03-01T13:00:00+00:00"
    incident = await office.incident(number)
    assert incident.last_seq == entry.seq
    assert incident.update_queued


async def test_a_stop_on_one_channel_is_one_entry_for_each_page(office: Office) -> None:
    number = await office.declare()
    await office.acknowledge(number)
    other = await office.declare()
    await office.acknowledge(other)
    chat = FakeSender()
    office.hire({"chat": chat})
    await office.settled()
    assert [message.incident.id for message in chat.heard] == [number, other]
    for each in (number, other):
        entries = await office.entries(each, "page_suppressed")
        assert [entry.seq for entry in entries] == [3]


async def test_after_it_is_given_back_the_next_page_leaves(office: Office) -> None:
    number = await office.declare()
    await office.acknowledge(number)
    await office.act(number, lambda i: response.unacknowledge(i, "bob", ""))
    chat = FakeSender(OK)
    office.hire({"chat": chat})
    await office.settled()
    assert chat.notices() == ["triggered", "acknowledged", "unacknowledged"]
