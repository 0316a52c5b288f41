"""A page that does not get through is told over the next channel of its list."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from incidentd.channels.base import Sender
from incidentd.delivery.traits import Traits
from incidentd.delivery.worker import Worker
from incidentd.domain.notification import DeliveryState, Message, Outcome, Verdict
from incidentd.store.engine import Store
from tests.acceptance.waiting import until
from tests.delivery.cast import BROKEN, DISABLED, GONE, NOW, OK, REJECTED, RETRY, FakeSender, Office
from tests.delivery.players import Answering, Probed, tell, throttled, told

TRAITS = {"pager": Traits(people=False, keyed=True, fallback=("chat", "mail"))}
ONE = {"pager": ("#ops",), "chat": ("#ops",), "mail": ("ann",)}


def staffed(office: Office, traits: Mapping[str, Traits] = TRAITS, **senders: Sender) -> Worker:
    """Pages go to the pager; the other channels stand by."""
    tell(office, "pager", targets={name: ONE[name] for name in senders})
    return office.hire(senders, traits=traits)


@pytest.mark.parametrize("answer", [BROKEN, GONE, DISABLED, throttled(61), throttled(3600)])
async def test_a_destination_without_hope_is_not_waited_for(office: Office, answer: Outcome) -> None:
    chat, mail = FakeSender(), FakeSender()
    staffed(office, pager=Probed(answer), chat=chat, mail=mail)
    number = await office.declare()
    await office.settled()
    assert (chat.notices(), mail.notices()) == (["triggered"], [])
    assert chat.heard[0].fallback_of == "pager"
    [text] = await told(office, number, "page_fell_back")
    assert text.endswith("told over chat instead")
    [first, second] = await office.rows()
    assert (first.fell_back, second.fallback_of, second.state) == (True, first.id, DeliveryState.SENT)
    assert office.counted("pager", "page", "fell_back") == 1


async def test_three_failures_are_enough_and_the_first_one_goes_on_trying(office: Office) -> None:
    pager, chat = FakeSender(*[RETRY] * 3), FakeSender()
    staffed(office, pager=pager, chat=chat)
    await office.declare()
    await office.settled()
    await office.later(1.1)
    assert chat.heard == []
    await office.later(2.1)
    assert chat.notices() == ["triggered"]
    await office.later(5)
    assert (len(pager.accepted), len(chat.heard)) == (1, 1)
    assert await office.waiting() == []


async def test_a_page_refused_for_good_is_missed_and_told_elsewhere(office: Office) -> None:
    chat = FakeSender()
    staffed(office, pager=FakeSender(REJECTED, REJECTED), chat=chat)
    number = await office.declare()
    await office.settled()
    assert chat.notices() == ["triggered"]
    assert (
        len(await told(office, number, "page_missed"))
        == len(await told(office, number, "page_fell_back"))
        == 1
    )


async def test_a_page_that_waits_behind_others_for_a_minute_is_told_elsewhere(office: Office) -> None:
    chat = FakeSender()
    staffed(office, pager=FakeSender(*[throttled(50)] * 3), chat=chat)
    numbers = [await office.declare()]
    await office.settled()
    numbers.append(await office.declare())
    await office.later(51)
    assert chat.heard == []
    await office.later(8.9)
    assert chat.heard == []
    await office.later(0.2)
    assert sorted(m.incident.id for m in chat.heard) == numbers
    assert "not delivered for 60 s" in (await told(office, numbers[1], "page_fell_back"))[0]


async def test_a_page_that_hangs_is_told_elsewhere(office: Office) -> None:
    pager, chat = FakeSender(open_gate=False), FakeSender()
    staffed(office, pager=pager, chat=chat)
    await office.declare()
    await pager.spoken_to.wait()

    def told_elsewhere() -> bool:
        office.clock.set(office.clock.now() + timedelta(seconds=1))
        return bool(chat.accepted)

    await until(told_elsewhere, "somebody else to be told")
    assert office.clock.now() - NOW >= timedelta(seconds=60)
    pager.gate.set()
    await office.settled()


async def test_who_stands_in_and_fails_is_followed_by_the_next_in_the_list(office: Office) -> None:
    chat, mail = Probed(BROKEN), FakeSender()
    staffed(office, pager=Probed(BROKEN), chat=chat, mail=mail)
    number = await office.declare()
    await office.settled()
    assert (chat.notices(), mail.notices()) == (["triggered"], ["triggered"])
    assert mail.heard[0].fallback_of == "pager"
    texts = await told(office, number, "page_fell_back")
    assert [text.rpartition(": ")[2] for text in texts] == [
        "told over chat instead",
        "told over mail instead",
    ]


async def test_one_that_is_known_to_be_broken_is_left_out(office: Office) -> None:
    chat, mail = Probed(BROKEN, probes=[BROKEN]), FakeSender()
    staffed(office, pager=Probed(BROKEN, probes=[BROKEN]), chat=chat, mail=mail)
    await office.declare()
    await office.settled()
    await office.declare()
    await office.settled()
    assert (len(chat.heard), len(mail.heard)) == (1, 2)


async def test_when_all_that_could_stand_in_are_broken_the_first_to_work_again_tells_it(
    office: Office,
) -> None:
    hopeless = [BROKEN] * 100
    chat, mail = Probed(BROKEN, probes=hopeless[:]), Probed(BROKEN, probes=[BROKEN, BROKEN])
    staffed(office, pager=Probed(*hopeless, probes=hopeless[:]), chat=chat, mail=mail)
    await office.declare()
    await office.settled()
    number = await office.declare()  # by now all three are known to be broken
    await office.settled()
    texts = await told(office, number, "page_fell_back")
    assert [text.rpartition(": ")[2] for text in texts[:2]] == [
        "told over chat instead",
        "told over mail instead",
    ]
    for _ in range(4):
        await office.later(61)
    assert {message.incident.id for message in mail.accepted} == {1, number}
    assert chat.accepted == []


async def test_when_nobody_is_left_it_says_so_and_goes_on_trying(office: Office) -> None:
    pager = Probed(BROKEN, probes=[BROKEN])
    staffed(office, pager=pager, chat=Probed(BROKEN, probes=[BROKEN, BROKEN]))
    number = await office.declare()
    await office.settled()
    texts = await told(office, number, "page_fell_back")
    assert len(texts) == 2
    assert "no fall-back is" in texts[1]
    assert len(await office.waiting()) == 2
    for _ in range(3):
        await office.later(61)
    assert pager.accepted
    assert len(await told(office, number, "page_fell_back")) == 2


async def test_without_a_list_nobody_else_is_told_and_it_is_said_once(office: Office) -> None:
    chat = FakeSender()
    staffed(office, {}, pager=FakeSender(*[RETRY] * 5), chat=chat)
    number = await office.declare()
    await office.settled()
    for _ in range(8):
        await office.later(30)
    assert chat.heard == []
    [text] = await told(office, number, "page_fell_back")
    assert text.endswith("no fall-back is configured or left; it is still being tried")
    assert await office.states() == [("triggered", "sent")]


async def test_an_acknowledgement_in_between_stops_it_all(office: Office) -> None:
    chat = FakeSender()
    staffed(office, pager=FakeSender(RETRY, RETRY, RETRY), chat=chat)
    number = await office.declare()
    await office.settled()
    await office.later(1.1)
    await office.acknowledge(number)
    await office.later(5)
    assert chat.heard == []
    assert (await office.states())[0] == ("triggered", "suppressed")
    assert await told(office, number, "page_fell_back") == []


async def test_a_page_that_cannot_leave_is_stopped_by_name_and_not_told_elsewhere(office: Office) -> None:
    chat = FakeSender()
    staffed(office, pager=FakeSender(throttled(50), throttled(50)), chat=chat)
    acknowledged, snoozed = await office.declare(), await office.declare()
    await office.settled()
    await office.acknowledge(acknowledged, "bob")
    await office.snooze(snoozed, "carol")
    for _ in range(3):
        await office.later(40)
    assert chat.heard == []
    reasons = [row.reason or "" for row in await office.rows() if row.notice == "triggered"]
    assert reasons[0] == "acknowledged by bob"
    assert reasons[1].startswith("snoozed by carol until")


async def test_what_happens_later_is_told_there_too(office: Office) -> None:
    chat = FakeSender()
    staffed(office, pager=Probed(BROKEN, probes=[BROKEN] * 9), chat=chat)
    number = await office.declare()
    await office.settled()
    await office.acknowledge(number)
    await office.settled()
    await office.end(number)
    await office.settled()
    assert chat.notices() == ["triggered", "acknowledged", "resolved"]
    assert (await office.incident(number)).notify == ("pager", "chat")


async def test_a_channel_that_is_told_anyway_is_no_fall_back(office: Office) -> None:
    chat, mail = FakeSender(), FakeSender()
    tell(office, "pager", "chat", targets=ONE)
    office.hire({"pager": Probed(BROKEN), "chat": chat, "mail": mail}, traits=TRAITS)
    await office.declare()
    await office.settled()
    assert (len(chat.heard), len(mail.heard)) == (1, 1)


async def test_the_next_daemon_goes_on_where_the_last_one_stopped(office: Office) -> None:
    chat = FakeSender(open_gate=False)
    worker = staffed(office, pager=Probed(BROKEN), chat=chat)
    number = await office.declare()
    await chat.spoken_to.wait()
    await worker.stop(0.05)
    office.workers.clear()
    pager, again, mail = Probed(BROKEN, probes=[BROKEN] * 9), FakeSender(), FakeSender()
    staffed(office, pager=pager, chat=again, mail=mail)
    await office.settled()
    await office.later(30)
    assert [m.delivery_id for m in again.heard] == [m.delivery_id for m in chat.heard]
    assert mail.heard == []
    assert len(await told(office, number, "page_fell_back")) == 1


async def test_of_two_daemons_one_tells_somebody_else(pg_office: Office, pg_url: str) -> None:
    other = Store(pg_url)
    chats = [FakeSender(), FakeSender()]
    tell(pg_office, "pager", targets={"pager": ("#ops",), "chat": ("#ops",)})
    pg_office.hire({"pager": Answering(lambda _: BROKEN), "chat": chats[0]}, "w-1", traits=TRAITS)
    pg_office.hire({"pager": Answering(lambda _: RETRY), "chat": chats[1]}, "w-2", store=other, traits=TRAITS)
    numbers = [await pg_office.declare() for _ in range(12)]
    for seconds in (0, 5, 61, 5):
        await pg_office.later(seconds)
        await pg_office.settled()
    assert sorted(m.incident.id for chat in chats for m in chat.heard) == numbers
    for number in numbers:
        assert len(await told(pg_office, number, "page_fell_back")) == 1
    await pg_office.close()
    await other.close()


def gone_for_ann(message: Message) -> Outcome:
    return GONE if message.target == "ann" else OK


async def test_one_mailbox_that_is_gone_falls_back_for_its_page_and_the_others_are_sent(
    office: Office,
) -> None:
    mail, chat = Answering(gone_for_ann, ("ann", "bob")), FakeSender()
    tell(office, "mail", targets={"mail": ("ann", "bob"), "chat": ("#ops",)})
    worker = office.hire({"mail": mail, "chat": chat}, traits={"mail": Traits(fallback=("chat",))})
    for count in (1, 2):
        number = await office.declare()
        await office.settled()
        assert len(chat.heard) == count
        assert len(await told(office, number, "page_fell_back")) == 1
    assert [m.target for m in mail.accepted] == ["bob", "bob"]
    assert [h.state for h in worker.health() if h.name == "mail"] == ["ok"]


async def test_one_mailbox_that_wants_it_later_holds_up_no_page_to_another(office: Office) -> None:
    later = Outcome(Verdict.RETRY, "452", "mailbox full", of_target=True)
    mail = Answering(lambda m: later if m.target == "ann" else OK, ("ann", "bob"))
    tell(office, "mail", targets={"mail": mail.targets})
    worker = office.hire({"mail": mail})
    await office.declare()
    for _ in range(12):
        await office.later(30)
    tries = len(mail.heard)
    assert [h.state for h in worker.health()] == ["ok"]
    number = await office.declare()
    await office.settled()
    assert [(m.incident.id, m.target) for m in mail.accepted] == [(1, "bob"), (number, "bob")]
    assert tries >= 8


async def test_several_mailboxes_behind_a_broken_door_have_one_stand_in(office: Office) -> None:
    mail, chat = Answering(lambda _: BROKEN, ("ann", "bob", "carol")), FakeSender()
    tell(office, "mail", targets={"mail": mail.targets, "chat": ("#ops",)})
    office.hire({"mail": mail, "chat": chat}, traits={"mail": Traits(fallback=("chat",))})
    for _ in range(2):
        await office.declare()
        await office.settled()
    assert [m.incident.id for m in chat.heard] == [1, 2]
