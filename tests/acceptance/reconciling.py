"""A daemon that asks real Alertmanagers, in rounds of a second, and what the tests of it ask."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.acceptance.alertmanager import Alertmanager
from tests.acceptance.stage import Stage
from tests.acceptance.waiting import until

QUICK: dict[str, Any] = {"every": "1s", "rounds": 2, "group_interval": "2s", "settle": "0s"}


@dataclass
class Reconciled:
    """A stage whose daemon has been told of these Alertmanagers."""

    stage: Stage
    members: tuple[Alertmanager, ...]

    async def ask(self, *, reconcile: dict[str, Any] | None = None, **source: Any) -> None:
        """Let the daemon ask them: by a reload, so that their addresses need not be known before."""
        file = self.stage.daemon.config
        config = json.loads(file.read_text(encoding="utf-8"))
        addresses: list[Any] = [member.url for member in self.members]
        config["sources"] = {
            "main": {"alertmanagers": addresses, "reconcile": {**QUICK, **(reconcile or {})}, **source}
        }
        file.write_text(json.dumps(config), encoding="utf-8")
        answer = await self.stage.client.call("POST", "/-/reload")
        assert answer.status == 200, answer.text

    async def drift(self, kind: str) -> float:
        """How often this was found."""
        return await self.stage.client.metric("incidentd_reconcile_drift_total", source="main", kind=kind)

    async def good(self) -> float:
        """When the last good round was."""
        return await self.stage.client.metric("incidentd_reconcile_last_success_timestamp_seconds")

    async def wait_good(self, rounds: int = 1) -> None:
        """Wait for so many further good rounds."""
        for _ in range(rounds):
            last = await self.good()
            await until(lambda last=last: self._since(last), "a good round")  # type: ignore[misc]

    async def _since(self, last: float) -> bool:
        return await self.good() > last

    async def wait_failed(self, reason: str, rounds: int) -> None:
        """Wait for so many further rounds that failed for this reason."""
        before = await self._failures(reason)
        await until(lambda: self._more(reason, before + rounds), f"{rounds} rounds that fail: {reason}")

    async def _more(self, reason: str, number: float) -> bool:
        return await self._failures(reason) >= number

    async def _failures(self, reason: str) -> float:
        return await self.stage.client.metric("incidentd_reconcile_failures_total", reason=reason)

    async def wait_resolved(self, number: int) -> dict[str, Any]:
        """Wait until reconciling has resolved this incident."""
        await until(lambda: self._is(number, state="resolved"), f"INC-{number} to be resolved")
        incident: dict[str, Any] = await self.stage.client.incident(number)
        assert incident["resolved_by"] == "reconcile"
        return incident

    async def wait(self, number: int, **fields: Any) -> dict[str, Any]:
        """Wait until the incident has these values."""
        await until(lambda: self._is(number, **fields), f"INC-{number} with {fields}")
        incident: dict[str, Any] = await self.stage.client.incident(number)
        return incident

    async def _is(self, number: int, **fields: Any) -> bool:
        incident = await self.stage.client.incident(number)
        return all(incident[name] == value for name, value in fields.items())

    async def texts(self, number: int, kind: str) -> list[str]:
        """What the timeline says of this kind."""
        entries = await self.stage.client.timeline(number)
        return [entry["text"] for entry in entries if entry["kind"] == kind]
