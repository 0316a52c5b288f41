"""Calendar feeds (iCalendar) of schedules and people. The address is the credential: it is a secret, and read only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from aiohttp import web
from pydantic import Field

from incidentd.config import Config
from incidentd.config.ical import HINT
from incidentd.domain.schedule import Schedule, Shift, on_duty, shifts
from incidentd.domain.schedule_feed import Feed, FeedKind, feed_of, feeds, token
from incidentd.security_events import SecurityEvent
from incidentd.store import overrides
from incidentd.store.engine import Tx
from incidentd.web.answers import Answer
from incidentd.web.oncall import sliced
from incidentd.web.op import Call
from incidentd.web.problems import Problem, not_found
from incidentd.workflows.secrets import calendar_secret, known_calendar_secret

_BEFORE: Final = timedelta(weeks=4)
_AFTER: Final = timedelta(weeks=26)
"""What of the calendar stands in a feed; programs fetch it again every few hours."""
_MAX_TOKEN: Final = 100
_ICS: Final = "text/calendar; charset=utf-8"


class FeedAnswer(Answer):
    """A calendar and its secret address."""

    kind: FeedKind
    name: str
    url: str = Field(description="Whoever knows it can read the calendar.")


class FeedList(Answer):
    """All calendars."""

    items: list[FeedAnswer]
    next_cursor: str | None


async def listed(call: Call) -> web.Response:
    """Every feed with its address. The secret behind them is made when somebody first asks."""
    context = call.desk.context
    secret = await context.store.read(known_calendar_secret)
    if secret is None:
        now = context.clock.now()
        secret = await context.store.write(lambda tx: calendar_secret(tx, now))
    base = context.config.server.public_url.rstrip("/")
    items = [
        {"kind": feed.kind.value, "name": feed.name, "url": f"{base}/calendars/{token(secret, feed)}.ics"}
        for feed in _feeds(context.config)
    ]
    return call.answer(sliced(items, call.query))


async def feed(call: Call) -> web.Response:
    """One calendar."""
    context, given = call.desk.context, call.request.match_info["token"]
    config, now = context.config, context.clock.now()
    secret = await context.store.read(known_calendar_secret) if len(given) <= _MAX_TOKEN else None
    found = feed_of(secret, _feeds(config), given) if secret is not None else None
    if found is None:
        context.metrics.security_event(SecurityEvent.SIG_FAIL)
        raise not_found("there is no such calendar")
    known = await context.store.read(lambda tx: _shifts(tx, config, found, now))
    headers = call.desk.headers(call.request_id, _ICS)
    headers["X-Robots-Tag"] = "noindex, nofollow"
    return web.Response(body=_ical(config, found, known, now), headers=headers)


def _feeds(config: Config) -> list[Feed]:
    return feeds(config.schedules, config.users)


def _shifts(tx: Tx, config: Config, wanted: Feed, now: datetime) -> list[tuple[Schedule, Shift]]:
    start, end = now - _BEFORE, now + _AFTER
    known = overrides.between(tx, start - _BEFORE, end + _BEFORE)
    # Whole ones: cut at a moving edge, a shift would be another event at each fetch.
    return [
        (plan, on_duty(plan, known, shift.since))
        for plan in config.plans.values()
        for shift in shifts(plan, known, start, end)
        if wanted.has(plan, shift) and shift.since is not None
    ]


def _ical(config: Config, wanted: Feed, known: list[tuple[Schedule, Shift]], now: datetime) -> bytes:
    try:
        from icalendar import Calendar, Event  # noqa: PLC0415 - an extra, and slow to import
    except ImportError:
        raise Problem(501, f"calendars need a library that is not installed: {HINT}") from None

    calendar = Calendar()
    calendar.add("PRODID", "-//incidentd//on-call//EN")
    calendar.add("VERSION", "2.0")
    calendar.add("X-WR-CALNAME", f"On call: {wanted.name}")
    calendar.add("X-PUBLISHED-TTL", "PT1H")
    if wanted.kind is FeedKind.SCHEDULE:
        calendar.add("X-WR-TIMEZONE", ZoneInfo(config.plans[wanted.name].time_zone).key)
    for plan, shift in known:
        event = Event()
        event.add("UID", _uid(plan, shift))
        event.add("DTSTAMP", now)
        event.add("DTSTART", shift.since or now - _BEFORE)
        event.add("DTEND", shift.until or now + _AFTER)
        event.add("SUMMARY", f"On call: {', '.join(_names(config, shift))} ({plan.name})")
        event.add("DESCRIPTION", f"{plan.name}: {shift.why.value} {shift.by}")
        calendar.add_component(event)
    return bytes(calendar.to_ical())


def _names(config: Config, shift: Shift) -> Iterator[str]:
    for person in shift.people:
        user = config.users.get(person)
        yield user.name if user is not None else person


def _uid(plan: Schedule, shift: Shift) -> str:
    content = f"{plan.name}\0{shift.since}\0{','.join(shift.people)}\0{shift.by}"
    return f"{hashlib.sha256(content.encode()).hexdigest()[:32]}@incidentd"
