"""Calendars in which somebody else says when a person is away, or when it is a holiday: files, and addresses."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import (
    PlainSerializer,
    PlainValidator,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from incidentd.config.ical import MAX_BYTES, Events, events_of, periods, require_library
from incidentd.config.secrets import SecretReader
from incidentd.config.section import PositiveDuration, Section
from incidentd.fields import SECRETS, SecretUrl

Said = Mapping[str, Events]
"""Key of an address -> what its calendar said when it was last read."""
LEAST_REFRESH = timedelta(minutes=1)
_KEY = 32


@dataclass(frozen=True, slots=True)
class CalendarFile:
    """What an iCalendar file says."""

    path: str
    """As written in the configuration."""
    events: Events = field(default=(), repr=False)


def _file(value: object, info: ValidationInfo) -> CalendarFile:
    if isinstance(value, CalendarFile):
        return value
    if not isinstance(value, str) or not value:
        raise ValueError("is not a path; accepted: the path of an iCalendar file, such as leave/alice.ics")
    if "://" in value:
        raise ValueError(
            "is an address; accepted: the path of an iCalendar file, or the key url in its place"
        )
    reader = (info.context or {}).get(SECRETS)
    folder = reader.folder if isinstance(reader, SecretReader) else Path()
    return CalendarFile(value, events_of(_content(folder / value)))


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as refused:
        raise ValueError(f"the file {path} cannot be read: {refused.strerror or 'unreadable'}") from None
    if len(content) > MAX_BYTES:
        raise ValueError(f"the file {path} is larger than 2 MiB; name one that holds these events alone")
    return content


class Calendar(Section):
    """An iCalendar file, or an address to fetch one from. Every event in it that is not cancelled counts; events that
    repeat are refused. Needs the extra `calendar`.
    """

    file: (
        Annotated[
            CalendarFile,
            PlainValidator(_file),
            PlainSerializer(lambda found: found.path, return_type=str),
            WithJsonSchema({"type": "string", "examples": ["leave/alice.ics"]}),
        ]
        | None
    ) = None
    """Relative to the configuration file; read at start and at each reload."""
    url: SecretUrl | None = None
    """Its http or https address, held like a secret. What it said last counts while it cannot be read."""
    refresh: PositiveDuration = timedelta(hours=1)
    """How often `url` is asked."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.file is None) == (self.url is None):
            raise ValueError("needs either file or url; accepted: one of them")
        if self.url is None and "refresh" in self.model_fields_set:
            raise ValueError("refresh is for url; a file is read at start and at each reload")
        if self.url is not None:
            require_library()
        if self.refresh < LEAST_REFRESH:
            raise ValueError("refresh is below a minute; accepted: 1m or more")
        return self

    @property
    def key(self) -> str | None:
        """What the database calls the address: the address itself is not written there. None for a file."""
        return None if self.url is None else key_of(self.url)

    def periods(self, said: Said, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
        """Its events as instants, for a schedule in `zone`; none of an address that was never read."""
        if self.file is not None:
            return periods(self.file.events, zone)
        return periods(said.get(self.key or "", ()), zone)


def key_of(url: SecretStr) -> str:
    """A digest of an address: who has the database does not have the address."""
    return hashlib.sha256(url.get_secret_value().encode()).hexdigest()[:_KEY]


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the configuration an address stands, and what it is for."""

    path: str
    what: str
    """For people: `leave of alice`."""
    schedules: frozenset[str]
    """Whom it concerns."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An address that is asked, once for all the places that have it."""

    key: str
    url: SecretStr
    refresh: timedelta
    """The shortest that any of them wants."""
    places: tuple[Place, ...]
