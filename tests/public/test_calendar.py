"""A scheduled maintenance as other programs' calendars read it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import icalendar
import pytest

from incidentd.domain.status_page.words import Stage
from incidentd.public import calendar, documents
from tests.public.scenes import HOSTILE, NOW, SCENES, page, planned


def entry(body: bytes) -> Any:
    """The one event of a calendar."""
    [event] = icalendar.Calendar.from_ical(body).walk("VEVENT")
    return event


def test_a_calendar_gets_begin_end_name_and_place() -> None:
    shown = page(planned("mnt000000001", "Upgrade", timedelta(hours=5), Stage.SCHEDULED, "api", "search"))
    event = entry(calendar.maintenance(shown, shown.maintenances[0]))
    assert event["UID"] == "mnt000000001@status.example.com"
    assert event["DTSTART"].dt == NOW + timedelta(hours=5)
    assert event["DTEND"].dt == NOW + timedelta(hours=7)
    assert event["SUMMARY"] == "Acme Cloud: Upgrade"
    assert event["DESCRIPTION"] == "API, Search\nWe move to new machines."
    assert event["URL"] == "https://status.example.com/incidents/mnt000000001"
    assert event["STATUS"] == "CONFIRMED"


def test_hostile_text_stays_text_and_lines_stay_short() -> None:
    shown = page(planned("mnt1", f"{HOSTILE}\r\nATTENDEE:x" * 5, timedelta(hours=5), Stage.SCHEDULED, "api"))
    body = calendar.maintenance(shown, shown.maintenances[0])
    assert max(len(line) for line in body.split(b"\r\n")) <= 75
    assert b"\r\nATTENDEE" not in body
    event = entry(body)
    assert "<script>alert(1)</script> & ]]>" in event["SUMMARY"]


def test_every_maintenance_has_one_and_no_incident_has() -> None:
    tree = documents.render(SCENES["maintenance and outage"]())
    assert len([path for path in tree if path.endswith(".ics")]) == 3
    incident = SCENES["one outage"]().incidents[0]
    with pytest.raises(ValueError, match="no maintenance"):
        calendar.maintenance(page(), incident)
