"""A real Alertmanager posts to a real daemon. It ends with every incident resolved, every page sent once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.acceptance import alertmanager as am
from tests.acceptance.alertmanager import Alertmanager, firing, resolved
from tests.acceptance.stage import Stage, staged
from tests.acceptance.waiting import until


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as opened:
        yield opened


async def test_three_hundred_alerts_in_thirty_groups_become_thirty_incidents_and_end(stage: Stage) -> None:
    alertmanager = Alertmanager(stage.folder / "am", stage.config)
    many = am.alerts(300, groups=30)
    async with am.started(alertmanager):
        await alertmanager.post(firing(many))
        await stage.wait_firing(300, incidents=30)
        await alertmanager.post(resolved(many))
        await stage.wait_over(30)
        assert await alertmanager.failures() == 0
    stage.check_each_page_once(30)
    for incident in await stage.client.incidents():
        assert (incident["alerts_firing"], incident["alerts_total"]) == (0, 10)
        assert incident["resolved_by"] == "source"


async def test_a_group_grows_and_shrinks_inside_one_incident(stage: Stage) -> None:
    alertmanager = Alertmanager(stage.folder / "am", stage.config)
    first, second, third = am.alerts(3, groups=1)
    async with am.started(alertmanager):
        await alertmanager.post(firing([first]))
        await stage.wait_firing(1, incidents=1)
        await alertmanager.post(firing([second, third]))
        await stage.wait_firing(3, incidents=1)
        await alertmanager.post(resolved([first, third]))
        await stage.wait_firing(1, incidents=1)
        await alertmanager.post(resolved([second]))
        await stage.wait_over(1)
    stage.check_each_page_once(1)


async def test_a_gossiping_pair_that_posts_stale_alerts_wakes_nobody_twice(stage: Stage) -> None:
    """The second peer posts the snapshot of its own flush late: firing again after the resolve, the same start."""
    both = am.pair(stage.folder, stage.config, gossip=True)
    incidents = 0
    async with am.started(*both):
        # Whether the resolve falls between the peers' flushes is up to the machine; almost always it does.
        while not await stage.stale() and incidents < 9:
            some = am.alerts(6, groups=3, prefix=f"Round{incidents}x")
            await post_to_all(both, firing(some))
            await stage.wait_firing(6, incidents=3)
            await post_to_all(both, resolved(some))
            incidents += 3
            await stage.wait_over(incidents)
            # Stale posts come up to a peer's time-out later, and are taken back a group interval after that.
            await stage.wait_silence(2)
            await stage.wait_over(incidents)
        assert await stage.stale() > 0, "no stale post came: nothing was proven"
    stage.check_each_page_once(incidents)


async def test_a_split_pair_sends_everything_twice_and_each_page_leaves_once(stage: Stage) -> None:
    both = am.pair(stage.folder, stage.config, gossip=False)
    some = am.alerts(40, groups=20)
    async with am.started(*both):
        await post_to_all(both, firing(some))
        await stage.wait_firing(40, incidents=20)
        await until(lambda: posts(stage, "firing", 80), "both peers' firing posts")
        await post_to_all(both, resolved(some))
        await until(lambda: posts(stage, "resolved", 80), "both peers' resolved posts")
        await stage.wait_over(20)
    stage.check_each_page_once(20)


async def test_an_alertmanager_that_was_killed_repeats_itself_and_nobody_is_told_again(stage: Stage) -> None:
    alertmanager = Alertmanager(stage.folder / "am", stage.config)
    some = firing(am.alerts(4, groups=2))
    async with am.started(alertmanager):
        await alertmanager.post(some)
        await stage.wait_firing(4, incidents=2)
        await alertmanager.end(signal.SIGKILL)
        await alertmanager.start()
        # It has forgotten what it notified; Prometheus posts what still fires.
        await alertmanager.post(some)
        await until(lambda: posts(stage, "firing", 8), "the repeated posts")
        await alertmanager.post(resolved(some))
        await stage.wait_over(2)
    stage.check_each_page_once(2)


async def test_what_fires_while_the_daemon_is_away_arrives_when_it_is_back(stage: Stage) -> None:
    alertmanager = Alertmanager(stage.folder / "am", stage.config)
    before, during = am.alerts(4, groups=2, prefix="Before"), am.alerts(4, groups=2, prefix="During")
    async with am.started(alertmanager):
        await alertmanager.post(firing(before))
        await stage.wait_firing(4, incidents=2)
        assert await stage.daemon.end() == 0
        await alertmanager.post(firing(during))
        await alertmanager.post(resolved(before))
        await until(lambda: failing(alertmanager), "Alertmanager to notice")
        await stage.daemon.start()
        await stage.wait_firing(4, incidents=2)
        titles = {incident["title"][:6] for incident in await stage.client.incidents(state="open")}
        assert titles <= {"During", "alert "}
        await alertmanager.post(resolved(during))
        await stage.wait_over(4)
    stage.check_each_page_once(4)


async def post_to_all(members: tuple[Alertmanager, ...], alerts: list[dict[str, object]]) -> None:
    """Prometheus posts to every Alertmanager it knows."""
    async with asyncio.TaskGroup() as group:
        for member in members:
            group.create_task(member.post(alerts))


async def posts(stage: Stage, status: str, least: int) -> bool:
    """True if so many alerts were taken with this status, repeats included."""
    return await stage.client.metric("incidentd_alerts_received_total", status=status) >= least


async def failing(alertmanager: Alertmanager) -> bool:
    """True if a post has failed."""
    return await alertmanager.failures() > 0
