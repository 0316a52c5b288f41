"""Pages that could not leave for half an hour, and what is told of them afterwards."""

import pytest

from incidentd.delivery.traits import Traits
from incidentd.domain.notification import DeliveryState, Outcome
from tests.delivery.cast import BROKEN, RETRY, FakeSender, Office
from tests.delivery.players import Probed, Vendor, quiet, tell, throttled, told

KEYED = Traits(people=False, keyed=True)
MACHINE = Traits(people=False)
HALF_AN_HOUR = 30 * 60


async def over(office: Office, seconds: float, *, acts: bool = False) -> int:
    """An incident that opens and ends while nothing is sent, so many seconds ago."""
    tell(office, "chat", targets={"chat": ("#ops",)})
    number = await office.declare()
    if acts:
        await office.acknowledge(number)
    await office.later(60)
    await office.end(number)
    await office.later(seconds - 60)
    return number


async def test_people_read_one_notice_that_wakes_nobody(office: Office) -> None:
    number = await over(office, HALF_AN_HOUR)
    chat = FakeSender()
    office.hire({"chat": chat})
    await quiet(office)
    assert chat.notices() == ["missed"]
    assert await office.states() == [("missed", "sent"), ("resolved", "superseded")]
    [text] = await told(office, number, "page_missed")
    assert text == "page to chat was missed: it could not be sent for 30 minutes and is over by now"
    assert office.counted("chat", "page", "missed") == 1
    assert (await office.incident(number)).last_seq == (await office.entries(number, "page_missed"))[0].seq


async def test_a_vendor_that_keeps_alerts_by_key_hears_nothing_and_the_timeline_says_so(
    office: Office,
) -> None:
    number = await over(office, HALF_AN_HOUR)
    pager = Vendor()
    office.hire({"chat": pager}, traits={"chat": KEYED})
    await quiet(office)
    assert pager.heard == []
    assert await office.states() == [("triggered", "suppressed"), ("resolved", "suppressed")]
    assert len(await told(office, number, "page_missed")) == 1
    assert await told(office, number, "page_suppressed") == []
    assert office.counted("chat", "page", "missed") == 1


async def test_a_machine_is_told_each_transition_however_late(office: Office) -> None:
    number = await over(office, 5 * HALF_AN_HOUR)
    hook = FakeSender()
    office.hire({"chat": hook}, traits={"chat": MACHINE})
    await quiet(office)
    assert hook.notices() == ["triggered", "resolved"]
    assert await told(office, number, "page_missed") == []


@pytest.mark.parametrize(
    ("traits", "notices"),
    [(Traits(), ["triggered"]), (KEYED, ["triggered", "resolved"]), (MACHINE, ["triggered", "resolved"])],
)
async def test_a_shorter_outage_is_made_up_for(office: Office, traits: Traits, notices: list[str]) -> None:
    number = await over(office, HALF_AN_HOUR / 2)
    chat = FakeSender()
    office.hire({"chat": chat}, traits={"chat": traits})
    await quiet(office)
    assert chat.notices() == notices
    assert chat.heard[0].incident.resolved_at is not None
    assert await told(office, number, "page_missed") == []


@pytest.mark.parametrize("traits", [Traits(), KEYED, MACHINE])
async def test_what_is_not_over_is_paged_however_late(office: Office, traits: Traits) -> None:
    tell(office, "chat", targets={"chat": ("#ops",)})
    await office.declare()
    await office.later(9 * HALF_AN_HOUR)
    chat = FakeSender()
    office.hire({"chat": chat}, traits={"chat": traits})
    await quiet(office)
    assert chat.notices() == ["triggered"]


@pytest.mark.parametrize("traits", [Traits(), KEYED])
async def test_what_a_person_took_is_no_missed_page(office: Office, traits: Traits) -> None:
    number = await over(office, HALF_AN_HOUR, acts=True)
    chat = FakeSender()
    office.hire({"chat": chat}, traits={"chat": traits})
    await quiet(office)
    assert "missed" not in chat.notices()
    assert (await office.rows())[0].reason == "acknowledged by bob"
    assert await told(office, number, "page_missed") == []


@pytest.mark.parametrize("answer", [RETRY, throttled(120), BROKEN])
@pytest.mark.parametrize(("traits", "notices"), [(Traits(), ["missed"]), (KEYED, [])])
async def test_after_an_outage_of_the_vendor_nobody_is_woken_for_what_is_over(
    office: Office, answer: Outcome, traits: Traits, notices: list[str]
) -> None:
    tell(office, "chat", targets={"chat": ("#ops",)})
    chat = Probed(*[answer] * 500, probes=[answer] * 500)
    office.hire({"chat": chat}, traits={"chat": traits})
    number = await office.declare()
    await office.settled()
    await office.end(number)
    for _ in range(40):
        await office.later(60)
    chat.script.clear()
    chat.probes.clear()
    await quiet(office, seconds=61)
    assert len(await told(office, number, "page_missed")) == 1
    assert [m.notice.value for m in chat.accepted if m.notice != "resolved"] == notices
    assert not [row for row in await office.rows() if row.state is DeliveryState.PENDING]
