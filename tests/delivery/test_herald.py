"""Change events: told once each, after the pages, again after a failure, and never at the cost of a page."""

from datetime import timedelta

from incidentd.channels.base import Rate
from incidentd.delivery.traits import Traits
from incidentd.delivery.worker import Limits, Worker
from incidentd.domain.deployment import Announcement, Deployment, DeploymentStatus
from incidentd.domain.notification import Outcome, Verdict
from incidentd.store import change_events
from incidentd.store.change_events import Backlog
from incidentd.store.engine import Store, Tx
from incidentd.workflows.deployments import record
from tests.delivery.cast import BROKEN, NOW, OK, REJECTED, RETRY, FakeSender, Office

MINUTE = timedelta(minutes=1)
BUSY = Outcome(Verdict.THROTTLED, "http_429", "slow down")


class Teller(FakeSender):
    """A channel that can also tell of deployments, and answers those by a script of their own."""

    def __init__(self, *answers: Outcome | Exception) -> None:
        super().__init__()
        self.answers = list(answers)
        self.told: list[Announcement] = []

    async def announce(self, said: Announcement) -> Outcome:
        self.told.append(said)
        self.spoken_to.set()
        await self.gate.wait()
        answer = self.answers.pop(0) if self.answers else OK
        if isinstance(answer, Exception):
            raise answer
        return answer

    def names(self) -> list[str]:
        return [said.deployment.id for said in self.told]


async def deployed(office: Office, *names: str) -> None:
    """Deployments end; `chat` is to be told."""
    now = office.clock.now()

    def work(tx: Tx) -> None:
        # In one transaction: whether the channel sees some of them before the others must not be chance.
        for name in names:
            status = DeploymentStatus.SUCCESS
            done = Deployment("main", name, "shop & co", "production", "1.2", status, None, now, now)
            record(tx, done, ["chat"], "ci", now)

    await office.store.write(work)
    office.wake()


async def backlog(office: Office) -> Backlog:
    return await office.store.read(lambda tx: change_events.backlog(tx, NOW))


async def test_each_deployment_is_told_once_and_leads_to_where_it_is_shown(office: Office) -> None:
    teller = Teller()
    office.hire({"chat": teller})
    await deployed(office, "7", "8")
    await office.settled()
    await office.later(3600)
    assert teller.names() == ["7", "8"]
    url = "http://inc.example/api/v1/deployments?service=shop+%26+co&environment=production"
    assert teller.told[0].url == url
    assert await backlog(office) == Backlog(0, None, 0)
    assert office.counted("chat", "change", "ok") == 2


async def test_after_a_failure_all_wait_and_the_next_one_is_tried_first(office: Office) -> None:
    teller = Teller(RETRY, RETRY)
    office.hire({"chat": teller})
    await deployed(office, "7", "8")
    await office.settled()
    assert teller.names() == ["7"]
    for _ in range(5):
        await office.later(60)
    assert teller.names() == ["7", "8", "7", "8"]
    assert (await backlog(office)).waiting == 0


async def test_being_told_to_slow_down_pauses_change_events_and_no_page(office: Office) -> None:
    teller = Teller(BUSY)
    office.hire({"chat": teller})
    await deployed(office, "7", "8")
    await office.settled()
    await office.declare()
    await office.later(29)
    assert teller.names() == ["7"]
    assert teller.notices() == ["triggered"]
    await office.later(2)
    assert sorted(teller.names()) == ["7", "7", "8"]


async def test_a_refused_one_is_given_up_and_a_fault_of_ours_is_not(office: Office) -> None:
    teller = Teller(REJECTED, RuntimeError("bug"))
    office.hire({"chat": teller})
    await deployed(office, "7", "8")
    await office.settled()
    await office.later(60)
    assert teller.names() == ["7", "8", "8"]
    assert await backlog(office) == Backlog(0, None, 1)
    assert office.counted("chat", "change", "dead") == 1


async def test_a_channel_that_refuses_us_is_tried_for_six_hours_and_its_pages_are_not_held_up(
    office: Office,
) -> None:
    teller = Teller(*[BROKEN] * 1000)
    office.hire({"chat": teller})
    await deployed(office, "7")
    await office.settled()
    await office.declare()
    await office.settled()
    assert teller.notices() == ["triggered"]
    for _ in range(40):
        await office.later(600)
    assert await backlog(office) == Backlog(0, None, 1)


async def test_a_paused_destination_is_left_alone(office: Office) -> None:
    teller = Teller()
    teller.script = [BUSY]
    office.hire({"chat": teller})
    await office.declare()
    await office.settled()
    await deployed(office, "7")
    await office.later(29)
    assert teller.names() == []
    await office.later(20)
    assert teller.names() == ["7"]


async def test_pages_go_first_and_half_of_the_rate_is_kept_for_them(office: Office) -> None:
    teller = Teller()
    office.hire({"chat": teller}, traits={"chat": Traits(people=False, rate=Rate(0.1, 4))})
    await deployed(office, *"12345")
    await office.settled()
    assert teller.names() == ["1", "2"]
    for _ in range(2):
        await office.declare()
    await office.settled()
    assert teller.notices() == ["triggered", "triggered"]
    await office.later(9)
    assert teller.names() == ["1", "2"]
    await office.later(25)
    assert teller.names() == ["1", "2", "3"]


async def test_a_channel_that_cannot_tell_of_deployments_is_not_asked(office: Office) -> None:
    sender = FakeSender()
    office.hire({"chat": sender})
    await deployed(office, "7")
    await office.settled()
    assert sender.heard == []
    assert (await backlog(office)).waiting == 1


async def test_what_a_sender_died_with_is_told_after_its_lease(office: Office) -> None:
    await deployed(office, "7")
    until = NOW + Limits().lease
    await office.store.write(lambda tx: change_events.claim(tx, "chat", NOW, until))
    teller = Teller()
    office.hire({"chat": teller})
    await office.later(24)
    assert teller.names() == []
    await office.later(2)
    assert teller.names() == ["7"]


async def test_a_stop_waits_for_what_is_being_told_and_a_later_run_goes_on(office: Office) -> None:
    first, second = Teller(), Teller()
    first.gate.clear()
    worker: Worker = office.hire({"chat": first})
    await deployed(office, "7", "8")
    await first.spoken_to.wait()
    first.gate.set()
    assert await worker.stop(5)
    office.workers.clear()
    office.hire({"chat": second})
    await office.settled()
    assert (first.names(), second.names()) == (["7"], ["8"])


async def test_two_replicas_tell_each_deployment_once(pg_office: Office, pg_url: str) -> None:
    other = Store(pg_url)
    tellers = [Teller(), Teller()]
    pg_office.hire({"chat": tellers[0]}, "w-1")
    pg_office.hire({"chat": tellers[1]}, "w-2", store=other)
    await deployed(pg_office, *[str(n) for n in range(30)])
    while (await backlog(pg_office)).waiting:
        await pg_office.settled()
    told = [name for teller in tellers for name in teller.names()]
    assert len(told) == len(set(told)) == 30
    await pg_office.close()
    await other.close()
