"""A real Alertmanager that never tells of the end, or of the beginning: asking it finds out."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance import alertmanager as am
from tests.acceptance.alertmanager import Alertmanager, firing, resolved
from tests.acceptance.reconciling import Reconciled
from tests.acceptance.stage import Stage, staged
from tests.acceptance.waiting import until


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as opened:
        yield opened


def alone(stage: Stage, **hook: Any) -> Reconciled:
    """One Alertmanager; `hook` changes how it posts."""
    config: dict[str, Any] = stage.config
    config["receivers"][0]["webhook_configs"][0].update(hook)
    config["inhibit_rules"] = [
        {
            "source_matchers": ['alertname="Drill000"'],
            "target_matchers": ['inhibited="yes"'],
            "equal": ["job"],
        }
    ]
    return Reconciled(stage, (Alertmanager(stage.folder / "am", config),))


async def test_what_resolves_while_it_is_silenced_is_closed_and_the_silence_was_shown(stage: Stage) -> None:
    here = alone(stage)
    (member,) = here.members
    one = am.alerts(1, groups=1)
    async with am.started(member):
        await member.post(firing(one))
        await stage.wait_firing(1, incidents=1)
        await here.ask()
        silence = await member.silence("alice", "disk swap", alertname="Drill000")
        await until(lambda: silenced_by(here, "alice"), "the silence to be shown")
        assert (await here.texts(1, "silenced_at_source"))[0].endswith("UTC: disk swap")
        await member.post(resolved(one))
        incident = await here.wait_resolved(1)
        await member.expire(silence)
        await here.wait_good(3)
        await stage.wait_over(1)
    assert await here.drift("never_resolved") == 1
    assert "no resolve came" in (await here.texts(1, "resolved"))[0]
    assert incident["alerts"][0]["ends_at"] <= incident["resolved_at"]
    assert len(await stage.client.incidents()) == 1
    stage.check_each_page_once(1)


async def silenced_by(here: Reconciled, name: str) -> bool:
    there = (await here.stage.client.incident(1))["at_source"]
    return there is not None and [each["created_by"] for each in there["silenced_by"]] == [name]


async def test_what_max_alerts_cuts_off_is_found_at_both_ends(stage: Stage) -> None:
    here = alone(stage, max_alerts=1)
    (member,) = here.members
    first, second = am.alerts(2, groups=1)
    async with am.started(member):
        await member.post(firing([first, second]))
        await stage.wait_firing(1, incidents=1)
        await here.ask()
        await stage.wait_firing(2, incidents=1)
        assert await here.texts(1, "reconciled") == ["never delivered by webhook, found by reconciling"]
        assert (await stage.client.incident(1))["truncated"] == 1
        await member.post(resolved([second]))
        await stage.wait_firing(1, incidents=1)
        assert await here.drift("never_delivered") == await here.drift("never_resolved") == 1
        await member.post(resolved([first]))
        await stage.wait_over(1)
    stage.check_each_page_once(1)


async def test_what_resolves_while_it_is_inhibited_is_closed(stage: Stage) -> None:
    here = alone(stage)
    (member,) = here.members
    critical, info = am.alerts(2, groups=2)
    info["labels"]["inhibited"] = "yes"
    async with am.started(member):
        await member.post(firing([info]))
        await stage.wait_firing(1, incidents=1)
        await here.ask()
        await member.post(firing([critical]))
        await stage.wait_firing(2, incidents=2)
        await here.wait(1, at_source={"silenced_by": [], "inhibited": True})
        await member.post(resolved([info]))
        await here.wait_resolved(1)
        assert await stage.count("open") == 1
    assert len(await here.texts(1, "inhibited_at_source")) == 1


async def test_an_alertmanager_that_was_killed_is_not_believed_before_it_has_settled(stage: Stage) -> None:
    here = alone(stage)
    (member,) = here.members
    one = am.alerts(1, groups=1)
    async with am.started(member):
        await member.post(firing(one))
        await stage.wait_firing(1, incidents=1)
        await here.ask(reconcile={"settle": "5s"})
        await here.wait_good(2)
        await member.end(signal.SIGKILL)
        await here.wait_failed("unreachable", 2)
        await member.start()
        await member.post(resolved(one))
        await here.wait_failed("restarted", 2)
        assert await stage.count("open") == 1
        await here.wait_resolved(1)
        await stage.wait_over(1)
    stage.check_each_page_once(1)


async def test_an_alertmanager_restarted_empty_resolves_nothing(stage: Stage) -> None:
    here = alone(stage)
    (member,) = here.members
    some = firing(am.alerts(6, groups=3))
    async with am.started(member):
        await member.post(some)
        await stage.wait_firing(6, incidents=3)
        await here.ask()
        await here.wait_good(2)
        await here.ask(reconcile={"settle": "5m"})
        await member.end(signal.SIGKILL)
        await member.start()
        await here.wait_failed("restarted", 4)
        await stage.wait_firing(6, incidents=3)
    assert await here.drift("never_resolved") == 0


async def test_while_one_of_a_pair_is_away_nothing_is_decided(stage: Stage) -> None:
    here = Reconciled(stage, am.pair(stage.folder, stage.config, gossip=False))
    left, right = here.members
    some = am.alerts(2, groups=2)
    async with am.started(left, right):
        await left.post(firing(some[:1]))
        await stage.wait_firing(1, incidents=1)  # so that the one on the left is INC-1
        await right.post(firing(some[1:]))
        await stage.wait_firing(2, incidents=2)
        await here.ask()
        await here.wait_good(3)
        await stage.wait_firing(2, incidents=2)
        await right.end(signal.SIGKILL)
        await left.silence("bob", "quiet", alertname="Drill000")
        await left.post(resolved(some[:1]))
        await here.wait_failed("unreachable", 4)
        assert await stage.count("open") == 2
        await right.start()
        await right.post(firing(some[1:]))
        await here.wait_resolved(1)
        assert await stage.count("open") == 1


async def test_what_a_person_closed_while_it_fires_is_flagged_until_it_ends(stage: Stage) -> None:
    here = alone(stage)
    (member,) = here.members
    one = am.alerts(1, groups=1)
    async with am.started(member):
        await member.post(firing(one))
        await stage.wait_firing(1, incidents=1)
        await stage.client.act("incidents/1/resolve", force=True)
        await here.ask()
        await here.wait(1, still_firing_at_source=True, state="resolved", resolved_by="alice")
        assert await here.texts(1, "still_firing_at_source") == [
            "closed here, but still firing at its source"
        ]
        await member.post(resolved(one))
        await here.wait(1, still_firing_at_source=False)
    assert len(await stage.client.incidents()) == 1


async def test_when_prometheus_dies_reconciling_closes_nothing_either(stage: Stage) -> None:
    """Alerts that nobody renews leave Alertmanager by themselves, the Watchdog with them."""
    here = alone(stage)
    (member,) = here.members
    # The Watchdog first: what Alertmanager posts of two groups that end at the same instant comes in any order.
    first, then = [(datetime.now(UTC) + timedelta(seconds=seconds)).isoformat() for seconds in (8, 11)]
    watchdog = {"labels": {"alertname": "Watchdog", "severity": "none"}, "endsAt": first}
    real = [{**each, "endsAt": then} for each in am.alerts(4, groups=2)]
    heartbeats = [{"matchers": ['alertname="Watchdog"'], "every": "5m"}]
    async with am.started(member):
        await here.ask(heartbeats=heartbeats, mass_resolve=0)
        await member.post([watchdog, *real])
        await stage.wait_firing(5, incidents=2)
        await here.wait_failed("heartbeat_missing", 4)
        open_now = [i["title"] for i in await stage.client.incidents(state="open")]
    assert len([title for title in open_now if not title.startswith("Heartbeat")]) == 2
    assert await here.drift("never_resolved") == 0
