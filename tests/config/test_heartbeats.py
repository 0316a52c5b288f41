"""What heartbeats a configuration expects, and what they are called."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from incidentd.config import Config
from incidentd.config.heartbeats import expected_of

FITS = ['alertname="Watchdog"']


def names(**sections: Any) -> list[tuple[str, str]]:
    return [(each.name, each.source) for each in expected_of(Config.model_validate(sections))]


def test_the_default_one_is_recorded_but_not_expected() -> None:
    config = Config.model_validate({"sources": {"main": {}}})
    assert config.sources["main"].heartbeats
    assert expected_of(config) == ()


def test_each_has_a_name_its_own_or_one_made_of_its_source() -> None:
    beats = [{"matchers": FITS, "every": "5m"}, {"matchers": FITS, "every": "5m"}]
    named = [{"matchers": FITS, "every": "5m", "name": "prometheus"}]
    sources = {"eu": {"heartbeats": beats}, "us": {"heartbeats": named}, "none": {"heartbeats": []}}
    assert names(sources=sources, heartbeats={"backup": {"every": "1d"}}) == [
        ("eu", "eu"),
        ("eu-2", "eu"),
        ("prometheus", "us"),
        ("backup", ""),
    ]


def test_a_ping_is_expected_after_its_interval_and_a_minute_of_grace() -> None:
    (backup,) = expected_of(Config.model_validate({"heartbeats": {"backup": {"every": "1d"}}}))
    assert backup.patience == timedelta(days=1, minutes=1)
