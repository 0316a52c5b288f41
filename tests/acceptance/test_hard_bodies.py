"""Recorded bodies that break unprepared receivers: strange texts, huge values, ten thousand alerts."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.acceptance.bodies import one_alert, recorded
from tests.acceptance.harness import World, world
from tests.ingest.bodies import DATA


@pytest.fixture
async def here(tmp_path: Path, database_url: str) -> AsyncIterator[World]:
    async with world(tmp_path, database_url) as opened:
        yield opened


@pytest.mark.parametrize("name", ["text_nul", "text_torture", "text_invalid_utf8", "text_lone_surrogate"])
async def test_strange_texts_are_stored_shown_and_told(here: World, name: str) -> None:
    """The fakes judge: nothing unescaped, no header broken, nothing that the vendor would refuse."""
    accepted = await here.post(recorded(name))
    assert accepted["quarantined"] == 0
    [number] = accepted["incidents"]
    incident = await here.client.incident(number)
    [kept] = incident["alerts"]
    expected = {key: value.replace("\0", "") for key, value in one_alert(name)["labels"].items()}
    assert kept["labels"] == expected
    assert incident["title"]
    line = here.console.getvalue().removesuffix("\n")
    assert line.isprintable()
    assert line.startswith(f"INC-{number} TRIGGERED")
    assert len(here.vendors.slack.messages) == len(here.vendors.mail.mails) == 1
    assert len(here.vendors.pager.events) == len(here.vendors.hook.events) == 1
    await everything_was_sent(here)


@pytest.mark.parametrize("name", ["long_annotations_160k", "long_label_20k", "many_labels_200"])
async def test_huge_alerts_are_stored_capped_and_told(here: World, name: str) -> None:
    accepted = await here.post(recorded(name))
    assert (accepted["accepted"], accepted["quarantined"]) == (1, 0)
    incident = await here.client.incident(accepted["incidents"][0])
    [kept] = incident["alerts"]
    sent = one_alert(name)
    assert kept["labels"].keys() == sent["labels"].keys()
    assert kept["fingerprint"] == sent["fingerprint"]
    assert max(len(value) for value in kept["labels"].values()) <= 4 * 1024
    assert max(len(value) for value in kept["annotations"].values()) <= 16 * 1024
    for value, original in ((kept["labels"][key], sent["labels"][key]) for key in sent["labels"]):
        assert value == original or original.startswith(value[:1000])
    await everything_was_sent(here)


async def everything_was_sent(here: World) -> None:
    """Nothing was refused, and nothing had to be said twice."""
    rows = await here.client.deliveries()
    assert {(row["state"], row["attempts"]) for row in rows} == {("sent", 1)}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
async def test_ten_thousand_alerts_in_one_body_fire_and_end(here: World, packed: bool) -> None:
    headers = {"Content-Type": "application/json"} | ({"Content-Encoding": "gzip"} if packed else {})
    for status, firing in (("firing", 10_000), ("resolved", 0)):
        packed_body = (DATA / "alertmanager" / f"group_10000_{status}.json.gz").read_bytes()
        body = packed_body if packed else gzip.decompress(packed_body)
        answer = await here.client.call("POST", "/webhooks/alertmanager", body, headers)
        assert answer.status == 200, answer.text
        assert answer.json["accepted"] == 10_000
        here.clock.set(here.clock.now() + timedelta(seconds=1))
        await here.settle()
        [incident] = await here.client.incidents()
        assert (incident["alerts_firing"], incident["alerts_total"]) == (firing, 10_000)
        assert incident["state"] == ("triggered" if firing else "resolved")
    assert [action for action, _ in here.vendors.pages()] == ["trigger", "resolve"]
