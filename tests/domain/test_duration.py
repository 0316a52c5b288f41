"""Durations: Prometheus' syntax, nothing more and nothing less."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.domain.duration import format_duration, parse_duration

LONGEST = timedelta(milliseconds=(2**63 - 1) // 1_000_000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", timedelta(0)),
        ("0s", timedelta(0)),
        ("250ms", timedelta(milliseconds=250)),
        ("5m", timedelta(minutes=5)),
        ("5m250ms", timedelta(minutes=5, milliseconds=250)),
        ("1h30m", timedelta(minutes=90)),
        ("90m", timedelta(minutes=90)),
        ("1d", timedelta(days=1)),
        ("2w", timedelta(days=14)),
        ("1y", timedelta(days=365)),
        ("007s", timedelta(seconds=7)),
        ("1y2w3d4h5m6s7ms", timedelta(days=382, hours=4, minutes=5, seconds=6, milliseconds=7)),
        ("292y", timedelta(days=292 * 365)),
    ],
)
def test_every_unit_of_prometheus_is_understood(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", " 5m", "5m ", "5m\n", "5 m", "5", "-5m", "+5m", "1.5h", "30m1h", "5m5m", "1ms1s", "5min", "5M", "m"],
)
def test_anything_else_is_refused_with_examples_of_what_is_accepted(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a duration; .* y, w, d, h, m, s, ms, .* 1h30m"):
        parse_duration(text)


def test_digits_of_other_scripts_are_refused_as_prometheus_does() -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration("\N{ARABIC-INDIC DIGIT FIVE}m")


@pytest.mark.parametrize("text", ["293y", "999999999999999w", "1" + "0" * 60 + "s"])
def test_a_duration_that_prometheus_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="accepted is at most 292y"):
        parse_duration(text)


def test_a_hostile_number_is_refused_without_being_echoed_whole() -> None:
    with pytest.raises(ValueError, match="not a duration") as refused:
        parse_duration("9" * 100_000 + "s")
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        (timedelta(0), "0s"),
        (timedelta(microseconds=999), "0s"),
        (timedelta(milliseconds=1), "1ms"),
        (timedelta(minutes=90), "1h30m"),
        (timedelta(days=14), "2w"),
        (timedelta(days=90), "90d"),
        (timedelta(days=365), "1y"),
        (timedelta(days=366), "366d"),
        (timedelta(days=7, seconds=1), "7d1s"),
        (timedelta(minutes=-5), "-5m"),
    ],
)
def test_durations_are_written_as_prometheus_writes_them(duration: timedelta, expected: str) -> None:
    assert format_duration(duration) == expected


@given(st.timedeltas(min_value=timedelta(0), max_value=LONGEST))
def test_what_is_written_is_read_back_to_the_millisecond(duration: timedelta) -> None:
    whole = duration - duration % timedelta(milliseconds=1)
    assert parse_duration(format_duration(duration)) == whole


@given(st.text(max_size=80))
def test_any_text_is_either_a_duration_or_refused_with_what_is_accepted(text: str) -> None:
    try:
        duration = parse_duration(text)
    except ValueError as refused:
        message = str(refused)
    else:
        message = "accepted: " + format_duration(duration)
    assert "accepted" in message
