"""The worker with scripted channels on real databases."""

from datetime import timedelta

from incidentd.domain.notification import DeliveryState, Outcome, Verdict
from incidentd.store import outbox
from incidentd.store.outbox import NewDelivery
from tests.delivery.cast import BROKEN, GONE, MACHINE, NOW, OK, REJECTED, RETRY, FakeSender, Office


async def test_a_page_is_sent_at_once_and_counted(office: Office) -> None:
    chat = FakeSender()
    worker = office.hire({"chat": chat})
    number = await office.declare()
    await office.settled()
    assert chat.notices() == ["triggered"]
    assert chat.heard[0].incident.id == number
    [row] = await office.rows()
    assert (row.state, row.attempts, row.sent_at) == (DeliveryState.SENT, 1, NOW)
    assert office.counted("chat", "page", "ok") == 1
    seen = {"channel": "chat"}
    assert office.metrics.registry.get_sample_value("incidentd_page_delivery_seconds_count", seen) == 1
    [health] = worker.health()
    assert (health.name, health.target, health.up, health.last_error) == ("chat", "#ops", True, None)


async def test_waking_the_worker_is_enough_to_have_a_new_row_sent(office: Office) -> None:
    chat = FakeSender()
    office.hire({"chat": chat})
    await office.settled()
    await office.declare()
    await chat.spoken_to.wait()
    assert office.clock.now() == NOW


async def test_the_end_waits_for_its_page_that_is_tried_again(office: Office) -> None:
    chat = FakeSender(RETRY, RETRY)
    office.hire({"chat": chat}, traits=MACHINE)
    number = await office.declare()
    await office.settled()
    await office.end(number)
    await office.settled()
    assert chat.notices() == ["triggered"]
    await office.later(2)
    await office.later(4)
    assert chat.notices() == ["triggered", "triggered", "triggered", "resolved"]
    assert len({message.delivery_id for message in chat.heard[:3]}) == 1
    assert await office.states() == [("triggered", "sent"), ("resolved", "sent")]


async def test_a_page_that_never_left_is_still_sent_when_its_alerts_ended_by_themselves(
    office: Office,
) -> None:
    number = await office.declare()
    await office.end(number)
    chat = FakeSender()
    office.hire({"chat": chat}, traits=MACHINE)
    await office.settled()
    assert chat.notices() == ["triggered", "resolved"]


async def test_a_throttled_page_waits_as_long_as_the_vendor_asked(office: Office) -> None:
    chat = FakeSender(Outcome(Verdict.THROTTLED, "http_429", "", timedelta(seconds=120)))
    office.hire({"chat": chat}, jitter=0.0)
    await office.declare()
    await office.settled()
    await office.later(119)
    assert len(chat.heard) == 1
    await office.later(2)
    assert len(chat.accepted) == 1


async def test_content_refused_twice_is_a_missed_page_that_everybody_can_see(office: Office) -> None:
    chat = FakeSender(REJECTED, REJECTED)
    office.hire({"chat": chat})
    number = await office.declare()
    await office.settled()
    assert [message.minimal for message in chat.heard] == [False, True]
    [row] = await office.rows()
    assert row.state is DeliveryState.DEAD
    [entry] = await office.entries(number, "page_missed")
    assert entry.text == (
        "page to chat was missed: refused in its short form too: invalid_blocks: too many blocks"
    )
    assert (entry.seq, (await office.incident(number)).last_seq) == (2, 2)
    assert office.counted("chat", "page", "dead") == 1


async def test_a_dead_page_lets_the_rest_of_its_lane_go_on(office: Office) -> None:
    chat = FakeSender(GONE)
    office.hire({"chat": chat})
    number = await office.declare()
    await office.settled()
    await office.end(number)
    await office.settled()
    assert await office.states() == [("triggered", "dead"), ("resolved", "sent")]


async def test_a_broken_destination_keeps_its_rows_and_is_tried_every_minute(office: Office) -> None:
    chat = FakeSender(BROKEN, BROKEN)
    worker = office.hire({"chat": chat})
    await office.declare()
    await office.settled()
    [health] = worker.health()
    assert (health.up, health.last_error) == (False, "invalid_auth: give a new token")
    await office.later(59)
    assert len(chat.heard) == 1
    await office.later(61)
    await office.later(61)
    assert len(chat.accepted) == 1


async def test_an_update_waits_and_then_clears_the_mark_that_one_is_queued(office: Office) -> None:
    chat = FakeSender()
    office.hire({"chat": chat})
    number = await office.declare()
    await office.settled()
    await office.note(number, "first")
    await office.note(number, "second")
    await office.settled()
    assert (await office.incident(number)).update_queued
    await office.later(31)
    assert chat.notices() == ["triggered", "updated"]
    assert not (await office.incident(number)).update_queued
    await office.note(number, "third")
    await office.later(31)
    assert chat.notices() == ["triggered", "updated", "updated"]


async def test_an_update_that_waits_delays_nobody_and_is_superseded_by_what_overtakes_it(
    office: Office,
) -> None:
    chat = FakeSender()
    office.hire({"chat": chat})
    number = await office.declare()
    await office.settled()
    await office.note(number)
    await office.acknowledge(number)
    await office.settled()
    assert chat.notices() == ["triggered", "acknowledged"]
    assert not (await office.incident(number)).update_queued
    await office.later(60)
    assert await office.states() == [
        ("triggered", "sent"),
        ("updated", "superseded"),
        ("acknowledged", "sent"),
    ]
    assert office.counted("chat", "state", "superseded") == 1


async def test_of_several_updates_that_are_due_only_the_newest_is_sent(office: Office) -> None:
    number = await office.declare()
    await office.note(number)
    [_, first] = await office.rows()
    again = NewDelivery(number, "chat", "#ops", first.notice, 1, "bob", "", NOW, NOW)
    await office.store.write(lambda tx: outbox.enqueue(tx, [again]))
    office.clock.set(NOW + timedelta(seconds=31))
    chat = FakeSender()
    office.hire({"chat": chat})
    await office.settled()
    assert await office.states() == [("triggered", "sent"), ("updated", "superseded"), ("updated", "sent")]


async def test_what_the_vendor_returned_is_given_to_later_messages_of_the_incident(office: Office) -> None:
    chat = FakeSender(Outcome(Verdict.OK, "200", reference={"ts": "1.5"}), OK, OK)
    office.hire({"chat": chat})
    number = await office.declare()
    await office.settled()
    await office.acknowledge(number)
    await office.settled()
    await office.declare("another")
    await office.settled()
    assert [message.reference for message in chat.heard] == [None, {"ts": "1.5"}, None]
