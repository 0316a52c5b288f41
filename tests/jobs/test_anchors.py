"""Signed heads go outside: each place at its pace, and what could not be told is told later and counted."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from incidentd.audit.checkpoint import Checkpoint, sign
from incidentd.channels.http import HttpClient
from incidentd.config.audit import Anchor
from incidentd.jobs.anchors import Anchors
from incidentd.metrics import Metrics
from tests.audit.sample import KEY
from tests.fakes.http import Answer, HttpFake, Received

NOW = datetime(2026, 11, 21, 16, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Archive(HttpFake):
    """Takes heads."""

    async def answer(self, received: Received) -> Answer:
        return Answer(204, b"")


@dataclass
class Outside:
    """The places, and what tells them."""

    archive: Archive
    file: Path
    http: HttpClient
    metrics: Metrics = field(default_factory=Metrics)

    def anchors(self, **places: object) -> Anchors:
        anchor = Anchor.model_validate(places)
        return Anchors(lambda: anchor, dict, self.http, self.metrics)

    def sample(self, name: str, place: str) -> float:
        return self.metrics.registry.get_sample_value(name, {"place": place}) or 0.0

    @property
    def told(self) -> list[int]:
        return [json.loads(request.body)["seq"] for request in self.archive.requests]


@pytest.fixture
async def outside(tmp_path: Path) -> AsyncIterator[Outside]:
    http = HttpClient()
    async with Archive() as archive:
        yield Outside(archive, tmp_path / "far" / "heads.jsonl", http)
    await http.aclose()


def head(seq: int) -> Checkpoint:
    return sign(KEY, seq, f"{seq:064x}", NOW)


async def test_the_file_gets_every_head_and_the_webhook_one_in_an_hour(outside: Outside) -> None:
    anchors = outside.anchors(file=str(outside.file), webhook=outside.archive.url, every="1h")
    for minute in range(0, 120, 20):
        await anchors.tell(head(minute + 1), NOW + minute * MINUTE)
    assert [json.loads(line)["seq"] for line in outside.file.read_text().splitlines()] == [
        1, 21, 41, 61, 81, 101,
    ]  # fmt: skip
    assert outside.told == [1, 61]
    await anchors.tell(head(101), NOW + 101 * MINUTE, at_once=True)
    assert outside.told == [1, 61, 101], "the last one before the end waits for nothing"


async def test_a_head_that_was_told_is_not_told_again(outside: Outside) -> None:
    anchors = outside.anchors(file=str(outside.file), webhook=outside.archive.url, every="1s")
    for minute in range(3):
        await anchors.tell(head(7), NOW + minute * MINUTE, at_once=True)
    assert (outside.told, len(outside.file.read_text().splitlines())) == ([7], 1)


@pytest.mark.parametrize("answer", [Answer(500), Answer(302), Answer(drop=True)])
async def test_a_place_that_did_not_take_it_is_counted_and_asked_again(
    outside: Outside, answer: Answer
) -> None:
    outside.archive.script([answer])
    anchors = outside.anchors(webhook=outside.archive.url)
    await anchors.tell(head(3), NOW)
    assert outside.sample("incidentd_audit_anchor_failures_total", "webhook") == 1
    assert outside.sample("incidentd_audit_anchored", "webhook") == 0
    await anchors.tell(head(4), NOW + timedelta(seconds=5))
    assert outside.told[-1] == 4
    assert outside.sample("incidentd_audit_anchored", "webhook") == 4


async def test_a_file_that_cannot_be_written_and_a_channel_that_is_gone_are_counted(outside: Outside) -> None:
    outside.file.parent.write_text("no folder")
    anchors = outside.anchors(file=str(outside.file), email="mail")
    await anchors.tell(head(3), NOW)
    for place in ("file", "email"):
        assert outside.sample("incidentd_audit_anchor_failures_total", place) == 1
