"""A small world for the tests of intake: its alerts, its clock, and plain questions about what is stored."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa

from incidentd.domain import response
from incidentd.domain.alert import Alert, AlertStatus, fingerprint_of
from incidentd.domain.incident import Change, Incident
from incidentd.domain.matcher import parse_matcher
from incidentd.domain.routing import Route
from incidentd.store import incidents, schema
from incidentd.store.engine import Store, Tx
from incidentd.workflows import respond
from incidentd.workflows.receive import Receipt, Reception, Submission, receive
from incidentd.workflows.rules import Rules
from tests.audited import watched

T = TypeVar("T")
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ROUTES = Route(
    notify=("console",),
    routes=(
        Route((parse_matcher('severity="critical"'),), notify=("phone", "chat"), escalation="primary"),
        Route((parse_matcher('severity="warning"'),), notify=("chat",)),
        Route((parse_matcher('severity="info"'),), notify=()),
    ),
)
RULES = Rules(
    ROUTES, {"phone": ("+49 ...",), "chat": ("#ops",), "console": ("standard output",)}, grouping=("service",)
)


def at(minute: float) -> datetime:
    """So many minutes after the start of the story."""
    return START + minute * MINUTE


def fires(name: str = "a", since: float = 0, severity: str = "warning", **labels: str) -> Alert:
    """Alert `name` firing since a minute of the story, on the service `api` unless told otherwise."""
    own = {"alertname": name, "service": "api", "severity": severity, **labels}
    return Alert(
        source="main",
        fingerprint=fingerprint_of(own),
        status=AlertStatus.FIRING,
        labels=own,
        annotations={"summary": f"{name} is broken"},
        starts_at=at(since),
        ends_at=None,
        generator_url="http://prometheus/graph",
    )


def over(
    name: str = "a", since: float = 0, end: float = 1, severity: str = "warning", **labels: str
) -> Alert:
    """The same alert resolved at minute `end`."""
    return replace(fires(name, since, severity, **labels), status=AlertStatus.RESOLVED, ends_at=at(end))


class Write(Protocol):
    """Runs a unit of work in a transaction."""

    def __call__(self, work: Callable[[Tx], T], /) -> T:
        """Its result, after the commit."""
        ...


@dataclass
class World:
    """One database, one configuration, one clock that the test moves: `minute` is now."""

    write: Write
    rules: Rules = RULES
    minute: float = 0
    last: list[Submission] = field(default_factory=list)
    silent: list[set[str]] = field(default_factory=list)
    """What changed without an audit entry, transaction by transaction, though it needs one."""

    def heed(self, found: set[str]) -> None:
        """Take note of what a transaction has changed."""
        if "audited" not in found:
            self.silent.append(found)

    @property
    def now(self) -> datetime:
        return at(self.minute)

    # -- what happens -----------------------------------------------------------------------------------------
    def batch(self, *posts: Submission) -> Reception:
        rules, now = self.rules, self.now
        self.last = list(posts)
        return self.write(lambda tx: receive(tx, posts, rules, now))

    def post(self, *alerts: Alert, truncated: int = 0) -> Receipt:
        """One webhook post in a batch of its own."""
        source = alerts[0].source if alerts else "main"
        return self.batch(Submission(source, "request", alerts, truncated=truncated)).receipts[0]

    def act(self, incident_id: int, decide: Callable[[Incident], Change]) -> respond.Done:
        rules, now = self.rules, self.now
        return self.write(lambda tx: respond.act(tx, incident_id, decide, rules, now))

    def acknowledge(self, incident_id: int = 1) -> respond.Done:
        now = self.now
        return self.act(incident_id, lambda i: response.acknowledge(i, "alice", "on it", now))

    def unacknowledge(self, incident_id: int = 1) -> respond.Done:
        return self.act(incident_id, lambda i: response.unacknowledge(i, "alice", ""))

    def resolve(self, incident_id: int = 1, *, force: bool = True) -> respond.Done:
        now = self.now
        return self.act(incident_id, lambda i: response.resolve(i, "alice", "enough", now, force=force))

    def snooze(self, minutes: float, incident_id: int = 1) -> respond.Done:
        until = self.now + minutes * MINUTE
        return self.act(incident_id, lambda i: response.snooze(i, "alice", "later", until))

    def reopen(self, incident_id: int = 1) -> respond.Done:
        rules, now = self.rules, self.now
        return self.write(lambda tx: respond.reopen(tx, incident_id, "alice", "not over", rules, now))

    def timers(self) -> tuple[Change, ...]:
        rules, now = self.rules, self.now
        return self.write(lambda tx: respond.run_timers(tx, rules, now))

    # -- what is stored ---------------------------------------------------------------------------------------
    def rows(self, table: sa.Table, *order: str) -> list[Any]:
        """All rows of a table."""
        query = sa.select(table).order_by(*[table.c[name] for name in order or ("id",)])
        return self.write(lambda tx: list(tx.conn.execute(query)))

    def incidents(self) -> dict[int, Incident]:
        return {row.id: incidents.decode(row) for row in self.rows(schema.incidents)}

    def incident(self, incident_id: int = 1) -> Incident:
        return self.incidents()[incident_id]

    def timeline(self, incident_id: int = 1) -> list[str]:
        """The kinds of an incident's entries."""
        rows = self.rows(schema.timeline, "incident_id", "seq")
        return [row.kind for row in rows if row.incident_id == incident_id]

    def told(self, incident_id: int = 1) -> list[str]:
        """What people were told of an incident, as ``notice channel,channel``, in order."""
        said: dict[str, list[str]] = {}
        lines: list[str] = []
        for row in self.rows(schema.deliveries):
            if row.incident_id != incident_id:
                continue
            if lines and lines[-1] == row.notice and row.channel not in said[row.notice]:
                said[row.notice].append(row.channel)
            else:
                self._say(lines, said)
                lines.append(row.notice)
                said[row.notice] = [row.channel]
        self._say(lines, said)
        return lines

    @staticmethod
    def _say(lines: list[str], said: dict[str, list[str]]) -> None:
        if lines:
            lines[-1] = f"{lines[-1]} {','.join(said.pop(lines[-1]))}"

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """The whole database, to compare two of them."""
        return {
            table.name: [tuple(row) for row in self.rows(table, *[c.name for c in table.primary_key])]
            for table in schema.metadata.sorted_tables
            # One entry for each transaction, so batches of another size have other entries.
            if not table.name.startswith("audit_")
        }


@contextlib.contextmanager
def stored(url: str, rules: Rules = RULES) -> Iterator[World]:
    """A world on a real store."""
    with asyncio.Runner() as runner:
        store = Store(url)

        def write(work: Callable[[Tx], T]) -> T:
            return runner.run(store.write(work))

        write(lambda tx: schema.metadata.create_all(tx.conn))
        try:
            yield World(write, rules)
        finally:
            runner.run(store.close())


@contextlib.contextmanager
def remembered(rules: Rules = RULES, *, audited: bool = False) -> Iterator[World]:
    """A world on SQLite in memory: fast, for thousands of small stories. `audited`: it heeds what is silent."""
    engine = sa.create_engine("sqlite+pysqlite://", poolclass=sa.pool.StaticPool)
    with engine.connect() as connection:
        schema.metadata.create_all(connection)
        connection.commit()

        def write(work: Callable[[Tx], T]) -> T:
            with connection.begin():
                watching = partial(watched, work, world.heed) if audited else work
                return Tx(connection, postgresql=False).run(watching)

        world = World(write, rules)
        yield world
    engine.dispose()


Story = Callable[[World], None]


def story(*posts: tuple[float, list[object]]) -> Story:
    """Posts at minutes of the story."""

    def tell(world: World) -> None:
        for minute, alerts in posts:
            world.minute = minute
            world.post(*alerts)  # type: ignore[arg-type]

    return tell


A, A5, ENDED = fires("a"), fires("a", 5), over("a", end=3)
