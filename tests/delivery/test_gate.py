"""Channels that ask for a pause, fail, refuse us, and come back."""

from datetime import datetime
from itertools import pairwise

import pytest

from incidentd.channels.base import NOT_PROBED, Rate
from incidentd.delivery.traits import Traits
from incidentd.domain.destination import Destination, DestinationState
from incidentd.domain.notification import Outcome, Verdict
from incidentd.store import destinations
from incidentd.store.engine import Store
from tests.delivery.cast import (
    AMBIGUOUS,
    BROKEN,
    DISABLED,
    GONE,
    NOW,
    OK,
    REJECTED,
    RETRY,
    FakeSender,
    Office,
)
from tests.delivery.players import Probed, tell, throttled, told

UNKNOWN = Outcome(Verdict.OK, NOT_PROBED, "the next message will tell")
MACHINE = {"chat": Traits(people=False)}


async def known(office: Office, channel: str = "chat") -> Destination:
    return await office.store.read(lambda tx: destinations.of(tx, channel, NOW))


async def state(office: Office) -> str:
    return (await known(office)).state.value


async def test_one_429_pauses_the_whole_channel_and_all_of_it_leaves_afterwards(office: Office) -> None:
    chat = FakeSender(throttled(40))
    worker = office.hire({"chat": chat}, traits=MACHINE)
    first = await office.declare()
    await office.settled()
    for _ in range(5):
        await office.declare()
    await office.acknowledge(first)
    await office.later(39)
    assert len(chat.heard) == 1
    [health] = worker.health()
    assert (health.state, (health.paused_until or NOW) > office.clock.now()) == ("throttled", True)
    await office.later(2)
    await office.settled()
    assert len(chat.accepted) == 6
    assert await state(office) == "ok"
    assert await office.waiting() == []


async def test_a_pause_counts_for_every_daemon(pg_office: Office, pg_url: str) -> None:
    other = Store(pg_url)
    first, second = FakeSender(throttled(40)), FakeSender(throttled(40))
    pg_office.hire({"chat": first}, "w-1")
    pg_office.hire({"chat": second}, "w-2", store=other)
    await pg_office.declare()
    await pg_office.settled()
    for _ in range(6):
        await pg_office.declare()
    await pg_office.settled()
    await pg_office.later(30)
    assert len(first.heard) + len(second.heard) == 1
    await pg_office.later(11)
    for _ in range(3):
        await pg_office.later(41)
    assert len(first.accepted) + len(second.accepted) == 7
    await pg_office.close()
    await other.close()


async def test_a_broken_channel_keeps_its_rows_and_is_only_probed_until_it_works_again(
    office: Office,
) -> None:
    chat = Probed(BROKEN, probes=[BROKEN, RETRY])
    office.hire({"chat": chat}, traits=MACHINE)
    numbers = [await office.declare()]
    await office.settled()
    numbers += [await office.declare() for _ in range(9)]
    for seconds in (59, 1.5, 59, 2):
        await office.later(seconds)
    assert (len(chat.heard), chat.probed) == (1, 2)
    assert len(await office.waiting()) == 10
    await office.later(61)
    await office.settled()
    assert chat.probed == 3
    assert sorted(m.incident.id for m in chat.accepted) == numbers
    assert [m.incident.id for m in chat.accepted][:9] == numbers[1:], (
        "what was tried already comes after them"
    )
    assert await state(office) == "ok"


@pytest.mark.parametrize("answer", [REJECTED, RETRY, AMBIGUOUS, throttled(1), BROKEN])
async def test_a_probe_that_says_anything_but_yes_is_followed_by_another_minute_of_rest(
    office: Office, answer: Outcome
) -> None:
    chat = Probed(BROKEN, probes=[answer] * 3)
    office.hire({"chat": chat})
    await office.declare()
    await office.settled()
    for count in (1, 2, 3):
        await office.later(60.5)
        await office.later(1)
        assert (len(chat.heard), chat.probed) == (1, count)
    assert await state(office) == "broken"


async def test_one_mailbox_that_a_probe_misses_does_not_make_it_probe_without_end(office: Office) -> None:
    mail = Probed(BROKEN, BROKEN, probes=[GONE] * 2)
    mail.targets = ("ann", "bob")
    tell(office, "mail", targets={"mail": mail.targets})
    office.hire({"mail": mail})
    await office.declare()
    await office.settled()
    await office.later(61)
    assert mail.probed == 1


async def test_where_no_probe_can_tell_one_message_is_tried_each_minute(office: Office) -> None:
    chat = Probed(BROKEN, BROKEN, BROKEN, probes=[UNKNOWN] * 9)
    office.hire({"chat": chat}, traits=MACHINE)
    await office.declare()
    await office.settled()
    for _ in range(5):
        await office.declare()
    for heard in (2, 3):
        await office.later(61)
        await office.settled()
        assert len(chat.heard) == heard
        assert await state(office) == "broken"
    await office.later(61)
    await office.settled()
    assert await state(office) == "ok"
    assert len(chat.accepted) == 6


async def test_a_failing_channel_is_asked_with_one_message_at_a_time_and_longer_rests(office: Office) -> None:
    chat = FakeSender(*[RETRY] * 16)
    office.hire({"chat": chat}, traits=MACHINE, jitter=0.0)
    for _ in range(12):
        await office.declare()
    await office.settled()
    burst = len(chat.heard)
    assert burst < 12
    assert await state(office) == "degraded"
    attempts: list[datetime] = []
    chat.on_send = lambda _: attempts.append(office.clock.now()) if chat.script else None
    while len(chat.accepted) < 1:
        await office.later(1)
    rests = [round((b - a).total_seconds()) for a, b in pairwise(attempts)]
    assert rests == sorted(rests)
    assert rests[-1] >= 2
    assert len(set(attempts)) == len(attempts)
    await office.later(1)
    await office.settled()
    assert len(chat.accepted) == 12
    assert await state(office) == "ok"


async def test_failures_far_apart_never_add_up(office: Office) -> None:
    chat = FakeSender(*[RETRY, OK] * 8)
    office.hire({"chat": chat})
    for _ in range(8):
        await office.declare()
        await office.settled()
        await office.later(3)
    assert (await known(office)).failures == 0
    assert len(chat.accepted) == 8


@pytest.mark.parametrize("answer", [GONE, DISABLED])
async def test_a_room_that_is_gone_is_not_probed_and_each_page_is_tried_and_told_elsewhere(
    office: Office, answer: Outcome
) -> None:
    room, chat = Probed(answer, answer, answer), FakeSender()
    tell(office, "room", targets={"room": ("#ops",), "chat": ("#ops",)})
    office.hire({"room": room, "chat": chat}, traits={"room": Traits(fallback=("chat",))})
    for count in (1, 2, 3):
        await office.declare()
        await office.settled()
        assert (len(room.heard), len(chat.heard)) == (count, count)
        await office.later(90)
    assert room.probed == 0
    assert (await known(office, "room")).state is DestinationState.BROKEN
    await office.declare()
    await office.settled()
    assert len(room.accepted) == 1
    assert (
        len({m.incident.id for m in chat.heard} - {4})
        == len([m for m in chat.heard if m.incident.id != 4])
        == 3
    )
    assert (await known(office, "room")).state is DestinationState.OK


@pytest.mark.parametrize("answer", [throttled(600), BROKEN])
async def test_after_a_reload_it_is_tried_at_once(office: Office, answer: Outcome) -> None:
    chat = Probed(answer)
    worker = office.hire({"chat": chat})
    await office.declare()
    await office.settled()
    mended = Probed()
    worker.replace_senders({"chat": mended})
    await office.settled()
    await office.later(61)
    assert len(mended.accepted) == 1
    assert await state(office) == "ok"


async def test_a_channel_that_is_not_changed_is_probed_after_a_reload_too(office: Office) -> None:
    chat = Probed(BROKEN)
    worker = office.hire({"chat": chat})
    await office.declare()
    await office.settled()
    worker.replace_senders({"chat": chat})
    await office.settled()
    assert chat.probed == 1


async def test_a_channel_that_is_removed_is_forgotten(office: Office) -> None:
    worker = office.hire({"chat": Probed(BROKEN), "mail": FakeSender()})
    await office.declare()
    await office.settled()
    assert await state(office) == "broken"
    worker.replace_senders({"mail": FakeSender()})
    await office.settled()
    assert await office.store.read(destinations.all_of) == []


async def test_chat_never_takes_the_last_message_that_a_page_waits_for(office: Office) -> None:
    chat = FakeSender()
    office.hire({"chat": chat}, traits={"chat": Traits(people=False, rate=Rate(1, 3))})
    old = [await office.declare() for _ in range(12)]
    for _ in range(15):
        await office.later(1)
    for number in old:
        await office.acknowledge(number)
    await office.settled()
    fresh = [await office.declare() for _ in range(5)]
    before = len(chat.heard)
    for _ in range(40):
        await office.later(1)
    order = [(m.notice.value, m.incident.id) for m in chat.heard[before:]]
    assert sorted(order[:5]) == [("triggered", number) for number in fresh]
    assert {notice for notice, _ in order[5:]} == {"acknowledged"}
    assert len(chat.heard) == 12 + 12 + 5


async def test_a_page_that_nobody_stops_says_nothing_of_a_pause(office: Office) -> None:
    chat = FakeSender(throttled(20))
    office.hire({"chat": chat})
    number = await office.declare()
    await office.settled()
    await office.later(21)
    assert len(chat.accepted) == 1
    assert await told(office, number, "page_fell_back") == []
