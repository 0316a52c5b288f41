"""What the API accepts: one strict model per query and per body. Unknown keys are refused everywhere."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)

from incidentd.domain.alert import AlertStatus
from incidentd.domain.incident import State
from incidentd.domain.notification import DeliveryState
from incidentd.domain.response import SNOOZE_LIMIT
from incidentd.domain.severity import Severity
from incidentd.fields import Duration
from incidentd.rendering.formats import Format

_BIGGEST_ID = 2**63 - 1
_REFERENCE = re.compile(r"(?:INC-)?([0-9]{1,18})", re.IGNORECASE)
_REPORT_LIMIT = timedelta(days=1100)


def incident_number(text: str) -> int | None:
    """The id in ``12`` or ``INC-12``; None if it is neither."""
    match = _REFERENCE.fullmatch(text) if text.isascii() else None
    return int(match[1]) if match else None


def cursor_of(last_id: int) -> str:
    """Where the next page begins. Opaque, so that it can change its meaning."""
    return base64.urlsafe_b64encode(str(last_id).encode()).decode().rstrip("=")


def _cursor(value: object) -> int:
    try:
        text = base64.urlsafe_b64decode(str(value) + "=" * (-len(str(value)) % 4)).decode()
    except (binascii.Error, ValueError):
        text = ""
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or int(text) > _BIGGEST_ID:
        raise ValueError("is not a cursor of a previous answer")
    return int(text)


def _text(value: str) -> str:
    # PostgreSQL refuses NUL; the rest of the controls is escaped where it is shown.
    return value.replace("\0", "").strip()


def _given(value: str) -> str:
    if not value:
        raise ValueError("is empty")
    return value


def _incident(value: object) -> int:
    number = incident_number(str(value))
    if number is None:
        raise ValueError("is not an incident; accepted: 12 or INC-12")
    return number


def _snooze(value: timedelta) -> timedelta:
    if not timedelta() < value <= SNOOZE_LIMIT:
        raise ValueError("is not above zero and at most 30d")
    return value


def _window(value: timedelta) -> timedelta:
    if not timedelta() < value <= _REPORT_LIMIT:
        raise ValueError("is not above zero and at most 1100d")
    return value


def _utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("is outside the years 1 to 9999") from None


def _states(values: tuple[str, ...]) -> tuple[str, ...]:
    known = {state.value for state in State}
    words = [word for value in values for word in value.split(",") if word]
    for word in words:
        if word not in known and word != "open":
            raise ValueError(f"{word[:32]!r} is not a state; accepted: {', '.join(sorted(known))}, open")
    found = [w for word in words for w in (("triggered", "acknowledged") if word == "open" else (word,))]
    return tuple(dict.fromkeys(found))


Cursor = Annotated[int, BeforeValidator(_cursor), WithJsonSchema({"type": "string"})]
IncidentRef = Annotated[
    int, BeforeValidator(_incident), WithJsonSchema({"type": "string", "examples": ["12", "INC-12"]})
]
Instant = Annotated[AwareDatetime, AfterValidator(_utc)]
Comment = Annotated[str, Field(max_length=4096), AfterValidator(_text)]
Word = Annotated[str, Field(max_length=256), AfterValidator(_text)]
Title = Annotated[str, Field(max_length=512), AfterValidator(_text), AfterValidator(_given)]


class Query(BaseModel):
    """A query string; its values come as text."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)


class Body(BaseModel):
    """A JSON body; types are strict."""

    model_config = ConfigDict(
        extra="forbid", strict=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )


class NoQuery(Query):
    """Nothing is asked."""


class NoBody(Body):
    """Nothing is said."""


class PageQuery(Query):
    """One page of a list."""

    limit: int = Field(default=50, ge=1, le=500)
    """How many items at most."""
    cursor: Cursor | None = None
    """`next_cursor` of the previous page."""


class IncidentQuery(PageQuery):
    """Which incidents. Every given parameter must match."""

    state: Annotated[tuple[str, ...], AfterValidator(_states)] = ()
    """`triggered`, `acknowledged`, `resolved`, or `open` for the first two; comma-separated or repeated."""
    severity: Severity | None = None
    """Exactly this severity."""
    service: Word | None = None
    """Exactly this service."""
    q: Word | None = None
    """Text in the title or the group key."""
    since: Instant | None = None
    """Opened then or later."""
    acknowledged_by: Word | None = None
    """Who holds it."""


class AlertQuery(PageQuery):
    """Which alerts."""

    status: AlertStatus | None = None
    """`firing` or `resolved`."""
    source: Word | None = None
    """Exactly this source."""
    fingerprint: Word | None = None
    """Exactly this fingerprint."""
    incident: IncidentRef | None = None
    """All that were ever part of this incident, as they were in it."""


class DeliveryQuery(PageQuery):
    """Which deliveries."""

    state: DeliveryState | None = None
    """Exactly this state."""
    incident: IncidentRef | None = None
    """Of this incident."""
    channel: Word | None = None
    """By this channel."""


class ReportQuery(Query):
    """Which figures."""

    window: Annotated[Duration, AfterValidator(_window)] = timedelta(days=30)
    """How far to look back."""
    service: Word | None = None
    """Exactly this service."""
    format: Format = Format.JSON
    """As what."""


class EventQuery(Query):
    """Where to begin."""

    after: int | None = Field(default=None, ge=0, le=_BIGGEST_ID)
    """Entries after this id; the header `Last-Event-ID` comes first."""


class CommentBody(Body):
    """An action, and why."""

    comment: Comment | None = None
    """Kept in the timeline and told to the channels."""


class ResolveBody(CommentBody):
    """A resolve."""

    force: bool = False
    """Although alerts still fire."""


class SnoozeBody(CommentBody):
    """A snooze."""

    for_: Annotated[Duration, AfterValidator(_snooze)] = Field(alias="for")
    """How long, such as `2h`; at most `30d`."""


class AssignBody(CommentBody):
    """Who is to work on it."""

    user: Annotated[str, Field(max_length=256), AfterValidator(_text), AfterValidator(_given)]
    """A name under `users`."""


class NoteBody(Body):
    """A note."""

    text: Annotated[str, Field(max_length=16_384), AfterValidator(_text), AfterValidator(_given)]
    """What to write into the timeline."""


class DeclareBody(Body):
    """An incident that no alert told of."""

    title: Title
    """What people read first."""
    severity: Severity
    """Decides who is told."""
    service: Word | None = None
    """What is affected."""
    description: Comment | None = None
    """What is known so far."""
