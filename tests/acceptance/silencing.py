"""A daemon that makes silences in real Alertmanagers, and what the tests of it ask."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.acceptance import alertmanager as am
from tests.acceptance.alertmanager import Alertmanager, firing
from tests.acceptance.harness import ALICE
from tests.acceptance.process import ROOT
from tests.acceptance.reconciling import Reconciled
from tests.acceptance.waiting import until

_CTL = "from incidentd.cli.ctl import main; main()"


async def there(member: Alertmanager, path: str = "silences") -> list[Any]:
    """What an Alertmanager answers."""
    async with aiohttp.ClientSession() as session, session.get(f"{member.url}/api/v2/{path}") as response:
        found: list[Any] = await response.json()
        return found


async def holding(member: Alertmanager) -> list[Any]:
    """The silences that hold there."""
    return [each for each in await there(member) if each["status"]["state"] != "expired"]


async def muted(member: Alertmanager) -> dict[str, str]:
    """Alert name -> its state there."""
    found = await there(member, "alerts")
    return {each["labels"]["alertname"]: each["status"]["state"] for each in found}


@dataclass
class Silenced(Reconciled):
    """A stage whose daemon has been told of these Alertmanagers, and one alert that fires."""

    async def open(self, names: int = 1) -> list[dict[str, Any]]:
        """Let alerts fire, one incident for each; the daemon knows the Alertmanagers from then on."""
        alerts = firing(am.alerts(names, groups=names))
        for number, alert in enumerate(alerts, 1):
            await self.members[0].post([alert])
            await self.stage.wait_firing(number, incidents=number)
        await self.ask(reconcile={"enabled": False})
        return alerts

    async def ctl(self, *arguments: str, status: int = 0) -> str:
        """Run `incidentctl ARGUMENTS` as alice; what it printed."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "300",
            "INCIDENTD_URL": self.stage.daemon.url,
            "INCIDENTD_TOKEN": ALICE,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            _CTL,
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environment,
        )
        said, _ = await process.communicate()
        assert process.returncode == status, said.decode()
        return said.decode()

    async def silence(self, number: int = 1) -> dict[str, Any]:
        """The latest silence of an incident."""
        found: dict[str, Any] = await self.stage.client.get(f"/api/v1/incidents/{number}/silence")
        return found

    async def wait_states(self, *states: str) -> dict[str, Any]:
        """Wait until the silence of INC-1 stands like this, Alertmanager by Alertmanager."""
        await until(lambda: self._stands(states), f"the silence to be {states}")
        return await self.silence()

    async def _stands(self, states: tuple[str, ...]) -> bool:
        return tuple([each["state"] for each in (await self.silence())["items"]]) == states
