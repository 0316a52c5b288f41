"""A whole incidentd in the test's own loop: chosen configuration, movable clock, fake vendors, a client.

Everything goes through the front door: posts and API calls over HTTP, answers read from the vendors.
"""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from incidentd.app import Daemon
from incidentd.clock import Clock, FixedClock, SystemClock
from incidentd.config import load
from incidentd.store import schema
from incidentd.store.codec import micros
from incidentd.tracing import Telemetry
from incidentd.workflows.escalate import steps_due
from tests.acceptance.client import Client
from tests.acceptance.waiting import until, within
from tests.fakes.pagerduty import PagerDutyFake
from tests.fakes.slack import SlackFake
from tests.fakes.smtp import SmtpFake
from tests.fakes.webhook import SECRET, WebhookFake

ROUTING_KEY = "R" * 32
SLACK_TOKEN = "xoxb-fake"
EVERYBODY = ["console", "slack", "pager", "mail", "hook"]
INGEST = "token-of-the-alertmanager-0123456789"
ALICE = "token-of-alice-who-may-everything-0123456789"
TOKENS = [
    {"name": "alertmanager", "token": INGEST, "scopes": ["ingest"]},
    {"name": "alice", "token": ALICE, "scopes": ["admin"]},
]


FAST = {"per_second": 10_000, "burst": 10_000}
"""A rate that is never reached: nothing waits for it."""


@dataclass
class Vendors:
    """One fake of each vendor. They outlive any daemon: what they saw is what people were told."""

    slack: SlackFake
    pager: PagerDutyFake
    mail: SmtpFake
    hook: WebhookFake

    def channels(self, rate: dict[str, Any] | None = FAST) -> dict[str, dict[str, Any]]:
        """The `channels` section that points at the fakes, and at standard output. None: the vendors' own rates."""
        smtp = {"host": self.mail.host, "port": self.mail.port, "tls": "none"}
        return {
            "console": {"kind": "console"},
            "slack": {
                "kind": "slack",
                "token": SLACK_TOKEN,
                "channel": "C012345",
                "base_url": self.slack.url,
                "rate": rate,
            },
            "pager": {
                "kind": "pagerduty",
                "routing_key": ROUTING_KEY,
                "base_url": self.pager.url,
                "rate": rate,
            },
            "mail": {
                "kind": "email",
                "rate": rate,
                "from": "Incidents <incidents@example.com>",
                "to": ["ops@example.com"],
                "smtp": smtp,
            },
            "hook": {"kind": "webhook", "url": f"{self.hook.url}/hook", "secret": SECRET},
        }

    @property
    def violations(self) -> list[str]:
        """Every rule of any vendor that was broken."""
        return [
            *self.slack.violations,
            *self.pager.violations,
            *self.mail.violations,
            *self.hook.violations,
        ]

    def pages(self) -> list[tuple[str, str]]:
        """What PagerDuty was told, in order, as (action, dedup key)."""
        return [(event["event_action"], event["dedup_key"]) for event in self.pager.events]


@asynccontextmanager
async def vendors(clock: Clock | None = None, pager: PagerDutyFake | None = None) -> AsyncIterator[Vendors]:
    """Open the fakes; `clock` is the webhook receiver's, which refuses old time stamps."""
    now = (clock or SystemClock()).now
    async with AsyncExitStack() as stack:
        yield Vendors(
            await stack.enter_async_context(SlackFake(SLACK_TOKEN)),
            await stack.enter_async_context(pager or PagerDutyFake((ROUTING_KEY,))),
            await stack.enter_async_context(SmtpFake()),
            await stack.enter_async_context(WebhookFake(SECRET, now)),
        )


def configuration(database_url: str, told: Vendors, **sections: Any) -> dict[str, Any]:
    """A configuration that tells every vendor of everything; `sections` replace its own."""
    return {
        "server": {"port": 0, "public_url": "https://incidents.example.com"},
        "database": {"url": database_url},
        "auth": {"tokens": TOKENS},
        "channels": told.channels(),
        "route": {"notify": EVERYBODY},
        **sections,
    }


def write(path: Path, config: dict[str, Any]) -> Path:
    """Write a configuration file: JSON is YAML. A PostgreSQL's audit key stays in its folder too."""
    if "postgresql" in config.get("database", {}).get("url", ""):
        config = {"audit": {"key_file": str(path.with_name("audit-key.pem"))}, **config}
    path.write_text(json.dumps(config, indent=1), encoding="utf-8")
    return path


@dataclass
class World:
    """A running daemon and everything around it."""

    file: Path
    clock: FixedClock
    vendors: Vendors
    console: io.StringIO = field(default_factory=io.StringIO)
    telemetry: Telemetry | None = None
    daemon: Daemon = field(init=False)
    client: Client = field(init=False)

    async def start(self) -> None:
        """Start a daemon on the configuration file, as a fresh process would."""
        self.daemon = Daemon(
            load(self.file).config,
            self.file,
            clock=self.clock,
            output=self.console,
            telemetry=self.telemetry,
        )
        await self.daemon.start()
        self.client = Client(self.daemon.url, ALICE)

    async def stop(self) -> None:
        """Stop it; every step must end in time."""
        await self.client.close()
        assert await self.daemon.stop(), "the daemon did not stop cleanly"

    async def restart(self) -> None:
        """Stop, and start again on the same database."""
        await self.stop()
        await self.start()

    async def advance(self, step: timedelta) -> None:
        """Let time pass: due timers run, due messages leave."""
        # A send under way would be taken for one that hangs; some of them do.
        await within(0.5, self._nothing_under_way)
        self.clock.set(self.clock.now() + step)
        await self.daemon.clockwork.chores.run_timers()
        await until(self._escalated, "the steps that are due to run")
        await self.settle()

    async def _escalated(self) -> bool:
        # The daemon's own tick may be at it, and another replica.
        await self.daemon.clockwork.chores.escalate()
        now = self.clock.now()
        return not await self.daemon.store.read(lambda tx: steps_due(tx, now))

    async def _nothing_under_way(self) -> bool:
        leased = sa.select(schema.deliveries.c.id).where(schema.deliveries.c.state == "leased").limit(1)
        return await self.daemon.store.read(lambda tx: tx.conn.execute(leased).first()) is None

    async def settle(self) -> None:
        """Wait until nothing that is due waits to be sent."""
        await until(self._idle, "the outbox to empty")

    async def _idle(self) -> bool:
        row = schema.deliveries.c
        due = sa.and_(row.state == "pending", row.not_before <= micros(self.clock.now()))
        waiting = sa.select(sa.func.count()).where(sa.or_(row.state == "leased", due))
        if await self.daemon.store.read(lambda tx: tx.conn.execute(waiting).scalar_one()) == 0:
            return True
        # Its look once a second never comes while this clock stands.
        self.daemon.worker.wake()
        return False

    async def post(self, body: bytes) -> dict[str, Any]:
        """Post a body that must be accepted, and wait until everybody has been told."""
        answer = await self.client.post(body)
        assert answer.status == 200, answer.text
        await self.settle()
        accepted: dict[str, Any] = answer.json
        return accepted


NOON = datetime(2026, 11, 20, 20, 40, tzinfo=UTC)
"""A little after the recorded bodies were made."""


@asynccontextmanager
async def world(
    folder: Path, database_url: str, *, told: Telemetry | None = None, **sections: Any
) -> AsyncIterator[World]:
    """A daemon with all five channels and a clock that stands until it is moved. `told`: who traces."""
    clock = FixedClock(NOON)
    async with vendors(clock) as fakes:
        file = write(folder / "incidentd.yaml", configuration(database_url, fakes, **sections))
        here = World(file, clock, fakes, telemetry=told)
        await here.start()
        try:
            yield here
        finally:
            await here.stop()
        assert fakes.violations == []
