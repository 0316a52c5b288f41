"""Every body that a real sender posted, replayed through the front door in the order it was sent."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.bodies import recorded
from tests.acceptance.client import ALERTS
from tests.acceptance.harness import World, world
from tests.ingest.bodies import content
from tests.ingest.bodies import recorded as every_file

HOLD = timedelta(minutes=5)
"""`grouping.reopen_hold`'s default."""
OVER = "the page told already that it was over"
GZIP = {"Content-Encoding": "gzip"}


@pytest.fixture
async def here(tmp_path: Path, database_url: str) -> AsyncIterator[World]:
    async with world(tmp_path, database_url) as opened:
        yield opened


async def replay(here: World, *names: str) -> None:
    """Post these, a second apart."""
    for name in names:
        await here.post(recorded(name))
        here.clock.set(here.clock.now() + timedelta(seconds=1))


def actions(here: World) -> list[str]:
    """What PagerDuty was told, without the keys."""
    return [action for action, _ in here.vendors.pages()]


async def test_every_recorded_body_is_taken_and_every_alert_of_it_kept(here: World) -> None:
    for folder in ("alertmanager", "grafana"):
        for name, path in every_file(folder).items():
            if "10000" in name:
                continue
            body = content(path)
            answer = await here.client.post(body, f"/webhooks/{folder}")
            assert answer.status == 200, f"{name}: {answer.text}"
            said = answer.json
            count = len(json.loads(body.decode(errors="replace"))["alerts"])
            assert (said["received"], said["accepted"], said["quarantined"]) == (count, count, 0), name
    await here.settle()
    for incident in await here.client.incidents():
        timeline = await here.client.timeline(incident["id"])
        assert [entry["seq"] for entry in timeline] == list(range(1, len(timeline) + 1))
    rows = await here.client.deliveries()
    assert {row["state"] for row in rows} <= {"sent", "pending", "superseded"}
    unsent = [row for row in rows if row["state"] != "sent"]
    assert {row["class"] for row in unsent} <= {"state", "close"}
    # One that was over before it could be told was told as such.
    assert {row["reason"] for row in unsent if row["class"] == "close"} <= {OVER}


async def test_an_alert_that_fires_again_soon_after_reopens_its_incident(here: World) -> None:
    await replay(here, "flap_1_firing", "flap_2_resolved", "flap_3_firing", "flap_4_resolved")
    [incident] = await here.client.incidents()
    assert (incident["state"], incident["reopen_count"]) == ("resolved", 1)
    assert actions(here) == ["trigger", "resolve", "trigger", "resolve"]
    assert len({key for _, key in here.vendors.pages()}) == 2, "each episode has a key of its own"


async def test_a_repeat_with_a_newer_start_is_a_new_occurrence_in_the_same_incident(here: World) -> None:
    await replay(here, "flap_hidden_1", "flap_hidden_2_repeat")
    [incident] = await here.client.incidents()
    assert (incident["state"], incident["alerts_firing"], incident["alerts_total"]) == ("triggered", 1, 1)
    assert actions(here) == ["trigger"]


async def test_a_stale_post_of_a_peer_opens_it_again_and_wakes_nobody(here: World) -> None:
    await replay(here, "ha_stale_1_firing", "ha_stale_2_resolved")
    await replay(here, "ha_stale_3_firing")
    [incident] = await here.client.incidents()
    assert incident["state"] == "triggered"
    await replay(here, "ha_stale_4_resolved")
    await here.advance(2 * HOLD)
    [incident] = await here.client.incidents()
    assert incident["state"] == "resolved"
    assert actions(here) == ["trigger", "resolve"]
    assert [event["type"] for event in here.vendors.hook.events] == [
        "incident.triggered",
        "incident.resolved",
    ]
    assert len(here.vendors.mail.mails) == len(here.vendors.slack.messages) == 2


async def test_a_sender_that_comes_back_with_the_old_start_is_told_once_it_has_lasted(here: World) -> None:
    await replay(here, "timeout_1_firing", "timeout_2_resolved")
    await replay(here, "timeout_3_promlike_firing", "timeout_4_promlike_resolved")
    assert actions(here) == ["trigger", "resolve"] * 2
    await replay(here, "timeout_5_resurrected_same_startsAt")
    _, incident = await here.client.incidents()
    assert incident["state"] == "triggered"
    assert len(here.vendors.pages()) == 4, "held"
    await here.advance(HOLD - timedelta(seconds=2))
    assert len(here.vendors.pages()) == 4, "still held"
    await here.advance(timedelta(seconds=2))
    assert actions(here)[4:] == ["trigger"]
    [console] = [line for line in here.console.getvalue().splitlines() if "REOPENED" in line]
    assert console.startswith(incident["ref"])


async def test_what_the_sender_cut_off_stays_firing_and_is_shown(here: World) -> None:
    await replay(here, "truncation_1_z_fires", "truncation_2_a_b_fire", "truncation_3_z_resolves")
    [incident] = await here.client.incidents()
    shown = await here.client.incident(incident["id"])
    assert shown["truncated"] == 1
    assert "truncated" in {entry["kind"] for entry in await here.client.timeline(incident["id"])}
    await replay(here, "truncation_4_rest_resolved")
    shown = await here.client.incident(incident["id"])
    # The resolve of the third alert was never sent; absence means nothing.
    assert (shown["state"], shown["alerts_firing"], shown["alerts_total"]) == ("triggered", 1, 3)
    assert [a["labels"]["instance"] for a in shown["alerts"] if a["status"] == "firing"] == ["z:1"]
    assert actions(here) == ["trigger"]


async def test_an_alert_that_is_missing_from_a_body_still_fires(here: World) -> None:
    await replay(here, "silence_1_before", "silence_2_one_silenced")
    [incident] = await here.client.incidents()
    assert incident["alerts_firing"] == 3
    await replay(here, "silence_3_expired")
    [incident] = await here.client.incidents()
    assert (incident["alerts_firing"], incident["alerts_total"]) == (3, 3)
    assert actions(here) == ["trigger"]


async def test_an_alert_whose_resolve_was_inhibited_stays_open(here: World) -> None:
    await replay(here, "inhibit_1_target_fires", "inhibit_2_source_fires", "inhibit_3_source_resolved")
    target, source = await here.client.incidents()
    assert (target["state"], source["state"]) == ("triggered", "resolved")
    assert actions(here) == ["trigger", "trigger", "resolve"]


async def test_one_alert_through_several_routes_is_one_incident_and_one_page(here: World) -> None:
    await replay(here, "routes_chat", "routes_page")
    [incident] = await here.client.incidents()
    assert (incident["alerts_firing"], actions(here)) == (1, ["trigger"])
    await replay(here, "routes_default")
    [incident] = await here.client.incidents()
    assert (incident["alerts_firing"], incident["severity"]) == (2, "critical")
    assert actions(here) == ["trigger"], "a milder neighbour pages nobody"


@pytest.mark.parametrize(
    "names",
    [
        ("repeat_1", "repeat_2", "repeat_1"),
        ("reload_new_groupkey", "reload_new_groupkey"),
        ("ha_split_firing_am0", "ha_split_firing_am1"),
        ("ha_gossip_firing", "ha_gossip_firing"),
    ],
    ids=lambda names: names[0],
)
async def test_repeats_tell_nobody_anything(here: World, names: tuple[str, ...]) -> None:
    await replay(here, *names)
    [incident] = await here.client.incidents()
    timeline = await here.client.timeline(incident["id"])
    assert [entry["kind"] for entry in timeline] == ["triggered"]
    assert actions(here) == ["trigger"]


async def test_a_new_group_key_after_a_reload_is_the_same_incident(here: World) -> None:
    body = json.loads(recorded("reload_new_groupkey"))
    body["groupKey"] = '{}:{alertname="Reload"}'
    await here.post(json.dumps(body).encode())
    await replay(here, "reload_new_groupkey")
    [incident] = await here.client.incidents()
    assert (incident["alerts_firing"], actions(here)) == (1, ["trigger"])


async def test_both_peers_resolve_it_and_it_is_over_once(here: World) -> None:
    await replay(here, "ha_split_firing_am0", "ha_split_firing_am1")
    await replay(here, "ha_split_resolved_am0", "ha_split_resolved_am1")
    [incident] = await here.client.incidents()
    assert (incident["state"], incident["alerts_firing"]) == ("resolved", 0)
    assert actions(here) == ["trigger", "resolve"]


async def test_a_blip_is_recorded_and_opens_nothing(here: World) -> None:
    await replay(here, "resolved_never_seen_firing")
    [incident] = await here.client.incidents()
    assert (incident["alerts_firing"], incident["alerts_total"]) == (1, 1)
    alerts = await here.client.all("/api/v1/alerts")
    assert {(a["labels"]["instance"], a["status"], a["incident_id"]) for a in alerts} == {
        ("blip:1", "resolved", None),
        ("keep:1", "firing", incident["id"]),
    }


async def test_a_watchdog_is_a_heartbeat_and_opens_nothing(here: World) -> None:
    await replay(here, "watchdog_1", "watchdog_2", "prom_watchdog_firing")
    assert await here.client.incidents() == []
    assert await here.client.deliveries() == []
    assert len(await here.client.all("/api/v1/alerts?status=firing")) == 2


async def test_a_group_grows_gets_worse_and_ends(here: World) -> None:
    await replay(here, "group_firing_5", "group_mixed_3_firing_2_resolved")
    [incident] = await here.client.incidents()
    assert (incident["alerts_firing"], incident["severity"]) == (3, "warning")
    await replay(here, "group_one_more_firing")
    [incident] = await here.client.incidents()
    assert (incident["alerts_firing"], incident["severity"]) == (4, "critical")
    # A second trigger of an open key pages nobody at PagerDuty: it is closed there first.
    assert actions(here) == ["trigger", "resolve", "trigger"], (
        "a raised severity pages anew, with the same key"
    )
    await replay(here, "group_all_resolved")
    [incident] = await here.client.incidents()
    assert (incident["state"], incident["alerts_firing"]) == ("resolved", 0)
    assert {key for _, key in here.vendors.pages()} == {here.vendors.pages()[0][1]}


@pytest.mark.parametrize("name", ["single", "prom_critical", "prom_warning", "prom_info", "text_torture"])
async def test_what_fires_and_resolves_is_over(here: World, name: str) -> None:
    await replay(here, f"{name}_firing" if name != "text_torture" else name, f"{name}_resolved")
    [incident] = await here.client.incidents()
    assert (incident["state"], incident["resolved_by"]) == ("resolved", "source")
    assert actions(here) == ["trigger", "resolve"]


async def test_two_hundred_posts_at_once_of_the_same_alert_are_one_incident(here: World) -> None:
    body = recorded("single_firing")
    answers = await asyncio.gather(*[here.client.post(body) for _ in range(200)])
    assert Counter(answer.status for answer in answers) == {200: 200}
    await here.settle()
    [incident] = await here.client.incidents()
    assert incident["alerts_total"] == 1
    assert actions(here) == ["trigger"]


async def test_every_post_ten_times_twenty_at_a_time_is_as_good_as_once(here: World) -> None:
    names = ["single_firing", "prom_critical_firing", "repeat_1", "group_firing_5", "routes_chat"]
    bodies = [recorded(name) for name in names] * 10
    gate = asyncio.Semaphore(20)

    async def post(body: bytes) -> int:
        async with gate:
            return (await here.client.post(body)).status

    assert set(await asyncio.gather(*map(post, bodies))) == {200}
    await here.settle()
    assert len(await here.client.incidents()) == len(names)
    assert actions(here) == ["trigger"] * len(names)


async def test_posts_are_taken_as_they_come(here: World) -> None:
    plain = recorded("single_firing")
    ways = product(("POST", "PUT"), (ALERTS, f"{ALERTS}/"), ((plain, {}), (gzip.compress(plain), GZIP)))
    for method, path, (body, encoding) in ways:
        headers = {"Content-Type": "application/json", **encoding}
        answer = await here.client.call(method, path, body, headers)
        assert answer.status == 200, answer.text
        said: dict[str, Any] = answer.json
        assert said.pop("request_id") == answer.headers["X-Request-ID"]
        assert said == {"received": 1, "accepted": 1, "quarantined": 0, "incidents": [1]}
    await here.settle()
    assert actions(here) == ["trigger"]
