"""Text that cannot attack a terminal, times, tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.cli import output

NOW = datetime(2026, 11, 21, 8, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hostile", "harmless"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;owned\x07title", "title"),
        ("\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\", "click"),
        ("\x9b2Jcleared", "cleared"),
        ("\x1bPdevice\x1b\\after", "after"),
        ("\x1bcreset", "reset"),
        ("over\rwritten", "over written"),
        ("bell\x07 nul\x00 del\x7f", "bell nul del"),
        ("\u202egnp.exe", "gnp.exe"),
        ("two\nlines", "two lines"),
        ("lone \ud800 surrogate", "lone \ufffd surrogate"),
        ("\x1b\x1b[31m[32m", "[32m"),
        ("naïve 日本 👩\u200d🚒", "naïve 日本 👩\u200d🚒"),
    ],
)
def test_escape_sequences_and_controls_are_removed(hostile: str, harmless: str) -> None:
    assert output.clean(hostile) == harmless


def test_an_unterminated_sequence_hides_only_its_introducer() -> None:
    assert output.clean("disk full \x1b]0;on db-1") == "disk full ]0;on db-1"


def test_line_feeds_are_kept_only_where_asked_for() -> None:
    assert output.clean("a\nb\x1b[1m", lines=True) == "a\nb"


@given(st.text(st.characters(categories=("Cc", "Cf", "Cs", "L", "P")), max_size=60))
def test_no_control_character_survives_whatever_the_text(text: str) -> None:
    assert not any(ord(char) < 0x20 or 0x7F <= ord(char) <= 0x9F for char in output.clean(text))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (3, "just now"),
        (-3, "just now"),
        (42, "42 s ago"),
        (240, "4 min ago"),
        (3 * 3600, "3 h ago"),
        (5 * 86400, "5 d ago"),
        (-7200, "in 2 h"),
    ],
)
def test_age_is_told_in_words(seconds: int, words: str) -> None:
    assert output.age(NOW - timedelta(seconds=seconds), NOW) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "-"),
        (0, "0 s"),
        (42.4, "42 s"),
        (60, "1 min"),
        (320, "5 min 20 s"),
        (7500, "2 h 5 min"),
        (3 * 86400 + 7200, "3 d 2 h"),
    ],
)
def test_spans_are_told_in_two_units(seconds: float | None, words: str) -> None:
    assert output.span(seconds) == words


def test_times_that_are_none_or_year_one_print_without_failing() -> None:
    assert output.when(None, NOW) == ""
    assert output.when("not a time\x1b[1m", NOW) == "not a time"
    assert "\x1b" not in output.when("0001-01-01T00:00:00Z", NOW)


def test_plain_tables_align_wide_characters(capsys: pytest.CaptureFixture[str]) -> None:
    table = output.Table(("A", "B"))
    table.add("日本", "x")
    table.add("ab", None)
    output.print_table(table)
    assert capsys.readouterr().out == "A     B\n日本  x\nab\n"
