"""How the channels are doing: in the list of channels, in the health and in the metrics."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from incidentd.delivery.worker import ChannelHealth
from incidentd.domain.destination import Destination, DestinationState
from incidentd.store import destinations
from incidentd.web import channels, health
from tests.web.conftest import Daemon, alert, config_of, running

HOOK = {"kind": "webhook", "url": "http://127.0.0.1:9/hook"}
CHANNELS = {
    "hook": {**HOOK, "fallback": ["mirror"]},
    "mirror": HOOK,
    "spare": HOOK,
}
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    """Told over `hook`, which falls back to `mirror`; `spare` was never used."""
    config = config_of(tmp_path, channels=CHANNELS, route={"notify": ["hook"]})
    async with running(config) as started:
        context = started.context
        targets = {name: (f"{name}.example",) for name in CHANNELS}
        context.rules = replace(context.rules, targets=targets)
        yield started


async def stand(daemon: Daemon, channel: str, state: DestinationState, **rest: Any) -> None:
    """Store how a channel is doing, since two minutes."""
    failing: dict[str, Any] = (
        {} if state is DestinationState.OK else {"failures": 1, "last_error": "invalid_auth: refused"}
    )
    known = Destination(channel, state, daemon.clock.now() - 2 * MINUTE, **(failing | rest))
    await daemon.store.write(lambda tx: destinations.save(tx, known))


async def listed(daemon: Daemon, query: str = "") -> tuple[list[dict[str, Any]], str | None]:
    answer, page = await daemon.get(f"/api/v1/channels{query}")
    assert answer.status == 200
    channels.ChannelPage.model_validate(page)
    return page["items"], page["next_cursor"]


async def test_a_channel_shows_its_state_pause_error_oldest_page_and_who_stands_in(daemon: Daemon) -> None:
    await daemon.alert(alert())
    now = daemon.clock.now()
    await stand(daemon, "hook", DestinationState.BROKEN, paused_until=now + MINUTE, failures=7)
    hook, mirror, spare = (await listed(daemon))[0]
    assert (hook["name"], hook["kind"], hook["state"]) == ("hook", "webhook", "broken")
    assert (hook["failures"], hook["last_error"]) == (7, "invalid_auth: refused")
    assert (hook["targets"], hook["fallback"]) == (["hook.example"], ["mirror"])
    assert None not in (hook["since"], hook["paused_until"], hook["oldest_page_at"])
    assert (mirror["state"], spare["since"], spare["oldest_page_at"]) == ("ok", None, None)
    daemon.clock.ahead += 2 * MINUTE
    assert (await listed(daemon))[0][0]["paused_until"] is None


async def test_channels_come_in_pages_by_name_and_need_the_scope_read(daemon: Daemon) -> None:
    names: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        items, cursor = await listed(daemon, "?limit=2" + (f"&cursor={cursor}" if cursor else ""))
        names += [item["name"] for item in items]
    assert names == ["hook", "mirror", "spare"]
    assert (await daemon.get("/api/v1/channels", "ingest"))[0].status == 403


def checks(data: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {check["name"]: (check["status"], check["detail"]) for check in data["checks"]}


async def test_a_broken_channel_degrades_the_health_and_leaves_the_daemon_ready(daemon: Daemon) -> None:
    await daemon.alert(alert())
    now = daemon.clock.now()
    await stand(daemon, "hook", DestinationState.BROKEN, paused_until=now + 5 * MINUTE)
    await stand(daemon, "mirror", DestinationState.OK)
    daemon.clock.ahead += MINUTE
    answer, data = await daemon.get("/health/detailed")
    assert (answer.status, data["status"]) == (200, "degraded")
    health.DetailedHealth.model_validate(data)
    status, words = checks(data)["channel hook"]
    assert status == "degraded"
    told = [word.split(" for ")[0].split(" waits ")[0] for word in words.split("; ")]
    assert told == ["broken", "invalid_auth: refused", "paused", "oldest page"]
    assert checks(data)["channel mirror"] == ("healthy", "")
    assert checks(data)["channel spare"] == ("healthy", "not used yet")
    assert data["channels"] == (await listed(daemon))[0]
    assert (await daemon.get("/health/ready", None))[0].status == 200


async def test_one_refused_text_is_shown_and_is_no_fault_of_the_channel(daemon: Daemon) -> None:
    daemon.health = [ChannelHealth("mirror", "x", up=False, last_error="invalid_blocks")]
    _, data = await daemon.get("/health/detailed")
    assert checks(data)["channel mirror"] == ("healthy", "invalid_blocks")


async def test_without_a_database_the_channels_are_shown_as_this_process_saw_them(daemon: Daemon) -> None:
    own = ChannelHealth("hook", "x", up=False, last_error="timeout", failures=3, since=daemon.clock.now())
    daemon.health = [own]
    daemon.store.reads_fail = True
    answer, data = await daemon.get("/health/detailed", "admin")
    assert answer.status == 503
    assert checks(data)["channel hook"] == ("degraded", "timeout")
    assert data["channels"][0]["failures"] == 3


def series(text: str, name: str) -> Iterable[str]:
    return [line for line in text.splitlines() if line.startswith(name)]


async def test_metrics_tell_which_channels_are_up_and_count_lost_pages_from_zero(daemon: Daemon) -> None:
    await stand(daemon, "hook", DestinationState.DEGRADED, failures=5)
    await stand(daemon, "mirror", DestinationState.OK)
    text = (await daemon.get("/metrics"))[1].decode()
    assert series(text, "incidentd_channel_up{") == [
        'incidentd_channel_up{channel="hook"} 0.0',
        'incidentd_channel_up{channel="mirror"} 1.0',
    ]
    zero = 'incidentd_deliveries_total{channel="spare",class="page",outcome="fell_back"} 0.0'
    assert zero in series(text, "incidentd_deliveries_total{")
