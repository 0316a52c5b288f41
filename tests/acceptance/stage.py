"""A daemon in a process of its own between a real Alertmanager and fake vendors."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance import alertmanager as am
from tests.acceptance.client import ALERTS, Client
from tests.acceptance.harness import ALICE, INGEST, Vendors, configuration, vendors, write
from tests.acceptance.process import Process, client_of, running
from tests.acceptance.waiting import until

_HEAD = re.compile(r"^\[(INC-\d+|\d+ incidents)\]", re.MULTILINE)
"""What a message in Slack begins with."""


@dataclass
class Stage:
    """A daemon in a process of its own, the vendors, and a client that may do everything."""

    daemon: Process
    vendors: Vendors
    client: Client
    folder: Path

    @property
    def config(self) -> dict[str, object]:
        """For an Alertmanager that posts to this daemon."""
        return am.config(self.daemon.url + ALERTS, token=INGEST)

    async def count(self, state: str) -> int:
        """How many incidents are in this state."""
        return len(await self.client.incidents(state=state))

    async def firing_alerts(self) -> int:
        """How many alerts fire by the daemon's word."""
        return len(await self.client.all("/api/v1/alerts?status=firing"))

    async def wait_firing(self, alerts: int, incidents: int) -> None:
        """Wait until so many alerts fire in so many open incidents."""
        await until(lambda: self._firing(alerts, incidents), f"{alerts} alerts in {incidents} incidents")

    async def _firing(self, alerts: int, incidents: int) -> bool:
        return await self.firing_alerts() == alerts and await self.count("open") == incidents

    async def wait_over(self, incidents: int, seconds: float = 20) -> None:
        """Wait until so many incidents are resolved and nobody waits for a message any more."""
        await until(lambda: self._over(incidents), f"{incidents} incidents to be over", seconds)

    async def _over(self, incidents: int) -> bool:
        if await self.count("open") or await self.count("resolved") != incidents:
            return False
        return await self.client.nothing_waits()

    async def received(self) -> float:
        """How many alerts were taken, repeats included."""
        return await self.client.metric("incidentd_alerts_received_total")

    async def wait_silence(self, seconds: float) -> None:
        """Wait until no alert has come in for so long."""
        loop = asyncio.get_running_loop()
        known, since = await self.received(), loop.time()

        async def silent() -> bool:
            nonlocal known, since
            count = await self.received()
            if count != known:
                known, since = count, loop.time()
            return loop.time() - since >= seconds

        await until(silent, "the senders to fall silent", 25)

    async def stale(self) -> int:
        """How often an alert came again with the start of an occurrence that had ended."""
        incidents = await self.client.incidents()
        entries = [entry for i in incidents for entry in await self.client.timeline(i["id"])]
        return sum(entry["data"].get("reason") == "same_start" for entry in entries)

    def check_each_page_once(self, incidents: int) -> None:
        """Every incident was triggered once and resolved once at PagerDuty, and nobody broke a rule."""
        pages = Counter(self.vendors.pages())
        keys = {key for _, key in pages}
        assert len(keys) == incidents
        assert pages == Counter({(action, key): 1 for key in keys for action in ("trigger", "resolve")})
        assert set(self.vendors.pager.alerts.values()) == {"resolved"}
        assert self.vendors.pager.dropped == []
        assert self.vendors.violations == []
        self._check_slack(incidents)

    def _check_slack(self, incidents: int) -> None:
        """Each incident has one message at most, and every one was told: in its own or in one with others."""
        heads = Counter(_HEAD.findall("\n".join(root["text"] for root in self.vendors.slack.roots)))
        own = {head: count for head, count in heads.items() if head.startswith("INC-")}
        together = sum(int(head.split()[0]) * heads[head] for head in heads.keys() - own.keys())
        assert set(own.values()) <= {1}
        assert len(own) <= incidents <= len(own) + together


@asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[Stage]:
    """A stage on SQLite; one incident for each alert name. The test is skipped without Alertmanager."""
    am.binary()
    async with vendors() as told:
        database = f"sqlite+aiosqlite:///{folder}/incidentd.db"
        config = configuration(database, told, grouping={"by": ["alertname"]})
        file = write(folder / "incidentd.yaml", config)
        async with running(file) as daemon, client_of(daemon, ALICE) as client:
            yield Stage(daemon, told, client, folder)
