"""kill -9 between lease and result: the vendor has heard the page, and nobody here knows.

Whatever the vendor says to the repeat, the page is not lost, the repeat carries the vendor's key of the first attempt,
and it is the only one for that attempt.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from incidentd.clock import FixedClock
from incidentd.domain.notification import Verdict
from incidentd.store.codec import instant
from tests.acceptance.between import ANSWERS, CHANNELS, attempts, end_of, script
from tests.acceptance.bodies import alert, webhook
from tests.acceptance.client import Client
from tests.acceptance.harness import ALICE, Vendors, World, configuration, vendors, write
from tests.acceptance.ledger import read, read_postgresql
from tests.acceptance.process import Process, client_of, running
from tests.acceptance.waiting import until

Ends = dict[str, tuple[str, int]]
REJECTED = Verdict.CONTENT_REJECTED


def config(url: str, told: Vendors) -> dict[str, Any]:
    return configuration(url, told, route={"notify": list(CHANNELS)})


async def pages(client: Client) -> Ends:
    """Channel -> state and attempts of its page about the first incident."""
    rows = [row for row in await client.deliveries() if (row["incident_id"], row["class"]) == (1, "page")]
    return {row["channel"]: (row["state"], row["attempts"]) for row in rows}


async def all_held(told: Vendors) -> None:
    """Wait until each vendor holds its first page."""
    await until(lambda: len(attempts(told)) == len(CHANNELS), "each vendor to hear of it")


def check_repeats(told: Vendors, ends: Ends, shortened: Collection[str] = ()) -> None:
    """Each page was sent as often as its row says, always under one key, and always saying the same.

    Those that are `shortened` said something shorter the last time.
    """
    told_of = [attempt for attempt in attempts(told) if attempt.incident == "INC-1"]
    for channel in CHANNELS:
        of_channel = [attempt for attempt in told_of if attempt.channel == channel]
        assert len(of_channel) == ends[channel][1], channel
        assert len({attempt.key for attempt in of_channel}) == 1, channel
        first, second, *more = [attempt.content for attempt in of_channel]
        assert first == second
        assert all(content == first for content in more) is (channel not in shortened or not more)


def accepted(told: Vendors) -> dict[str, int]:
    """How often each vendor accepted a page about the first incident."""
    return {
        "slack": sum("[INC-1]" in root["text"] for root in told.slack.roots),
        "pager": sum(key.endswith("-1-1") for action, key in told.pages() if action == "trigger"),
        "hook": sum(event["data"]["incident"]["id"] == 1 for event in told.hook.events),
        "mail": sum("[INC-1]" in mail.content["Subject"] for mail in told.mail.mails),
    }


def expected(verdict: Verdict) -> Ends:
    """What is to become of each channel's page if every vendor that can gives this answer."""
    return {name: end_of(verdict if name in ANSWERS[verdict] else Verdict.OK) for name in CHANNELS}


@pytest.mark.parametrize("verdict", Verdict, ids=str)
async def test_a_page_cut_off_by_a_kill_is_repeated_once_and_ends_as_its_answer_says(
    verdict: Verdict, tmp_path: Path
) -> None:
    async with vendors() as told:
        database = tmp_path / "incidentd.db"
        url = f"sqlite+aiosqlite:///{database}"
        script(told, ANSWERS[verdict])
        ends = expected(verdict)
        if verdict is Verdict.THROTTLED:
            ends["pager"] = ("pending", 2)  # PagerDuty is given half a minute whatever it asks for
        async with running(write(tmp_path / "incidentd.yaml", config(url, told))) as daemon:
            async with client_of(daemon, ALICE) as client:
                assert (await client.post(webhook(alert("ShopDown", datetime.now(UTC))))).status == 200
                await all_held(told)
            await daemon.kill9()
            assert read(database).leased == len(CHANNELS)
            assert accepted(told) == dict.fromkeys(CHANNELS, 0)
            await daemon.start()
            async with client_of(daemon, ALICE) as client:
                await reached(client, ends)
                check_repeats(told, ends, ANSWERS[verdict] if verdict is REJECTED else ())
                await check_record(client, ends)
            if verdict is Verdict.DESTINATION_BROKEN:
                ends = await mended(daemon, ends)
                check_repeats(told, ends)
        assert accepted(told) == {name: int(state == "sent") for name, (state, _) in ends.items()}
        assert told.violations == []


async def reached(client: Client, ends: Ends) -> None:
    """Wait until every page has ended so."""

    async def ended() -> bool:
        return await pages(client) == ends

    try:
        await until(ended, "the pages to end", 10)
    except AssertionError:
        assert await pages(client) == ends


async def check_record(client: Client, ends: Ends) -> None:
    """A page that is given up stands in the timeline, and no other does."""
    missed = [
        entry["data"]["channel"] for entry in await client.timeline(1) if entry["kind"] == "page_missed"
    ]
    assert sorted(missed) == sorted(name for name, (state, _) in ends.items() if state == "dead")


async def mended(daemon: Process, ends: Ends) -> Ends:
    """Somebody mends what is broken and restarts the daemon: then the pages leave, after a probe."""
    assert await daemon.end() == 0
    await daemon.start()
    after = {name: ("sent", tries + (state == "pending")) for name, (state, tries) in ends.items()}
    async with client_of(daemon, ALICE) as client:
        await reached(client, after)
    return after


MIXED: list[dict[str, Verdict]] = [
    {"pager": Verdict.THROTTLED, "slack": REJECTED, "hook": Verdict.AMBIGUOUS, "mail": Verdict.TARGET_GONE},
    {"pager": Verdict.RETRY, "slack": Verdict.OK, "hook": Verdict.DISABLED, "mail": Verdict.AMBIGUOUS},
    {"pager": REJECTED, "slack": Verdict.DESTINATION_BROKEN, "hook": Verdict.RETRY, "mail": Verdict.OK},
]
"""What each vendor says to the repeat: every outcome once at least."""


@pytest.mark.parametrize("mixed", MIXED)
async def test_a_replica_takes_over_what_a_killed_one_was_sending_when_the_lease_has_ended(
    mixed: dict[str, Verdict], tmp_path: Path, pg_url: str
) -> None:
    ends = {name: end_of(verdict) for name, verdict in mixed.items()}
    if ends["slack"][0] == "pending":
        ends["slack"] = ("sent", 3)  # a minute later a probe finds the token good again
    async with vendors() as told:
        script(told, {name: ANSWERS[v][name] for name, v in mixed.items() if name in ANSWERS[v]})
        clock = FixedClock(datetime.now(UTC))
        file = write(tmp_path / "incidentd.yaml", config(pg_url, told))
        survivor = World(file, clock, told)
        async with running(file, "first") as first:
            async with client_of(first, ALICE) as client:
                await client.post(webhook(alert("ShopDown", datetime.now(UTC))))
                await all_held(told)
            await survivor.start()
            await first.kill9()
        try:
            await taken_over(survivor, ends, pg_url)
            check_repeats(told, ends, [name for name, verdict in mixed.items() if verdict is REJECTED])
            await check_record(survivor.client, ends)
        finally:
            await survivor.stop()
        assert accepted(told) == {name: int(state == "sent") for name, (state, _) in ends.items()}


async def taken_over(survivor: World, ends: Ends, url: str) -> None:
    """Move the survivor's clock until every page has ended; not before the leases have, does it send one."""
    told, clock = survivor.vendors, survivor.clock
    rows = [row for row in (await read_postgresql(url)).deliveries if row["state"] == "leased"]
    assert len(rows) == len(CHANNELS)
    lease = min(row["lease_until"] for row in rows)
    clock.set(instant(lease) - timedelta(seconds=1))
    await survivor.daemon.worker.idle()
    assert len(attempts(told)) == len(CHANNELS), "the leases still hold: nobody else sends"

    async def over() -> bool:
        # The longest wait is the minute until a channel that refused is probed.
        clock.set(clock.now() + timedelta(seconds=3))
        return await pages(survivor.client) == ends

    await until(over, "the pages to end")
