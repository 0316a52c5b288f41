"""Objectives are measured side by side: a Prometheus that hangs holds up nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import orjson

from incidentd.channels.base import HttpAnswer
from incidentd.clock import FixedClock
from incidentd.config import Config
from incidentd.jobs.objectives import Watching
from incidentd.store.engine import Store
from incidentd.workflows.objectives import Board
from incidentd.workflows.rules import Rules
from tests.workflows.world import RULES, START


class Meeting:
    """Answers no first question before every objective has asked one."""

    def __init__(self, parties: int) -> None:
        self._barrier = asyncio.Barrier(parties)
        self._came: set[str] = set()

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes, *, guarded: bool = False
    ) -> HttpAnswer:
        """As Prometheus does; nothing went wrong."""
        assert (method, guarded) == ("POST", False)
        assert headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert content
        if url not in self._came:
            self._came.add(url)
            await asyncio.wait_for(self._barrier.wait(), 5)
        ranged = url.endswith("query_range")
        found: dict[str, Any] = {"resultType": "matrix" if ranged else "vector", "result": []}
        return HttpAnswer(200, {}, orjson.dumps({"status": "success", "data": found}))


class NoStore:
    """Finds that nothing is due."""

    async def read_now(self, _: object) -> object:
        return False, {}


def level(name: str) -> dict[str, Any]:
    """An objective with a Prometheus of its own."""
    source = {"prometheus": f"http://{name}:9090", "errors": "e[$window]", "total": "t[$window]"}
    return {"name": name, "service": name, "target": 99, "promql": source}


async def test_every_prometheus_is_asked_before_the_first_has_answered() -> None:
    names = ["a", "b", "c", "d"]
    config = Config.model_validate({"slo": [level(name) for name in names]})
    rules: Rules = RULES
    board = Board()
    watching = Watching(
        cast("Store", NoStore()), FixedClock(START), cast("Any", Meeting(len(names))), lambda: rules,
        lambda: config, board, lambda _: None,
    )  # fmt: skip
    await watching.look()
    assert [(name, board.of[name].error) for name in names] == [(name, "") for name in names]
