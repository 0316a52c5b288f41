"""Planned drills in the configuration."""

from __future__ import annotations

import json
from datetime import time
from pathlib import Path
from typing import Any

import pytest

from incidentd.config import ConfigError, load
from incidentd.domain.hours import EVERY_DAY


def loaded(folder: Path, **drill: Any) -> Any:
    file = folder / "incidentd.yaml"
    file.write_text(json.dumps({"drills": {"weekly": {"time_zone": "Europe/Berlin", **drill}}}))
    return load(file).config.drills["weekly"].plan("weekly")


@pytest.mark.parametrize(
    ("text", "days", "at"),
    [
        ("Mon 10:00", {0}, time(10)),
        ("mon, Thu 9:30", {0, 3}, time(9, 30)),
        ("23:59", EVERY_DAY, time(23, 59)),
    ],
)
def test_a_plan_has_days_and_a_time(tmp_path: Path, text: str, days: set[int], at: time) -> None:
    plan = loaded(tmp_path, at=text)
    assert (plan.days, plan.at, plan.time_zone) == (days, at, "Europe/Berlin")


@pytest.mark.parametrize("text", ["", "Mon", "10", "25:00", "10:60", "Funday 10:00", "Mon 10:00 UTC", 600])
def test_what_is_no_time_of_a_week_is_refused_with_what_is(tmp_path: Path, text: object) -> None:
    with pytest.raises(ConfigError, match=r'drills\.weekly\.at: .*accepted: "Mon 10:00"'):
        loaded(tmp_path, at=text)


def test_whom_it_tells_must_be_configured(tmp_path: Path) -> None:
    assert [str(target) for target in loaded(tmp_path, at="10:00", notify=["console"]).targets] == [
        "channel:console"
    ]
    with pytest.raises(ConfigError, match=r'drills\.weekly\.notify\.0: "nobody" is no configured user'):
        loaded(tmp_path, at="10:00", notify=["user:nobody"])
    with pytest.raises(ConfigError, match=r"drills\.weekly\.notify"):
        loaded(tmp_path, at="10:00", notify=[])
