"""Schedules in the configuration: what a layer means, leave from a calendar, and what check-config warns of."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from incidentd.config import Config, ConfigError, load
from incidentd.config.calendars import calendar_notes
from incidentd.config.on_call_checks import on_call_warnings
from incidentd.domain.schedule import gaps, on_duty

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
DOCUMENT = Path(__file__).parents[2] / "docs/on-call.md"
PEOPLE = "users: {alice: {name: A}, bob: {name: B}, carol: {name: C}}\n"
NAMES = ("alice", "bob", "carol", "dave", "sam", "tina", "nora", "omar")


def loaded(folder: Path, text: str) -> Config:
    path = folder / "incidentd.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, {}).config


def layers(*written: str, zone: str = "Europe/Berlin") -> str:
    listed = "\n".join(f"    - {{{each}}}" for each in written)
    return f"{PEOPLE}schedules:\n  primary:\n    time_zone: {zone}\n    layers:\n{listed}\n"


def calendar(*events: str) -> str:
    head = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n"
    body = "".join(
        f"BEGIN:VEVENT\r\nUID:{number}\r\nDTSTAMP:20260101T000000Z\r\n{event}\r\nEND:VEVENT\r\n"
        for number, event in enumerate(events)
    )
    return f"{head}{body}END:VCALENDAR\r\n"


def test_every_example_of_the_document_is_accepted_and_leaves_no_gap(tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    examples = [block for block in blocks if "schedules:" in block]
    assert len(examples) == 4
    people = "users: {" + ", ".join(f"{name}: {{name: {name}}}" for name in NAMES) + "}\n"
    for block in examples:
        config = loaded(tmp_path, block if "users:\n" in block else people + block)
        assert [line for line in on_call_warnings(config, NOW) if "nobody" in line] == []


@pytest.mark.parametrize(
    ("written", "begins"),
    [
        ('users: [alice], start: "2026-01-05", handoff: "9:00"', "2026-01-05T08:00"),
        ('users: [alice], start: "2026-01-05T09:00", handoff: "09:00"', "2026-01-05T08:00"),
        ("users: [alice], start: 2026-01-05", "2026-01-04T23:00"),
        ("users: [alice], start: 2026-01-05 09:00, from: 2026-02-01", "2026-01-31T23:00"),
    ],
)
def test_a_layer_begins_at_its_local_time(tmp_path: Path, written: str, begins: str) -> None:
    plan = loaded(tmp_path, layers(written)).plans["primary"]
    assert on_duty(plan, (), NOW).since == datetime.fromisoformat(begins).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "length"),
    [("09:00-17:00", 8), ("18:00-08:00", 14), ("08:00-08:00", 24), ("00:00-24:00", 24), ("16:00 - 24:00", 8)],
)
def test_hours_may_cross_midnight_and_be_a_whole_day(tmp_path: Path, hours: str, length: int) -> None:
    text = layers(f"users: [alice], start: 2026-01-05, days: [wed], hours: {hours}")
    config = loaded(tmp_path, text)
    until = NOW + timedelta(days=7)
    empty = sum(
        ((g.until or NOW) - (g.since or NOW) for g in gaps(config.plans["primary"], (), NOW, until)),
        timedelta(),
    )
    assert timedelta(days=7) - empty == timedelta(hours=length)
    assert config.model_dump(mode="json")["schedules"]["primary"]["layers"][0]["hours"].count(":") == 2


def test_gaps_unheard_layers_and_idle_people_are_warned_about(tmp_path: Path) -> None:
    text = layers(
        "users: [carol], start: 2026-01-05, name: below",
        "users: [alice, bob], start: 2026-11-09, rotation: 8w",
        "users: [bob], start: 2026-01-05, until: 2026-02-01, name: over",
        zone="UTC",
    )
    assert list(on_call_warnings(loaded(tmp_path, text), NOW)) == [
        "schedules.primary.layers.0: puts nobody on duty in the next 30 days: it does not hold, or others are above it",
        "schedules.primary.layers.1.users: bob is never on duty in the next 30 days",
        "schedules.primary.layers.2: puts nobody on duty in the next 30 days: it does not hold, or others are above it",
    ]
    text = layers("users: [alice], start: 2026-01-05, days: [mon, tue, wed, thu, fri]")
    warned = list(on_call_warnings(loaded(tmp_path, text), NOW))
    assert warned[0] == (
        "schedules.primary: nobody is on duty from Sat 2026-11-21 09:00 to Mon 2026-11-23 00:00 (1d15h)"
    )
    assert warned[-1] == "schedules.primary: and in 2 more gaps of the next 30 days"
    empty = loaded(tmp_path, "schedules: {primary: {time_zone: UTC}}")
    assert list(on_call_warnings(empty, NOW)) == [
        "schedules.primary: has no layers, so nobody is on duty unless an override says so"
    ]


def test_leave_is_read_from_the_file_and_again_at_a_reload(tmp_path: Path) -> None:
    events = (
        "DTSTART;VALUE=DATE:20261124\r\nDTEND;VALUE=DATE:20261126",
        "DTSTART;VALUE=DATE:20261130",
        "DTSTART:20261202T090000Z\r\nDURATION:PT4H",
        "DTSTART:20261203T090000\r\nDTEND:20261203T120000",
        "DTSTART;VALUE=DATE:20261210\r\nSTATUS:CANCELLED",
        "DTSTART:20261211T090000Z",
    )
    (tmp_path / "alice.ics").write_text(calendar(*events), encoding="utf-8")
    text = layers("users: [alice], start: 2026-01-05").replace(
        "{name: A}", "{name: A, leave: {file: alice.ics}}"
    )
    plan = loaded(tmp_path, text).plans["primary"]
    found = gaps(plan, (), NOW, NOW + timedelta(days=30))
    assert [f"{gap.since:%d %H:%M}-{gap.until:%d %H:%M}" for gap in found] == [
        "23 23:00-25 23:00",
        "29 23:00-30 23:00",
        "02 09:00-02 13:00",
        "03 08:00-03 11:00",
    ]
    (tmp_path / "alice.ics").write_text(calendar(), encoding="utf-8")
    assert loaded(tmp_path, text).plans["primary"].absences == ()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("nonsense", "is not an iCalendar file"),
        ("", "is not an iCalendar file"),
        (calendar().removesuffix("END:VCALENDAR\r\n"), "is not an iCalendar file"),
        (calendar("DTSTART;VALUE=DATE:00010101"), "not between the years 1970 and 2199"),
        (calendar("DTSTART:20260101T000000Z\r\nDTEND:20260102T000000Z\r\nDTEND:20260102T000000Z"), "is not"),
        (calendar(*["DTSTART;VALUE=DATE:20260101"] * 2001), "has 2001 events"),
        (calendar("SUMMARY:Yoga\r\nDTSTART:20260101T000000Z\r\nRRULE:FREQ=DAILY"), "event 'Yoga' repeats"),
        (calendar("SUMMARY:Yoga"), "event 'Yoga' has no DTSTART"),
        (
            calendar("DTSTART;VALUE=DATE:20260101\r\nDTEND:20260102T000000Z"),
            "begins with a date and ends with a time",
        ),
    ],
)
def test_a_calendar_that_cannot_be_followed_is_refused(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "alice.ics").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=words):
        loaded(tmp_path, "users: {alice: {name: A, leave: {file: alice.ics}}}")


def test_an_address_and_a_huge_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="or the key url in its place"):
        loaded(tmp_path, "users: {alice: {name: A, leave: {file: 'https://cal.example/a.ics'}}}")
    (tmp_path / "big.ics").write_bytes(b"x" * (2 * 1024 * 1024 + 1))
    with pytest.raises(ConfigError, match="larger than 2 MiB"):
        loaded(tmp_path, "users: {alice: {name: A, leave: {file: big.ics}}}")


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("{}", "needs either file or url"),
        ("{file: a.ics, url: 'https://cal.example/a.ics'}", "needs either file or url"),
        ("{file: a.ics, refresh: 5m}", "refresh is for url"),
        ("{url: 'https://cal.example/a.ics', refresh: 59s}", "refresh is below a minute"),
        ("{url: 'ftp://cal.example/s3cret.ics'}", "is not an http address"),
    ],
)
def test_leave_is_either_a_file_or_an_address(tmp_path: Path, written: str, words: str) -> None:
    (tmp_path / "a.ics").write_text(calendar(), encoding="utf-8")
    with pytest.raises(ConfigError, match=words) as refused:
        loaded(tmp_path, f"users: {{alice: {{name: A, leave: {written}}}}}")
    assert "s3cret" not in str(refused.value)


def test_on_holidays_a_layer_gives_way_to_the_one_below(tmp_path: Path) -> None:
    (tmp_path / "public.ics").write_text(calendar("DTSTART;VALUE=DATE:20261225"), encoding="utf-8")
    office = "name: office, users: [bob, carol], start: 2026-01-05, hours: 09:00-17:00"
    text = layers("users: [alice], start: 2026-01-05", f"{office}, holidays: {{file: public.ics}}")
    plan = loaded(tmp_path, text).plans["primary"]
    people = [on_duty(plan, (), datetime(2026, 12, day, 11, tzinfo=UTC)).people for day in (24, 25, 26)]
    assert people == [("bob",), ("alice",), ("bob",)]
    holiday = on_duty(plan, (), datetime(2026, 12, 25, 11, tzinfo=UTC))
    assert (holiday.since, holiday.until) == (
        datetime(2026, 12, 24, 16, tzinfo=UTC),
        datetime(2026, 12, 26, 8, tzinfo=UTC),
    )


def test_one_address_is_asked_once_for_all_places_that_have_it(tmp_path: Path) -> None:
    url = "url: 'https://cal.example/s3cret.ics'"
    text = layers(f"users: [alice], start: 2026-01-05, holidays: {{{url}, refresh: 5m}}").replace(
        "{name: A}", f"{{name: A, leave: {{{url}}}}}"
    )
    config = loaded(tmp_path, text)
    (asked,) = config.calendars
    assert asked.refresh == timedelta(minutes=5)
    assert [place.path for place in asked.places] == [
        "users.alice.leave",
        "schedules.primary.layers.0.holidays",
    ]
    assert [sorted(place.schedules) for place in asked.places] == [["primary"], ["primary"]]
    notes = list(calendar_notes(config.calendars))
    assert (
        notes[0] == "users.alice.leave.url: is not asked here, so gaps are judged without the leave of alice"
    )
    assert "s3cret" not in f"{notes} {config!r} {asked!r} {config.model_dump_json()}"
