"""Times as people type them for on-call commands."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from incidentd.cli.client import CtlError
from incidentd.cli.ctl_oncall import absolute, moment

NOW = datetime(2026, 11, 21, 8, 4, tzinfo=UTC)
BASE = datetime(2026, 12, 24, 17, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", "2026-11-21T08:04:00+00:00"),
        ("+4h", "2026-12-24T21:00:00+00:00"),
        ("+1d12h", "2026-12-26T05:00:00+00:00"),
        ("2026-12-24 18:00", "2026-12-24T17:00:00+00:00"),
        ("2026-12-24", "2026-12-23T23:00:00+00:00"),
        ("2026-12-24T18:00:00Z", "2026-12-24T18:00:00+00:00"),
        ("2026-12-24T18:00:00-05:00", "2026-12-24T23:00:00+00:00"),
        ("2026-03-29 02:30", "2026-03-29T01:00:00+00:00"),
        ("2026-10-25 02:30", "2026-10-25T00:30:00+00:00"),
    ],
)
def test_a_time_without_an_offset_is_meant_in_the_schedules_zone(text: str, expected: str) -> None:
    assert moment(text, BERLIN, NOW, BASE) == datetime.fromisoformat(expected)


def test_a_pause_without_a_base_counts_from_now() -> None:
    assert moment("+30m", None, NOW) == datetime(2026, 11, 21, 8, 34, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "tomorrow", "+", "+4", "+4x", "2026-13-01", "25:00", "+291y"])
def test_anything_else_is_wrong_usage_and_says_what_is_accepted(text: str) -> None:
    with pytest.raises(CtlError) as refused:
        moment(text, BERLIN, datetime(9900, 1, 1, tzinfo=UTC))
    assert refused.value.exit_code == 2
    assert "+4h" in refused.value.format_message()


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("now", True),
        ("+4h", True),
        ("2026-12-24T18:00Z", True),
        ("2026-12-24T18:00-05:00", True),
        ("2026-12-24 18:00", False),
        ("2026-12-24", False),
    ],
)
def test_only_a_local_time_needs_the_schedules_zone(text: str, known: bool) -> None:
    assert absolute(text) is known
