"""The suite can fail: a receiver without fault passes, and each mistake of real ones is found by the right cases."""

from __future__ import annotations

import asyncio
import importlib.util
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from incidentd.conformance.adapter import Adapter, HttpAdapter
from incidentd.conformance.catalogue import CATALOGUE
from incidentd.conformance.model import Case
from incidentd.conformance.suite import Outcome, Result, Settings, Suite, Target
from incidentd.conformance.timing import Timing
from incidentd.conformance.wire import Wire
from tests.conformance.toy import Mistake, Toy, ToyAdapter, running

SHIM = Path(__file__).parents[2] / "docs/examples/conformance_shim.py"
SMALL = [case for case in CATALOGUE if case.name != "ten-thousand"]


class Standing:
    """Time that passes only while somebody waits."""

    def __init__(self) -> None:
        self.passed = 0.0

    def sleep(self, seconds: float) -> None:
        self.passed += seconds

    @property
    def timing(self) -> Timing:
        return Timing(lambda: datetime(2026, 11, 21, 8, 0, tzinfo=UTC), lambda: self.passed, self.sleep)


async def run(toy: Toy, cases: list[Case], make: Callable[[Wire], Adapter] | None = None) -> list[Result]:
    """Run cases against the toy, from another thread as the toy lives in this one."""
    timing = Standing().timing
    wire = Wire(timing, give_up=1)
    target = Target(f"{toy.url}/hook", {}, toy.restart)
    adapter = make(wire) if make else ToyAdapter(toy)

    def go() -> list[Result]:
        suite = Suite(target, adapter, wire, timing, Settings("test", patience=0.3))
        return suite.run(cases, lambda result: None)

    return await asyncio.to_thread(go)


def names(results: list[Result], outcome: Outcome) -> set[str]:
    return {result.case.name for result in results if result.outcome is outcome}


async def test_a_receiver_without_fault_passes_every_case_that_it_can_be_asked() -> None:
    async with running() as toy:
        results = await run(toy, list(CATALOGUE))
        assert [(r.case.name, r.fault) for r in results if r.fault] == []
        assert names(results, Outcome.SKIPPED) == {"acknowledged", "credentials"}
        assert all(ticket.over for ticket in toy.tickets), "the suite ends what it fired"
        assert not any(result.left for result in results)


FOUND_BY: dict[Mistake, set[str]] = {
    Mistake.DEAF: {"first-firing", "mixed-body", "fires-again", "recorded-prometheus", "kill"},
    Mistake.APPENDS: {
        "retry",
        "repeat-interval",
        "pair-at-once",
        "renamed-receiver",
        "burst",
        "absent-is-not-over",
    },
    Mistake.BODY_STATUS: {"mixed-body", "same-summary"},
    Mistake.ABSENCE: {"absent-is-not-over"},
    Mistake.HASTY: {"stale-firing"},
    Mistake.DULL: {"fires-again", "late-resolve"},
    Mistake.SUMMARY: {"same-summary", "summary-changes", "many-groups-at-once"},
    Mistake.RECEIVER: {"renamed-receiver"},
    Mistake.ORPHANS: {"resolved-never-fired"},
    Mistake.LATE: {"late-resolve"},
    Mistake.YEAR_ONE: {"year-one", "first-firing"},
    Mistake.STRICT: {"unknown-fields", "repeat-interval", "no-alertname", "no-severity"},
    Mistake.NAIVE_ZONES: {"time-zones"},
    Mistake.FIRST_ERROR: {"bad-neighbour"},
    Mistake.NO_NUL: {"nul"},
    Mistake.LIMIT: {"burst", "many-groups-at-once"},
    Mistake.REDIRECT: {"trailing-slash"},
    Mistake.POST_ONLY: {"put"},
    Mistake.GULLIBLE: {"garbage"},
    Mistake.SILENT_CUT: {"truncated"},
    Mistake.FORGETFUL: {"kill"},
}
ONLY_THESE = {
    *(Mistake.BODY_STATUS, Mistake.ABSENCE, Mistake.HASTY, Mistake.DULL, Mistake.RECEIVER, Mistake.ORPHANS),
    *(Mistake.LATE, Mistake.STRICT, Mistake.NAIVE_ZONES, Mistake.FIRST_ERROR, Mistake.NO_NUL),
    *(Mistake.REDIRECT, Mistake.POST_ONLY, Mistake.GULLIBLE, Mistake.SILENT_CUT, Mistake.FORGETFUL),
}
"""Mistakes that no other case suffers from."""


@pytest.mark.parametrize("mistake", Mistake, ids=lambda mistake: mistake.name.lower())
async def test_a_mistake_is_found_by_the_cases_made_for_it(mistake: Mistake) -> None:
    async with running(mistake) as toy:
        failed = names(await run(toy, SMALL), Outcome.FAILED)
    assert FOUND_BY[mistake] <= failed
    if mistake in ONLY_THESE:
        assert failed == FOUND_BY[mistake]


@contextmanager
def shim(api: str) -> Iterator[str]:
    """The example of the documentation, served."""
    spec = importlib.util.spec_from_file_location("conformance_shim", SHIM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with module.server(api, 0) as served:
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()
        thread.join()


@pytest.mark.parametrize(("mistake", "failed"), [(None, set()), (Mistake.HASTY, {"stale-firing"})])
async def test_the_shim_of_the_documentation_translates_for_another_api(
    mistake: Mistake | None, failed: set[str]
) -> None:
    async with running(mistake) as toy:
        with shim(toy.url) as url:
            results = await run(toy, SMALL, lambda wire: HttpAdapter(url, {}, wire))
    assert names(results, Outcome.FAILED) == failed


async def test_a_failure_says_what_was_expected_and_seen() -> None:
    async with running(Mistake.APPENDS) as toy:
        [result] = await run(toy, [case for case in CATALOGUE if case.name == "retry"])
    assert result.fault is not None
    assert result.fault.expected == "firing: a, each in exactly one open incident"
    assert result.fault.seen == "a fires in 3 open incidents"
    assert result.step == 5
