"""A storm is a few messages with lists where people read, and each event where machines do."""

from datetime import timedelta

import pytest

from incidentd.channels.base import Rate
from incidentd.delivery.traits import Traits
from incidentd.domain.notification import DeliveryState, Message
from incidentd.domain.severity import Severity
from incidentd.store import deliveries, leases
from incidentd.store.deliveries import Delivery
from tests.delivery.cast import BROKEN, OK, REJECTED, RETRY, FakeSender, Office
from tests.delivery.players import Probed, Vendor, declare_many, end_many, quiet, tell, throttled

SLOW = {"chat": Traits(rate=Rate(1, 3))}
SENT = DeliveryState.SENT


def named(message: Message) -> list[int]:
    return [message.incident.id, *[view.id for view in message.bundle]]


async def everything(office: Office) -> list[Delivery]:
    return (
        await office.store.read(
            lambda tx: deliveries.search(
                tx, state=None, incident_id=None, channel=None, before=None, limit=10_000
            )
        )
    )[::-1]


async def test_a_thousand_incidents_are_three_messages_and_a_few_lists(office: Office) -> None:
    chat = FakeSender()
    office.hire({"chat": chat}, traits=SLOW)
    numbers = await declare_many(office, 1000)
    await office.settled()
    assert [len(named(m)) for m in chat.heard][:2] == [1, 1]
    assert len(chat.heard) == 3
    await quiet(office)
    assert len(chat.heard) <= 6
    assert sorted(n for m in chat.accepted for n in named(m)) == numbers
    rows = await everything(office)
    assert {row.state for row in rows} == {SENT}
    carriers = {int(m.delivery_id.rpartition("-")[2]) for m in chat.heard}
    assert {row.id for row in rows if row.bundled_in is None} == carriers
    assert {row.bundled_in for row in rows} - {None} <= carriers
    assert all(row.sent_at and row.attempts == 1 for row in rows)


async def test_those_told_in_lists_are_counted_and_timed_like_all_others(office: Office) -> None:
    office.hire({"chat": FakeSender()}, traits=SLOW)
    await declare_many(office, 1000)
    await quiet(office)
    timed = office.metrics.registry.get_sample_value(
        "incidentd_page_delivery_seconds_count", {"channel": "chat"}
    )
    assert (office.counted("chat", "page", "ok"), timed) == (1000, 1000)


async def test_their_ends_come_together_too(office: Office) -> None:
    chat = FakeSender()
    office.hire({"chat": chat}, traits=SLOW)
    numbers = await declare_many(office, 300)
    await quiet(office)
    before = len(chat.heard)
    await office.later(10)
    await end_many(office, numbers)
    await quiet(office)
    ends = chat.heard[before:]
    assert {m.notice.value for m in ends} == {"resolved"}
    assert len(ends) <= 4
    assert sorted(n for m in ends for n in named(m)) == numbers


async def test_what_has_a_message_of_its_own_gets_its_own_end(office: Office) -> None:
    class Threaded(FakeSender):
        async def send(self, message: Message) -> object:  # type: ignore[override]
            outcome = await super().send(message)
            return type(outcome)(outcome.verdict, outcome.code, reference={"ts": message.delivery_id})

    chat = Threaded()
    office.hire({"chat": chat}, traits=SLOW)  # type: ignore[dict-item]
    numbers = await declare_many(office, 30)
    await quiet(office)
    alone = [m.incident.id for m in chat.heard if not m.bundle]
    before = len(chat.heard)
    await office.later(10)
    await end_many(office, numbers)
    await quiet(office)
    ends = chat.heard[before:]
    assert [m.incident.id for m in ends if m.reference] == alone
    assert sorted(n for m in ends for n in named(m)) == numbers


async def test_a_list_that_fails_is_repeated_with_the_same_incidents_and_the_same_key(office: Office) -> None:
    chat = FakeSender(OK, OK, RETRY)
    office.hire({"chat": chat}, traits=SLOW)
    numbers = await declare_many(office, 20)
    await office.settled()
    more = await declare_many(office, 20)
    await quiet(office)
    lists = [m for m in chat.heard if m.bundle]
    first = [m for m in lists if m.delivery_id == lists[0].delivery_id]
    assert len(first) == 2
    assert named(first[0]) == named(first[1]) == numbers[2:]
    assert sorted(n for m in chat.accepted for n in named(m)) == [*numbers, *more]
    assert {row.state for row in await everything(office)} == {SENT}


async def test_a_list_that_is_refused_for_good_lets_its_passengers_go_on_their_own(office: Office) -> None:
    chat = FakeSender(OK, OK, REJECTED, REJECTED)
    office.hire({"chat": chat}, traits=SLOW)
    numbers = await declare_many(office, 8)
    await quiet(office)
    rows = await everything(office)
    dead = [row.incident_id for row in rows if row.state is DeliveryState.DEAD]
    assert dead == [numbers[2]]
    assert sorted(n for m in chat.accepted for n in named(m)) == [n for n in numbers if n not in dead]


@pytest.mark.parametrize("seconds", [1, 70])
async def test_passengers_are_not_lost_with_a_carrier_that_is_acknowledged(
    office: Office, seconds: float
) -> None:
    chat = FakeSender(OK, OK, RETRY, *[RETRY] * (0 if seconds < 60 else 1))
    office.hire({"chat": chat}, traits=SLOW, jitter=0.99)
    numbers = await declare_many(office, 12)
    await office.settled()
    assert named(chat.heard[2]) == numbers[2:]
    await office.acknowledge(numbers[2])
    await office.later(seconds)
    await quiet(office)
    pages = [row for row in await everything(office) if row.notice == "triggered"]
    assert [row.incident_id for row in pages if row.state is not SENT] == [numbers[2]]
    told = [n for m in chat.accepted if m.notice == "triggered" for n in named(m)]
    assert sorted(told) == [n for n in numbers if n != numbers[2]]


async def test_passengers_are_not_lost_with_a_carrier_that_is_stopped_while_its_channel_rests(
    office: Office,
) -> None:
    chat = FakeSender(OK, OK, throttled(50), throttled(50))
    office.hire({"chat": chat}, traits=SLOW)
    numbers = await declare_many(office, 12)
    await office.settled()
    assert named(chat.heard[2]) == numbers[2:]
    await office.later(51)
    await office.acknowledge(numbers[2])
    await office.later(10)
    [stopped] = [row for row in await everything(office) if row.state is DeliveryState.SUPPRESSED]
    assert (stopped.incident_id, len(chat.heard)) == (numbers[2], 4)
    await office.later(41)
    await quiet(office)
    told = [n for m in chat.accepted if m.notice == "triggered" for n in named(m)]
    assert sorted(told) == [n for n in numbers if n != numbers[2]]


async def test_a_list_whose_sender_died_is_repeated_by_the_next(office: Office) -> None:
    dead = FakeSender(OK, OK, open_gate=False)
    worker = office.hire({"chat": dead}, "w-1", traits=SLOW)
    numbers = await declare_many(office, 12)
    while len(dead.heard) < 3:
        dead.spoken_to.clear()
        await dead.spoken_to.wait()
    await worker.stop(0.05)
    office.workers.clear()
    chat = FakeSender()
    office.hire({"chat": chat}, "w-2", traits=SLOW)
    await office.later(26)
    await quiet(office)
    assert {m.delivery_id: named(m) for m in chat.heard} == {m.delivery_id: named(m) for m in dead.heard}
    assert sorted(n for m in chat.accepted for n in named(m)) == numbers


async def test_a_lease_that_ran_out_keeps_the_passengers(office: Office) -> None:
    chat = FakeSender(OK, OK, RETRY)
    office.hire({"chat": chat}, traits=SLOW)
    numbers = await declare_many(office, 12)
    await office.settled()
    [carrier] = [row.id for row in await office.waiting() if row.bundled_in is None]

    def dies(tx: object) -> None:
        now = office.clock.now()
        leases.lease(tx, [carrier], "dead", now + timedelta(seconds=25), now=now)  # type: ignore[arg-type]

    await office.store.write(dies)
    await office.later(24)
    assert len(chat.heard) == 3
    await office.later(2)
    await quiet(office)
    assert named(chat.heard[-1]) == numbers[2:]
    assert {row.state for row in await everything(office)} == {SENT}


async def test_a_list_that_was_not_started_keeps_or_frees_its_passengers_but_loses_none(
    office: Office,
) -> None:
    traits = {"chat": Traits(rate=Rate(1, 9))}
    chat = FakeSender(open_gate=False)
    office.hire({"chat": chat}, traits=traits)
    numbers = await declare_many(office, 30)
    while len(chat.heard) < 4:
        chat.spoken_to.clear()
        await chat.spoken_to.wait()
    # Four hang, five were taken and wait for a slot, the last of them with a list.
    office.clock.set(office.clock.now() + timedelta(seconds=2))
    while [row for row in await office.waiting() if row.state is DeliveryState.LEASED][4:]:
        office.wake()
    carriers = {row.bundled_in for row in await office.waiting()} - {None}
    assert len(carriers) == 1
    for carrier in [row.incident_id for row in await office.waiting() if row.id in carriers]:
        await office.acknowledge(carrier)
    chat.gate.set()
    await quiet(office)
    pages = [row for row in await everything(office) if row.notice == "triggered"]
    assert {row.state for row in pages} == {SENT, DeliveryState.SUPPRESSED}
    assert len([row for row in pages if row.state is not SENT]) == 1
    assert len({n for m in chat.accepted if m.notice == "triggered" for n in named(m)}) == len(numbers) - 1


@pytest.mark.parametrize(
    "traits", [Traits(False, True, rate=Rate(1.5, 20)), Traits(False, rate=Rate(1.5, 20))]
)
async def test_machines_get_each_event_the_critical_ones_first(office: Office, traits: Traits) -> None:
    pager = Vendor()
    tell(office, "pager", targets={"pager": ("#ops",)})
    office.hire({"pager": pager}, traits={"pager": traits})
    numbers = await declare_many(office, 60, Severity.WARNING, Severity.CRITICAL)
    await quiet(office)
    assert [m.incident.severity for m in pager.heard] == [Severity.CRITICAL] * 30 + [Severity.WARNING] * 30
    assert not any(m.bundle for m in pager.heard)
    await end_many(office, numbers)
    await quiet(office)
    assert set(pager.alerts.values()) == {"resolved"}
    assert len(pager.alerts) == 60
    assert pager.after_the_end == []


async def test_a_storm_behind_a_broken_vendor_is_a_few_messages_of_the_one_that_stands_in(
    office: Office,
) -> None:
    pager, chat = Probed(BROKEN, probes=[BROKEN] * 9), FakeSender()
    tell(office, "pager", targets={"pager": ("#ops",), "chat": ("#ops",)})
    keyed = Traits(False, True, rate=Rate(1.5, 20), fallback=("chat",))
    office.hire({"pager": pager, "chat": chat}, traits={"pager": keyed, **SLOW})
    await office.declare()
    await office.settled()
    numbers = await declare_many(office, 400)
    for _ in range(8):
        await office.later(5)
    assert sorted({n for m in chat.accepted for n in named(m)}) == [1, *numbers]
    assert len(chat.heard) <= 12
    assert {m.fallback_of for m in chat.heard} == {"pager"}
