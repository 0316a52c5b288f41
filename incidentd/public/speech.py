"""How one page speaks: its language's words, and dates, durations and numbers as people there write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from incidentd.domain.status_page.page import Look, PublicPage
from incidentd.domain.status_page.words import Level, Status
from incidentd.public.languages import LANGUAGES, RIGHT_TO_LEFT, en
from incidentd.public.text import label, plain


@dataclass(frozen=True, slots=True)
class Speech:
    """Words in one language and one time zone."""

    tag: str
    words: Mapping[str, str]
    zone: ZoneInfo

    @property
    def direction(self) -> str:
        """`ltr` or `rtl`."""
        return "rtl" if self.tag.partition("-")[0].lower() in RIGHT_TO_LEFT else "ltr"

    def say(self, key: str, **values: object) -> str:
        """The text for `key`."""
        text = self.words[key]
        return text.format_map(values) if values else text

    def state(self, page: PublicPage) -> str:
        """How the page fares, in a sentence."""
        return self.words.get(page.description.lower().replace(" ", "_"), page.description)

    def status(self, status: Status) -> str:
        """How a component fares."""
        return self.words[status.value]

    def stage(self, word: str) -> str:
        """Where an event stands."""
        return self.words.get(word) or label(word)

    def impact(self, level: Level) -> str:
        """How bad an event is."""
        return self.words[f"impact_{level.value}"]

    def here(self, at: datetime) -> datetime:
        """The instant on the page's clock."""
        return at.astimezone(self.zone)

    def day(self, day: date, *, short: bool = False) -> str:
        """A day."""
        month = self.words["months_short" if short else "months_long"].split()[day.month - 1]
        return self.say("date_short" if short else "date", day=day.day, month=month, year=day.year)

    def month(self, day: date) -> str:
        """The month of `day`, with its year."""
        month = self.words["months_long"].split()[day.month - 1]
        return self.say("month_year", month=month, year=day.year)

    def time(self, at: datetime, zone: ZoneInfo | None = None) -> str:
        """An instant, with the zone it is told in."""
        here = at.astimezone(zone or self.zone)
        month = self.words["months_short"].split()[here.month - 1]
        day = self.say("date", day=here.day, month=month, year=here.year)
        return self.say("time", date=day, clock=f"{here:%H:%M}", zone=f"{here:%Z}")

    def lasted(self, length: timedelta) -> str:
        """A length of time: its two largest units, at least a minute."""
        minutes = max(1, round(length.total_seconds() / 60))
        days, minutes = divmod(minutes, 24 * 60)
        hours, minutes = divmod(minutes, 60)
        parts = [("unit_day", days), ("unit_hour", hours), ("unit_minute", minutes)]
        said = [self.say(key, n=count) for key, count in parts if count]
        return " ".join(said[:2])

    def percent(self, value: float, digits: int = 2) -> str:
        """A percentage; 100 has no decimals, for it is exact."""
        number = "100" if value == 100 else f"{value:.{digits}f}"  # noqa: PLR2004 - of a hundred
        return self.say("percent", number=number.replace(".", self.words["decimal"]))


def speech_of(page: PublicPage) -> Speech:
    """How `page` speaks: its language's words, or English ones, and what the configuration says instead."""
    return speech_in(page.look, page.time_zone)


def speech_in(look: Look, time_zone: str) -> Speech:
    """How a page that looks so speaks."""
    built_in = LANGUAGES.get(look.language.partition("-")[0].lower(), en.WORDS)
    own = {key: plain(text) for key, text in look.words.items()}
    return Speech(look.language, {**built_in, **own}, ZoneInfo(time_zone))
