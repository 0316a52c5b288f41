"""Commands that show who is on duty: oncall, schedule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from incidentd.cli import output
from incidentd.cli.client import CtlError
from incidentd.cli.ctl_common import Session, api_options, page_options, pass_session, say_more
from incidentd.cli.output import clean, parse_time, when

_Json = dict[str, Any]
_ACCEPTED = '2026-12-24T18:00:00Z, "2026-12-24 18:00", now, +4h'
_DATE = len("2026-12-24")


def moment(text: str, zone: ZoneInfo | None, now: datetime, base: datetime | None = None) -> datetime:
    """The instant that `text` names; a time without an offset is meant in `zone` (None: this machine's).

    `+4h` counts from `base`, or else from `now`. Raises CtlError (exit 2) saying what is accepted.
    """
    from incidentd.domain.duration import parse_duration
    from incidentd.domain.schedule_time import instant

    try:
        if text == "now":
            return now
        if text.startswith("+"):
            return (base or now) + parse_duration(text[1:])
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise CtlError(f"{clean(text)!r} is not a time", f"accepted: {_ACCEPTED}", code=2) from None
    if found.tzinfo is not None:
        return found
    return instant(found, zone) if zone is not None else found.astimezone()


def absolute(text: str) -> bool:
    """True for a time that needs no zone to be understood."""
    return (
        text == "now"
        or text.startswith("+")
        or text.endswith(("Z", "z"))
        or bool({"+", "-"} & set(text[_DATE:]))
    )


def path_of(name: str) -> str:
    """Where the API has a schedule."""
    return f"/api/v1/schedules/{quote(name, safe='')}"


def zone_of(name: object) -> ZoneInfo:
    """The time zone of that name. Raises CtlError if this machine does not know it."""
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise CtlError(f"this machine does not know the time zone {clean(name)!r}", "update tzdata") from None


@click.command("oncall", short_help="Show who is on duty.")
@click.option("--at", metavar="TIME", help="At another time; without an offset it is meant in your own zone.")
@page_options
@api_options
@pass_session
def oncall(session: Session, /, *, at: str | None, **page: str | int | None) -> None:
    """Show who is on duty in each schedule, until when, and what says so.

    \b
    Examples:
      incidentctl oncall
      incidentctl oncall --at "2026-12-24 18:00"
      incidentctl oncall --at +12h --json | jq -r '.items[].people[]'
    """
    asked = moment(at, None, session.now()).isoformat() if at is not None else None
    answer = session.client().get("/api/v1/oncall", {"at": asked, **page})
    if session.printed(answer):
        return
    if not answer.items:
        click.echo("no schedule is configured")
        return
    now = session.now()
    columns = {
        "SCHEDULE": lambda i: i.get("schedule"),
        "ON DUTY": _people,
        "UNTIL": lambda i: when(i.get("until"), now),
        "BECAUSE OF": _because,
    }
    output.print_table(output.table_of(answer.items, columns))
    say_more(answer)
    _warn(text for item in answer.items for text in item.get("warnings") or [])


def _warn(texts: Iterable[object]) -> None:
    for text in dict.fromkeys(texts):
        click.echo(f"warning: {clean(text)}", err=True)


def _people(shift: _Json) -> str:
    return ", ".join(clean(person) for person in shift.get("people") or []) or "nobody"


def _because(shift: _Json) -> str:
    by = clean(shift.get("by"))
    return f"override {by}" if shift.get("why") == "override" else by


@click.group("schedule", short_help="Show schedules and their calendars.")
def schedule() -> None:
    """Show schedules: who is on duty in the next weeks, and when nobody is.

    \b
    Examples:
      incidentctl schedule list
      incidentctl schedule show primary --weeks 8
      incidentctl schedule feeds
    """


@schedule.command("list", short_help="List the schedules.")
@page_options
@api_options
@pass_session
def list_schedules(session: Session, /, **page: str | int | None) -> None:
    """List the configured schedules."""
    answer = session.client().get("/api/v1/schedules", page)
    if session.printed(answer):
        return
    if not answer.items:
        click.echo("no schedule is configured")
        return
    columns = {
        "SCHEDULE": lambda i: i.get("name"),
        "TIME ZONE": lambda i: i.get("time_zone"),
        "LAYERS": lambda i: ", ".join(clean(layer.get("name")) for layer in i.get("layers") or []),
        "PEOPLE": lambda i: ", ".join(dict.fromkeys(_members(i))),
    }
    output.print_table(output.table_of(answer.items, columns))
    say_more(answer)


def _members(item: _Json) -> Iterator[str]:
    for layer in item.get("layers") or []:
        for turn in layer.get("users") or []:
            yield from (clean(person) for person in turn)


@schedule.command("show", short_help="Show the calendar of one schedule.")
@click.argument("name", metavar="NAME")
@click.option("--weeks", type=click.IntRange(1, 53), default=4, show_default=True, help="How far to look.")
@click.option(
    "--from", "start", metavar="TIME", help="Where to begin, in the schedule's zone; default: today."
)
@api_options
@pass_session
def show_schedule(session: Session, /, *, name: str, weeks: int, start: str | None) -> None:
    """Show who is on duty when, in the schedule's own time zone. Gaps are shown as nobody.

    \b
    Examples:
      incidentctl schedule show primary
      incidentctl schedule show primary --from 2026-12-21 --weeks 2
    """
    client = session.client()
    begin = None
    if start is not None:
        zone = None if absolute(start) else zone_of(client.get(path_of(name)).object.get("time_zone"))
        begin = moment(start, zone, session.now()).isoformat()
    answer = client.get(path_of(name), {"from": begin, "weeks": weeks})
    if session.printed(answer):
        return
    found = answer.object
    shown, gaps = _calendar(found), found.get("gaps") or []
    click.echo(f"{clean(found.get('name'))}, times in {clean(found.get('time_zone'))}\n")
    output.print_table(shown)
    if gaps:
        seconds = sum((_length(gap) for gap in gaps), timedelta()).total_seconds()
        click.echo(f"\nnobody is on duty in {len(gaps)} gap(s), {output.span(seconds)} together")
    _warn(found.get("warnings") or [])


def _calendar(found: _Json) -> output.Table:
    """One line for each shift and gap in their order; the week is named once."""
    zone = zone_of(found.get("time_zone"))
    table = output.Table(["WEEK", "FROM", "TO", "LENGTH", "ON DUTY", "BECAUSE OF"])
    before = ""
    every = [*(found.get("shifts") or []), *(found.get("gaps") or [])]
    for each in sorted(every, key=lambda shift: str(shift.get("starts_at"))):
        begin, end = parse_time(each.get("starts_at")), parse_time(each.get("ends_at"))
        if begin is None or end is None:
            continue
        local = begin.astimezone(zone)
        week = f"{local:%G-W%V}"
        length = output.span((end - begin).total_seconds())
        times = (f"{local:%a %d %b %H:%M}", f"{end.astimezone(zone):%a %d %b %H:%M}")
        table.add(week if week != before else "", *times, length, _people(each), _because(each))
        before = week
    return table


def _length(gap: _Json) -> timedelta:
    begin, end = parse_time(gap.get("starts_at")), parse_time(gap.get("ends_at"))
    return end - begin if begin is not None and end is not None else timedelta()


@schedule.command("feeds", short_help="Show the secret addresses of the calendar feeds.")
@page_options
@api_options
@pass_session
def feeds(session: Session, /, **page: str | int | None) -> None:
    """Show the calendar feed of each schedule and each person, to subscribe to in a calendar program.

    The address is the credential: whoever knows it can read that calendar.
    """
    answer = session.client().get("/api/v1/calendars", page)
    if session.printed(answer):
        return
    columns = {
        "KIND": lambda i: i.get("kind"),
        "NAME": lambda i: i.get("name"),
        "ADDRESS": lambda i: i.get("url"),
    }
    output.print_table(output.table_of(answer.items, columns))
    say_more(answer)
