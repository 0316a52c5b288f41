"""More of the cast: channels that answer by what they are told, and vendors that keep alerts by key."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

from incidentd.domain import response
from incidentd.domain.notification import Message, Notice, Outcome, Verdict
from incidentd.domain.routing import Route
from incidentd.domain.severity import Severity
from incidentd.store.engine import Tx
from incidentd.workflows import respond
from incidentd.workflows.respond import Declaration
from incidentd.workflows.rules import Rules
from tests.delivery.cast import OK, FakeSender, Office


def throttled(seconds: float | None = None) -> Outcome:
    """The vendor asks to slow down, for so long."""
    return Outcome(Verdict.THROTTLED, "http_429", "", None if seconds is None else timedelta(seconds=seconds))


class Probed(FakeSender):
    """A channel whose probes answer by a script of their own, then with OK."""

    def __init__(
        self, *script: Outcome | Exception, probes: Iterable[Outcome] = (), open_gate: bool = True
    ) -> None:
        super().__init__(*script, open_gate=open_gate)
        self.probes = list(probes)
        self.probed = 0

    async def probe(self) -> Outcome:
        self.probed += 1
        return self.probes.pop(0) if self.probes else OK


class Answering(Probed):
    """A channel that decides what it answers by the message."""

    def __init__(self, answer: Callable[[Message], Outcome], targets: tuple[str, ...] = ("#ops",)) -> None:
        super().__init__()
        self.answer = answer
        self.targets = targets

    async def send(self, message: Message) -> Outcome:
        self.script = [self.answer(message)]
        return await super().send(message)


class Vendor(FakeSender):
    """Keeps an alert for each key, as a vendor does whose first event opens it and whose last one closes it."""

    def __init__(self, *script: Outcome | Exception) -> None:
        super().__init__(*script)
        self.alerts: dict[str, str] = {}
        self.after_the_end: list[str] = []
        """Keys that were opened again after their end."""

    async def send(self, message: Message) -> Outcome:
        outcome = await super().send(message)
        # Without an answer it may have acted all the same.
        if outcome.verdict in {Verdict.OK, Verdict.AMBIGUOUS}:
            self._act(message)
        return outcome

    def _act(self, message: Message) -> None:
        known = self.alerts.get(message.dedup_key)
        if message.notice is Notice.RESOLVED:
            if known is not None:
                self.alerts[message.dedup_key] = "resolved"
        elif message.notice is Notice.ACKNOWLEDGED:
            if known == "triggered":
                self.alerts[message.dedup_key] = "acknowledged"
        elif message.notice is not Notice.UPDATED:
            if known == "resolved":
                self.after_the_end.append(message.dedup_key)
            self.alerts[message.dedup_key] = "triggered"


def tell(office: Office, *notify: str, targets: Mapping[str, tuple[str, ...]]) -> None:
    """Incidents are told over `notify`; `targets` names every configured channel."""
    office.rules = Rules(Route(notify=notify), targets)


async def told(office: Office, incident: int, kind: str) -> list[str]:
    """The texts of an incident's timeline entries of a kind."""
    return [entry.text for entry in await office.entries(incident, kind)]


async def declare_many(office: Office, count: int, *severities: Severity) -> list[int]:
    """So many new incidents at once; their severities in turn, else all critical."""
    now, levels = office.clock.now(), severities or (Severity.CRITICAL,)

    def work(tx: Tx) -> list[int]:
        numbers = []
        for n in range(count):
            declared = Declaration(f"trouble {n}", levels[n % len(levels)], f"shop-{n % 5}", "", "alice")
            numbers.append(respond.declare(tx, declared, office.rules, now).incident.id)
        return numbers

    numbers = await office.store.write(work)
    office.wake()
    return numbers


async def end_many(office: Office, numbers: Iterable[int]) -> None:
    """The alerts of all of them end by themselves."""
    now, ids = office.clock.now(), list(numbers)

    def work(tx: Tx) -> None:
        for number in ids:
            respond.act(
                tx,
                number,
                lambda i: response.ended_by_source(i, now, now, administrative=False),
                office.rules,
                now,
            )

    await office.store.write(work)
    office.wake()


async def quiet(office: Office, seconds: float = 1, most: int = 60) -> None:
    """Let the clock run until nothing waits."""
    for _ in range(most):
        await office.settled()
        if not await office.waiting():
            return
        await office.later(seconds)
    raise AssertionError(f"still waiting: {await office.waiting()}")
