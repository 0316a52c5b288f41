"""Channels that hang or break, databases that go away, daemons that die."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import pytest

from incidentd.delivery.claim import Claim, Taking, claim
from incidentd.delivery.settle import Settled, decide, record
from incidentd.delivery.traits import Plan
from incidentd.domain.destination import Destination, DestinationState
from incidentd.domain.notification import DeliveryState
from incidentd.store import leases
from incidentd.store.deliveries import Delivery
from incidentd.store.engine import Store, Tx
from incidentd.store.errors import StoreUnavailableError
from tests.acceptance.waiting import until
from tests.delivery.cast import NOW, OK, RETRY, FakeSender, Office, create_schema, rules_for

T = TypeVar("T")
LEASE = timedelta(seconds=25)


def take(tx: Tx, owner: str, limit: int = 10) -> Claim:
    return claim(tx, Taking("chat", pages=True, owner=owner, now=NOW, lease_until=NOW + LEASE, limit=limit))


async def written(office: Office, settled: list[Settled], unstarted: list[Delivery]) -> set[int]:
    """The rows that `record` wrote."""
    well = Destination("chat", DestinationState.OK, NOW)
    recorded = await office.store.write(lambda tx: record(tx, well, settled, unstarted, Plan(), NOW))
    return recorded.ours


async def test_a_hung_channel_holds_up_no_other(office: Office) -> None:
    office.rules = rules_for(["chat", "pager"])
    hung, pager = FakeSender(open_gate=False), FakeSender()
    worker = office.hire({"chat": hung, "pager": pager})
    for _ in range(9):
        await office.declare()
    reached = asyncio.Event()
    pager.on_send = lambda _: reached.set() if len(pager.heard) == 9 else None
    worker.wake()
    await reached.wait()
    assert len(hung.heard) <= 4
    hung.gate.set()
    await office.settled()


async def test_pages_that_hang_leave_the_other_slots_of_their_channel_alone(office: Office) -> None:
    chat = FakeSender()
    office.hire({"chat": chat})
    first = await office.declare()
    await office.settled()
    chat.gate.clear()
    for _ in range(6):
        await office.declare()
    acknowledged = asyncio.Event()
    chat.on_send = lambda message: acknowledged.set() if message.notice == "acknowledged" else None
    await office.acknowledge(first)
    office.workers[0].wake()
    await acknowledged.wait()
    chat.gate.set()
    await office.settled()


async def test_a_send_without_end_counts_as_ambiguous_and_is_repeated_with_the_same_key(
    office: Office,
) -> None:
    chat = FakeSender(open_gate=False)
    office.hire({"chat": chat})
    await office.declare()
    await chat.spoken_to.wait()
    await office.later(21.5)
    [row] = await office.rows()
    assert (row.state, row.last_error) == (
        DeliveryState.PENDING,
        "timeout: the channel did not answer in time",
    )
    chat.gate.set()
    await office.later(5)
    assert len({message.delivery_id for message in chat.heard}) == 1
    assert await office.states() == [("triggered", "sent")]


async def test_rows_that_could_not_start_soon_are_given_back_uncounted(office: Office) -> None:
    for _ in range(10):
        await office.declare()
    chat = FakeSender(open_gate=False)
    full = asyncio.Event()
    chat.on_send = lambda _: full.set() if len(chat.heard) == 4 else None
    office.hire({"chat": chat})
    await full.wait()
    office.clock.set(NOW + timedelta(seconds=2))
    while len([row for row in await office.rows() if row.state is DeliveryState.LEASED]) > 4:
        office.workers[0].wake()
    assert [row.attempts for row in await office.rows()] == [1] * 4 + [0] * 6
    chat.gate.set()
    await office.settled()
    assert {state for _, state in await office.states()} == {"sent"}
    assert len(chat.heard) == 10


async def test_a_fault_in_a_channel_is_a_failed_attempt_and_ends_nothing(office: Office) -> None:
    chat = FakeSender(RuntimeError("a bug"), asyncio.CancelledError())  # type: ignore[arg-type]
    office.hire({"chat": chat})
    await office.declare()
    await office.settled()
    assert (await office.rows())[0].last_error == "bug: a fault in incidentd, see its log"
    await office.later(3)
    await office.later(5)
    assert await office.states() == [("triggered", "sent")]


async def test_what_a_dead_daemon_had_leased_is_sent_by_the_next(office: Office) -> None:
    await office.declare()
    await office.store.write(lambda tx: take(tx, "dead"))
    chat = FakeSender()
    office.hire({"chat": chat})
    await office.settled()
    if office.store.postgresql:
        # Another replica may be sending it: it is ours when the lease has ended.
        assert chat.heard == []
        await office.later(26)
        await office.settled()
    assert chat.notices() == ["triggered"]
    assert (await office.rows())[0].attempts == 2


async def test_a_result_from_a_lost_lease_changes_nothing(office: Office) -> None:
    await office.declare()
    [late] = (await office.store.write(lambda tx: take(tx, "slow"))).leased
    await office.store.write(lambda tx: leases.hand_back_all(tx, NOW))
    [new] = (await office.store.write(lambda tx: take(tx, "quick"))).leased
    assert (new.delivery.generation, new.delivery.attempts) == (2, 2)
    old = Settled(late.delivery, RETRY, decide(RETRY, late.delivery, NOW, 0.5))
    assert await written(office, [old], [late.delivery]) == set()
    [row] = await office.rows()
    assert (row.state, row.attempts, row.last_error) == (DeliveryState.LEASED, 2, None)
    now = Settled(new.delivery, OK, decide(OK, new.delivery, NOW, 0.5))
    assert await written(office, [now], []) == {row.id}
    assert await written(office, [old], []) == set()
    assert await office.states() == [("triggered", "sent")]


async def test_stopping_waits_for_what_is_under_way(office: Office) -> None:
    chat = FakeSender(open_gate=False)
    worker = office.hire({"chat": chat})
    await office.declare()
    await chat.spoken_to.wait()
    stopping = asyncio.create_task(worker.stop(30))
    await asyncio.wait({stopping}, timeout=0)
    chat.gate.set()
    assert await stopping
    assert chat.closed
    assert await office.states() == [("triggered", "sent")]


async def test_what_does_not_end_in_time_is_handed_back(office: Office) -> None:
    chat = FakeSender(open_gate=False)
    worker = office.hire({"chat": chat})
    await office.declare()
    await chat.spoken_to.wait()
    assert not await worker.stop(0.01)
    assert await office.states() == [("triggered", "pending")]


async def test_a_worker_that_was_never_started_can_be_stopped(office: Office) -> None:
    worker = office.hire({"chat": FakeSender()})
    assert await worker.stop(1)


async def test_a_sender_that_was_replaced_is_closed_after_its_last_send(office: Office) -> None:
    old, new, same = FakeSender(open_gate=False), FakeSender(), FakeSender()
    worker = office.hire({"chat": old, "mail": same})
    await office.declare()
    await old.spoken_to.wait()
    worker.replace_senders({"chat": new, "mail": same})
    await office.declare()
    await office.settled()
    assert (old.closed, len(new.heard)) == (False, 1)
    closed = asyncio.Event()
    old.on_close = closed.set
    old.gate.set()
    await closed.wait()
    assert not same.closed
    await office.settled()
    assert {state for _, state in await office.states()} == {"sent"}


async def test_rows_of_a_channel_that_is_gone_become_missed_pages_after_a_while(office: Office) -> None:
    number = await office.declare()
    await office.end(number)
    office.hire({"mail": FakeSender()})
    await office.settled()
    await office.later(290)
    assert len(await office.waiting()) == 2
    await office.later(20)
    assert await office.states() == [("triggered", "dead"), ("resolved", "dead")]
    [entry] = await office.entries(number, "page_missed")
    assert entry.text == "page to chat was missed: channel chat is not configured any more"
    assert office.counted("chat", "page", "dead") == 1


class Sick(Store):
    """A database that can be away, and counts what is asked of it."""

    away = False
    asked_of = 0
    written = 0

    async def write(self, work: Callable[[Tx], T]) -> T:
        self._ask()
        self.written += 1
        return await super().write(work)

    async def read(self, query: Callable[[Tx], T]) -> T:
        self._ask()
        return await super().read(query)

    def _ask(self) -> None:
        self.asked_of += 1
        if self.away:
            raise StoreUnavailableError("gone fishing")


@pytest.fixture
async def sick(database_url: str) -> Any:
    store = Sick(database_url)
    await store.write(create_schema)
    yield store
    await store.close()


async def test_a_database_that_comes_back_finds_everything_sent_once(
    sick: Sick, capsys: pytest.CaptureFixture[str]
) -> None:
    office = Office(sick)
    chat = FakeSender(open_gate=False)
    office.hire({"chat": chat})
    await office.declare()
    await chat.spoken_to.wait()
    sick.away = True
    asked = sick.asked_of
    chat.gate.set()

    def noticed() -> bool:
        office.clock.set(office.clock.now() + timedelta(seconds=0.2))
        return sick.asked_of > asked + 1

    await until(noticed, "the worker to try again after its first failure")
    asked = sick.asked_of
    for _ in range(40):
        office.clock.set(office.clock.now() + timedelta(seconds=0.2))
        await asyncio.wait({asyncio.ensure_future(asyncio.sleep(0))})
    assert sick.asked_of - asked < 40
    sick.away = False
    await office.later(6)
    assert len(chat.heard) == 1
    assert await office.states() == [("triggered", "sent")]
    await office.close()
    assert 1 <= "".join(capsys.readouterr()).count("delivery_paused") <= 4


async def test_with_nothing_to_do_nothing_is_written(sick: Sick) -> None:
    office = Office(sick)
    office.hire({"chat": FakeSender(RETRY)})
    await office.declare()
    await office.settled()
    written = sick.written
    for _ in range(5):
        office.clock.set(office.clock.now() + timedelta(seconds=0.1))
        await office.settled()
    assert sick.written == written
    await office.close()
