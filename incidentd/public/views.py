"""What the templates show, worked out: they decide nothing themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from markupsafe import Markup

from incidentd.domain.status_page.page import (
    PublicComponent,
    PublicDay,
    PublicEvent,
    PublicPage,
    PublicUpdate,
    PublicUptime,
)
from incidentd.domain.status_page.words import Status
from incidentd.public import bars
from incidentd.public.shown import (
    LEVEL_LETTERS,
    STATUS_LETTERS,
    BadDay,
    ComponentView,
    DayView,
    EventView,
    Moment,
    UpdateView,
)
from incidentd.public.speech import Speech
from incidentd.public.statuspage import mean
from incidentd.public.text import fragment, stamp

PAST_DAYS: Final = 14
"""Days of the past that the page itself shows."""
_LISTED: Final = 30
"""Bad days of a component that are listed, the newest first."""
_UTC: Final = ZoneInfo("Etc/UTC")


class Views:
    """Everything about one page."""

    def __init__(self, page: PublicPage, speech: Speech) -> None:
        self.page = page
        self.speech = speech
        self.base = urlsplit(page.url).path.rstrip("/")
        """What paths begin with, if the page does not stand at the root."""
        self.today = speech.here(page.at).date()

    def moment(self, at: datetime) -> Moment:
        """An instant on the page's clock."""
        return Moment(self.speech.time(at), stamp(at))

    # -- components -------------------------------------------------------------------------------------------------
    @cached_property
    def sections(self) -> tuple[tuple[ComponentView | None, tuple[ComponentView, ...]], ...]:
        """(group, its components) in order; components that follow each other without a group stand together.

        Those that only show if degraded are left out while they are not, and a group that has no other.
        """
        found: list[tuple[ComponentView | None, list[ComponentView]]] = []
        for row in self.page.components:
            if row.members is not None:
                found.append((self._plain(row), []))
            elif not _hidden(row):
                if row.group_id is None and (not found or found[-1][0] is not None):
                    found.append((None, []))
                found[-1][1].append(self._component(row))
        return tuple([(group, tuple(members)) for group, members in found if members])

    def _plain(self, row: PublicComponent) -> ComponentView:
        word = self.speech.status(row.status)
        return ComponentView(row, STATUS_LETTERS[row.status], word, self._group_uptime(row))

    def _group_uptime(self, row: PublicComponent) -> str:
        found = mean([self._percent(member) for member in row.members or ()])
        return "" if found is None else self.speech.say("uptime", percent=self.speech.percent(found))

    def _percent(self, component: str) -> float | None:
        known = self._uptimes.get(component)
        return None if known is None else dict(known.percent).get(bars.DAYS)

    def _component(self, row: PublicComponent) -> ComponentView:
        known = self._uptimes.get(row.id)
        if known is None:
            return self._plain(row)
        speech, view = self.speech, self._plain(row)
        bad = self._bad_days(row, known.days)
        ninety = self._percent(row.id)
        uptime = speech.say("uptime_unknown")
        if ninety is not None:
            uptime = speech.say("uptime", percent=speech.percent(ninety))
            watched = len([day for day in known.days if day.observed > 0])
            # A few good days must not pass for ninety.
            uptime += "" if watched >= bars.DAYS else f" ({speech.say('bars_watched', watched=watched)})"
        return ComponentView(
            row=row,
            letter=view.letter,
            word=view.word,
            uptime=uptime,
            label=speech.say("bars_label", count=bars.DAYS, uptime=uptime, events=self._count(len(bad))),
            bars=tuple(bars.paths(known.days, self.today)),
            bad_days=tuple(bad[:_LISTED]),
            bad_summary=self._count(len(bad)),
            windows=self._windows(known),
        )

    @cached_property
    def _uptimes(self) -> Mapping[str, PublicUptime]:
        return {found.component: found for found in self.page.uptimes}

    def _count(self, bad: int) -> str:
        key = {0: "bad_days_none", 1: "bad_days_one"}.get(bad, "bad_days")
        return self.speech.say(key, count=bad)

    def _windows(self, known: PublicUptime) -> tuple[str, ...]:
        speech = self.speech
        return tuple(
            [
                f"{speech.say(f'window_{count}')}: {speech.percent(percent)}"
                for count, percent in known.percent
                if percent is not None
            ]
        )

    def _bad_days(self, row: PublicComponent, days: Sequence[PublicDay]) -> list[BadDay]:
        fine = {None, Status.OPERATIONAL}
        return [self._bad_day(row, day) for day in reversed(days) if bars.worst_of(day) not in fine]

    def _bad_day(self, row: PublicComponent, day: PublicDay) -> BadDay:
        speech = self.speech
        said = [
            f"{speech.status(status)} {speech.lasted(timedelta(seconds=seconds))}"
            for seconds, status in (
                (day.major, Status.MAJOR),
                (day.partial, Status.PARTIAL),
                (day.degraded, Status.DEGRADED),
                (day.maintenance, Status.UNDER_MAINTENANCE),
            )
            if seconds > 0
        ]
        events = [e for e in self._events_of.get(row.id, ()) if self._covers(e, day.day)]
        return BadDay(speech.day(day.day, short=True), ", ".join(said), tuple(events))

    @cached_property
    def _events_of(self) -> Mapping[str, list[PublicEvent]]:
        found: dict[str, list[PublicEvent]] = {}
        for event in self.page.events:
            for component in event.components:
                found.setdefault(component, []).append(event)
        return found

    def _covers(self, event: PublicEvent, day: date) -> bool:
        if event.maintenance and event.status == "scheduled":
            return False
        ended = event.resolved_at or self.page.at
        return self.speech.here(event.started_at).date() <= day <= self.speech.here(ended).date()

    # -- events -----------------------------------------------------------------------------------------------------
    def event(self, event: PublicEvent, newest: int | None = None) -> EventView:
        """One; with `newest` only so many of its updates, the newest."""
        speech = self.speech
        said = [self._update(update) for update in event.updates]
        names = {row.id: self._full_name(row) for row in self.page.components}
        return EventView(
            event=event,
            letter=LEVEL_LETTERS[event.impact],
            impact=speech.impact(event.impact),
            status=speech.stage(event.status),
            components=", ".join([names[key] for key in event.components if key in names]),
            facts=tuple(self._planned(event) if event.maintenance else self._happened(event)),
            updates=tuple([each for each in said if not each.postmortem][:newest]),
            postmortem=tuple([each for each in said if each.postmortem]),
        )

    def _full_name(self, row: PublicComponent) -> str:
        group = next((each for each in self.page.components if each.id == row.group_id), None)
        return f"{group.name} - {row.name}" if group is not None else row.name

    def _update(self, update: PublicUpdate) -> UpdateView:
        # Escaped by `fragment`, once.
        body = Markup(fragment(update.body).replace("<br />", "<br>"))  # noqa: S704
        postmortem = update.status == "postmortem"
        return UpdateView(self.speech.stage(update.status), self.moment(update.created_at), body, postmortem)

    def _happened(self, event: PublicEvent) -> Iterable[tuple[str, Moment | str, str]]:
        say = self.speech.say
        yield say("started"), self.moment(event.started_at), ""
        if event.over and event.resolved_at is not None:
            yield say("ended"), self.moment(event.resolved_at), ""
            yield say("lasted"), self.speech.lasted(event.resolved_at - event.started_at), ""
            return
        so_far = self.speech.lasted(self.page.at - event.started_at)
        yield say("lasted"), say("since", time=so_far), ""
        if event.next_update_at is not None:
            overdue = say("overdue") if event.next_update_at < self.page.at else ""
            yield say("next_update"), self.moment(event.next_update_at), overdue

    def _planned(self, event: PublicEvent) -> Iterable[tuple[str, Moment | str, str]]:
        say, begin, end = self.speech.say, event.scheduled_for, event.scheduled_until
        if begin is None or end is None:
            return
        yield say("begin"), self.moment(begin), self._in_utc(begin)
        yield say("end"), self.moment(end), self._in_utc(end)
        yield say("lasted"), self.speech.lasted(end - begin), ""

    def _in_utc(self, at: datetime) -> str:
        """The same in UTC, where the page keeps another time."""
        here, there = self.speech.here(at), at.astimezone(_UTC)
        if here.utcoffset() == timedelta():
            return ""
        return f"{there:%H:%M %Z}" if here.date() == there.date() else self.speech.time(at, _UTC)

    # -- the past ---------------------------------------------------------------------------------------------------
    @cached_property
    def past(self) -> tuple[DayView, ...]:
        """The last days, the newest first; days without events stand in one line."""
        over: dict[date, list[PublicEvent]] = {}
        for event in self.page.events:
            if event.over:
                over.setdefault(self.day_of(event), []).append(event)
        days = [self.today - timedelta(days=ago) for ago in range(PAST_DAYS)]
        return tuple(self._by_day(days, over))

    def day_of(self, event: PublicEvent) -> date:
        """The day that an event belongs to."""
        return self.speech.here(event.started_at).date()

    def _by_day(self, days: Sequence[date], over: Mapping[date, list[PublicEvent]]) -> Iterable[DayView]:
        speech, empty = self.speech, list[date]()
        for day in days:
            if day not in over:
                empty.append(day)
                continue
            yield from self._without(empty)
            empty = []
            yield DayView(speech.day(day), tuple([self.event(e, newest=1) for e in over[day]]))
        yield from self._without(empty)

    def _without(self, days: Sequence[date]) -> Iterable[DayView]:
        if days:
            last, first = self.speech.day(days[0]), self.speech.day(days[-1])
            span = self.speech.say("span", begin=first, end=last)
            yield DayView(last if len(days) == 1 else span)

    @cached_property
    def months(self) -> Mapping[str, tuple[PublicEvent, ...]]:
        """Month (`2026-11`) -> its events, the newest month first; this month always is one."""
        found: dict[str, list[PublicEvent]] = {f"{self.today:%Y-%m}": []}
        for event in self.page.events:
            if event.over or not event.maintenance:
                found.setdefault(f"{self.day_of(event):%Y-%m}", []).append(event)
        return {month: tuple(found[month]) for month in sorted(found, reverse=True)}


def _hidden(row: PublicComponent) -> bool:
    return row.only_show_if_degraded and row.status is Status.OPERATIONAL
