"""What a message says when it is late, stands in for another, tells of a storm, or has words of the operator's."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from incidentd.channels import words
from incidentd.channels.console import render
from incidentd.domain.notification import IncidentView, Notice, Texts
from incidentd.domain.severity import Severity
from tests.channels.support import HOSTILE, NOW, incident, message

OVER = incident(state="resolved", started_at=NOW - timedelta(minutes=2), resolved_at=NOW)


def _storm(count: int) -> tuple[IncidentView, ...]:
    """Incidents beside the first, the second of them a warning and over."""
    others = [incident(id=12 + n, title=f"Disk {n} is full") for n in range(1, count)]
    others[1] = replace(others[1], severity=Severity.WARNING, resolved_at=NOW)
    return tuple(others)


def test_a_page_about_what_is_over_says_so() -> None:
    line = words.state_line(message(incident=OVER))
    assert line == "Triggered: fired 10:13 UTC, resolved 10:15 UTC"
    assert words.state_line(message(Notice.ESCALATED, incident=OVER)).endswith("joined: resolved 10:15 UTC")


@pytest.mark.parametrize(
    ("ended", "line"),
    [
        (
            NOW + timedelta(minutes=3),
            "Missed page: fired 10:13 UTC, ended 10:18 UTC; nobody could be paged in time",
        ),
        (None, "Missed page: fired 10:13 UTC, not over yet; nobody could be paged in time"),
        (
            NOW + timedelta(days=1),
            "Missed page: fired 10:13 UTC, ended 2026-11-21 10:15 UTC; nobody could be paged in time",
        ),
    ],
)
def test_a_missed_page_says_when_it_fired_and_ended(ended: object, line: str) -> None:
    said = message(Notice.MISSED, actor="incidentd", incident=incident(resolved_at=ended))
    assert words.state_line(said).startswith(line)


def test_a_message_that_stands_in_names_the_channel_that_could_not_tell() -> None:
    said = message(fallback_of="ops-slack")
    assert words.state_line(said).endswith(" \u00b7 told here because ops-slack could not deliver it")
    assert "told here because ops-slack" in render(said)


def test_a_storm_counts_its_incidents_and_lists_the_first() -> None:
    said = message(bundle=_storm(37))
    assert words.headline(said) == "[37 incidents] Checkout errors at 42% and 36 more"
    assert words.state_line(said) == "Triggered: 37 incidents \u00b7 36 critical, 1 warning"
    lines = words.alert_lines(said, 3)
    assert [line.name for line in lines] == ["INC-12 critical", "INC-13 critical", "INC-14 warning"]
    assert [line.firing for line in lines] == [True, True, False]
    assert lines[1].summary == "Disk 1 is full"
    assert words.more_alerts(said, 3) == "+34 more incidents"
    assert [link.text for link in words.links(said)] == ["Open INC-12"]
    assert [fact.name for fact in words.facts(said)] == ["Incidents", "Severity", "Services"]
    assert "[37 incidents] Checkout errors" in render(said)


def test_the_headline_of_a_storm_keeps_its_limit() -> None:
    long = incident(title="x" * 999)
    assert len(words.headline(message(incident=long, bundle=_storm(9)), 80)) == 80


def test_the_operators_title_takes_the_place_of_the_incidents() -> None:
    said = message(texts=Texts(title="PROD: checkout"))
    assert words.title(said) == "PROD: checkout"
    assert words.headline(said) == "[INC-12] PROD: checkout"
    assert words.state_line(said) == "Triggered \u00b7 critical \u00b7 2 firing"
    assert "PROD: checkout" in words.plain(said)
    assert "PROD: checkout" in render(said)


@pytest.mark.parametrize(
    ("title", "headline"),
    [
        ("INC-12 is on", "INC-12 is on"),
        ("(INC-12)", "(INC-12)"),
        ("INC-123 is another", "[INC-12] INC-123 is another"),
    ],
)
def test_a_reference_in_the_operators_title_is_not_repeated(title: str, headline: str) -> None:
    assert words.headline(message(texts=Texts(title=title))) == headline


def test_the_operators_body_follows_what_happened() -> None:
    said = message(Notice.ACKNOWLEDGED, actor="alice", texts=Texts(body="eu-west\nSee the wiki"))
    assert words.state_line(said) == "Acknowledged by alice \u00b7 eu-west See the wiki"
    assert words.body_text(said) == "eu-west\nSee the wiki"
    assert "(by alice, eu-west See the wiki)" in render(said)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_the_operators_words_stay_harmless_whatever_was_filled_in(text: str) -> None:
    said = message(texts=Texts(title=text, body=f"{text}\n{text}\n" * 50))
    assert len(words.title(said)) <= 200
    assert len(words.state_line(said)) <= 700
    assert len(words.body_text(said)) <= 2000
    assert len(words.body_text(said).split("\n")) <= 40
    assert not set(words.headline(said) + words.state_line(said)) & set("\x00\x1b\r\n\u2028\u202e")
    assert render(said)[:-1].isprintable()
