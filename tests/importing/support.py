"""What the tests of the import share: exports, an instant, our own loader."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from incidentd.config import Config, load
from incidentd.importing import Imported, as_yaml, convert, read
from incidentd.importing.report import Entry

DATA = Path(__file__).parent / "data"
FIXTURES = sorted(DATA.glob("*.json"))
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CHANNELS = """\
channels:
  console: {kind: console}
  hook: {kind: webhook, url: "http://127.0.0.1:9/hook"}
"""
GIVEN = dict.fromkeys(
    ("sms", "phone_call", "telegram", "mobile_app", "mobile_app_critical", "slack", "email"), "hook"
) | dict.fromkeys(
    ("GONCALLGROUP1", "WHPAGER000001", "whole_channel", "C0ALERTS", "C0EXAMPLE", "CH23212D"), "hook"
)


def imported(source: Path | Mapping[str, Any], channels: Mapping[str, str] | None = None) -> Imported:
    """A fixture, or an export made up in a test, as it is imported at NOW."""
    data = source.read_bytes() if isinstance(source, Path) else json.dumps(source).encode()
    return convert(read(data), NOW, channels)


def loaded(found: Imported, folder: Path) -> Config:
    """What our own loader makes of the YAML, merged into a minimal configuration."""
    file = folder / "incidentd.yaml"
    file.write_text(CHANNELS + as_yaml(found.config, found.report), encoding="utf-8")
    return load(file, {}).config


def entry(found: Imported, object_id: str) -> Entry:
    """The account of one object."""
    return next(each for each in found.report.entries if each.id == object_id)


def team(*shifts: Mapping[str, Any], zone: str = "Europe/Berlin", kind: str = "calendar") -> dict[str, Any]:
    """An export of one schedule, `duty`, with these shifts."""
    users = sorted({user for shift in shifts for turn in _turns(shift) for user in turn})
    listed = [shift["id"] for shift in shifts]
    return {
        "users": [{"id": user, "username": user.lower()} for user in users],
        "schedules": [{"id": "S1", "name": "duty", "type": kind, "time_zone": zone, "shifts": listed}],
        "on_call_shifts": list(shifts),
    }


def _turns(shift: Mapping[str, Any]) -> list[list[str]]:
    return [*(shift.get("rolling_users") or ()), shift.get("users") or []]


def shift(kind: str, start: str, hours: float, **more: Any) -> dict[str, Any]:
    """A shift as the API answers it."""
    seconds = int(hours * 3600)
    return {
        "id": "O1",
        "name": "Shift",
        "type": kind,
        "level": 1,
        "start": start,
        "duration": seconds,
        **more,
    }
