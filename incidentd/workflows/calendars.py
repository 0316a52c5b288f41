"""Calendars that are fetched: what they said last, and which of them could not be read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from incidentd.config import Config
from incidentd.config.ical import Events
from incidentd.config.leave import Asked, Place, Said
from incidentd.domain.incident import OURSELVES
from incidentd.store import calendars as store
from incidentd.store.calendars import StoredCalendar
from incidentd.store.codec import dumps, loads
from incidentd.store.engine import Tx
from incidentd.workflows import audit

AGAIN = timedelta(minutes=5)
"""How soon one that could not be read is asked again, if it is not asked sooner anyway."""
_KEPT = timedelta(days=30)
"""How long one that the configuration does not name any more is kept: another file may name it still."""
_DATE = len("2026-12-24")


@dataclass(frozen=True, slots=True)
class Answered:
    """What asking brought."""

    events: str | None
    """None: the same as before."""
    etag: str = ""
    modified: str = ""


def said(tx: Tx, config: Config) -> Said:
    """What the addresses of `config` said when they were last read."""
    keys = [each.key for each in config.calendars]
    return {key: _events(text) for key, text in store.texts(tx, keys).items()} if keys else {}


def text_of(events: Events) -> str:
    """The events as they are stored."""
    return dumps([[begin.isoformat(), end.isoformat()] for begin, end in sorted(events, key=str)])


def _events(text: str) -> Events:
    return tuple([(_moment(begin), _moment(end)) for begin, end in loads(text)])


def _moment(text: str) -> date:
    return date.fromisoformat(text) if len(text) == _DATE else datetime.fromisoformat(text)


def answered(tx: Tx, asked: Asked, known: StoredCalendar, answer: Answered, now: datetime) -> bool:
    """It could be read. True if it says something else than before."""
    after = replace(
        known,
        next_at=now + asked.refresh,
        read_at=now,
        etag=answer.etag,
        modified=answer.modified,
        failing_since=None,
        error="",
    )
    changed = store.settle(tx, after, answer.events)
    if changed:
        # Who is on duty may follow from it: of what it says the chain has a hash.
        digest = hashlib.sha256((answer.events or "").encode()).hexdigest()
        audit.note(tx, now, OURSELVES, "calendar.changed", f"calendar:{asked.key[:16]}", {"sha256": digest})
    return changed


def unreadable(tx: Tx, asked: Asked, known: StoredCalendar, error: str, now: datetime) -> None:
    """It could not be read: what it said last counts, and it is asked again soon."""
    after = replace(
        known,
        next_at=now + min(asked.refresh, AGAIN),
        failing_since=known.failing_since or now,
        error=error,
    )
    store.settle(tx, after, None)


def forget(tx: Tx, config: Config, now: datetime) -> None:
    """Forget what no configuration has named for long."""
    store.forget(tx, [each.key for each in config.calendars], now - _KEPT)


@dataclass(frozen=True, slots=True)
class CalendarState:
    """How it stands with one place of the configuration."""

    place: Place
    error: str
    """Empty: it could be read when it was last asked, or was not asked yet."""
    since: datetime | None
    """Since when it cannot be read."""
    read_at: datetime | None

    @property
    def trouble(self) -> str | None:
        """What people have to know of it; None if all is well."""
        if self.since is not None:
            kept = "what it said last counts" if self.read_at is not None else "it was never read"
            at = self.since.isoformat(timespec="seconds")
            return f"{self.place.what} could not be read since {at} ({self.error}): {kept}"
        return None if self.read_at is not None else f"{self.place.what} has not been read yet"


def states(tx: Tx, config: Config) -> list[CalendarState]:
    """How it stands with each place that names an address."""
    known = store.standing(tx, [each.key for each in config.calendars]) if config.calendars else {}
    return list(_states(config, known))


def _states(config: Config, known: dict[str, StoredCalendar]) -> Iterator[CalendarState]:
    for asked in config.calendars:
        found = known.get(asked.key)
        for place in asked.places:
            if found is None:
                yield CalendarState(place, "", None, None)
            else:
                yield CalendarState(place, found.error, found.failing_since, found.read_at)


def troubles(tx: Tx, config: Config) -> dict[str, tuple[str, ...]]:
    """Schedule -> what is not known of who is on duty in it."""
    known = states(tx, config)
    return {
        name: tuple([each.trouble for each in known if each.trouble and name in each.place.schedules])
        for name in config.schedules
    }
