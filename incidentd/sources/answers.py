"""What Alertmanager's API v2 answers, read defensively: what is not understood is an error, never an absence."""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from incidentd.domain.alert import fingerprint_of
from incidentd.ingest.text import clean, cut

_BLANKS = re.compile(r"[ \t\r\n]*")
_SHOWN = 200
"""Characters of an answer that an error may repeat."""
_TEXT = 4096


class Reason(enum.StrEnum):
    """Why an Alertmanager could not be asked: bounded, so it may label a metric."""

    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    """It, or a proxy before it, does not accept our credentials."""
    FAILED = "failed"
    """It answered with an error of its own."""
    INVALID = "invalid"
    """It understood and does not accept what was asked."""
    UNKNOWN = "unknown"
    """There is nothing of that id."""
    BAD_ANSWER = "bad_answer"
    """What came is not what its API answers."""
    TOO_LARGE = "too_large"


class AlertmanagerError(Exception):
    """An Alertmanager gave no usable answer. Names no address that could hold a secret."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Status:
    """How an Alertmanager is."""

    up: timedelta
    """Since its start, by its own clock."""
    version: str
    cluster: str
    """``ready``, ``settling`` or ``disabled``."""


@dataclass(frozen=True, slots=True)
class SourceAlert:
    """One alert that an Alertmanager holds: it fires, for a resolved one is not there any more."""

    fingerprint: str
    labels: Mapping[str, str]
    active: bool
    """False if a silence, an inhibition or a mute time keeps it quiet there."""
    silenced_by: tuple[str, ...]
    """Ids of silences."""
    inhibited: bool
    receivers: tuple[str, ...]
    raw: Mapping[str, Any] | None = field(default=None, repr=False)
    """All of it, where the caller wanted that."""


@dataclass(frozen=True, slots=True)
class SilenceMatcher:
    """One matcher of a silence."""

    name: str
    value: str
    is_regex: bool = False
    is_equal: bool = True


@dataclass(frozen=True, slots=True)
class Silence:
    """A silence as an Alertmanager has it."""

    id: str
    state: str
    """``active``, ``pending`` or ``expired``."""
    created_by: str
    comment: str
    starts_at: datetime
    ends_at: datetime
    matchers: tuple[SilenceMatcher, ...]


def alerts_of(body: bytes, wanted: Callable[[str], bool]) -> list[SourceAlert]:
    """Every alert of an answer; `raw` of those whose fingerprint is `wanted`.

    Read one alert after the other: a thread that does it never holds the interpreter for long, and what is not
    needed is dropped at once.
    """
    found = []
    for item in _items(body):
        try:
            found.append(_alert(item, wanted))
        except (KeyError, TypeError, AttributeError, ValueError):
            raise _odd("alerts", item) from None
    return found


def _alert(item: Mapping[str, Any], wanted: Callable[[str], bool]) -> SourceAlert:
    labels, status = item["labels"], item["status"]
    if not isinstance(labels, dict) or not all([isinstance(value, str) for value in labels.values()]):
        raise TypeError("labels")
    fingerprint = item.get("fingerprint") or fingerprint_of(labels)
    if not isinstance(fingerprint, str):
        raise TypeError("fingerprint")
    return SourceAlert(
        fingerprint,
        labels,
        status["state"] == "active" and not status.get("mutedBy"),
        tuple([str(each) for each in status.get("silencedBy") or ()]),
        bool(status.get("inhibitedBy")),
        tuple([str(each["name"]) for each in item.get("receivers") or ()]),
        item if wanted(fingerprint) else None,
    )


def _items(body: bytes) -> Iterator[Any]:
    """The elements of a JSON list, one by one. Raises `AlertmanagerError` unless all of it is one."""
    text = body.decode("utf-8", "replace")
    try:
        yield from _elements(text)
    except (_NoListError, json.JSONDecodeError, RecursionError):
        raise AlertmanagerError(Reason.BAD_ANSWER, f"no complete JSON list: {_shown(text)}") from None


def _elements(text: str) -> Iterator[Any]:
    decode = json.JSONDecoder(strict=False).raw_decode
    mark, place = _mark(text, 0, "[")
    if text.startswith("]", _blanks(text, place)):
        mark, place = _mark(text, place, "]")
    while mark != "]":
        item, place = decode(text, _blanks(text, place))
        yield item
        mark, place = _mark(text, place, ",]")
    if _blanks(text, place) != len(text):
        raise _NoListError


class _NoListError(Exception):
    """A text is no JSON list."""


def _mark(text: str, place: int, accepted: str) -> tuple[str, int]:
    """The next character that is no blank, and the place behind it."""
    place = _blanks(text, place)
    found = text[place : place + 1]
    if not found or found not in accepted:
        raise _NoListError
    return found, place + 1


def _blanks(text: str, place: int) -> int:
    blank = _BLANKS.match(text, place)
    return blank.end() if blank else place


def status_of(body: bytes, date: str, now: datetime) -> Status:
    """How it is. `date` is the answer's Date header: its clock and its start are then the same machine's."""
    raw = _object(body, "status")
    try:
        started = _instant(raw["uptime"])
        version, cluster = raw["versionInfo"]["version"], raw["cluster"]["status"]
    except (KeyError, TypeError, ValueError):
        raise _odd("status", sorted(raw)) from None
    return Status(max((_date(date) or now) - started, timedelta()), _text(version), _text(cluster))


def _date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def silences_of(body: bytes) -> list[Silence]:
    """Every silence of an answer."""
    found = []
    for item in _items(body):
        try:
            found.append(_silence(item))
        except (KeyError, TypeError, AttributeError, ValueError):
            raise _odd("silences", item) from None
    return found


def _silence(item: Mapping[str, Any]) -> Silence:
    return Silence(
        str(item["id"]),
        str(item["status"]["state"]),
        _text(item.get("createdBy")),
        _text(item.get("comment")),
        _instant(item["startsAt"]),
        _instant(item["endsAt"]),
        tuple(
            [
                SilenceMatcher(
                    str(m["name"]), str(m["value"]), bool(m.get("isRegex")), bool(m.get("isEqual", True))
                )
                for m in item["matchers"]
            ]
        ),
    )


def silence_id_of(body: bytes) -> str:
    """The id that a silence was given: after a change of its matchers it is a new one."""
    found = _object(body, "silence").get("silenceID")
    if not isinstance(found, str) or not found:
        raise AlertmanagerError(Reason.BAD_ANSWER, "no silenceID")
    return found


def silence_body(silence: Silence) -> bytes:
    """What is posted to make or to change a silence; an empty id makes one."""
    raw: dict[str, Any] = {
        "matchers": [
            {"name": m.name, "value": m.value, "isRegex": m.is_regex, "isEqual": m.is_equal}
            for m in silence.matchers
        ],
        "startsAt": silence.starts_at.isoformat(),
        "endsAt": silence.ends_at.isoformat(),
        "createdBy": silence.created_by,
        "comment": silence.comment,
    }
    return json.dumps({**raw, "id": silence.id} if silence.id else raw).encode()


def said(body: bytes) -> str:
    """What an error says: a JSON string, an object with `message`, or anything else."""
    text = body.decode("utf-8", "replace")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    if isinstance(value, dict):
        value = value.get("message", "")
    return _shown(str(value))


def _object(body: bytes, what: str) -> Mapping[str, Any]:
    try:
        value = json.loads(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise AlertmanagerError(Reason.BAD_ANSWER, f"{what}: no JSON") from None
    if not isinstance(value, dict):
        raise _odd(what, value)
    return value


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def _odd(what: str, value: object) -> AlertmanagerError:
    kind = (
        ", ".join(sorted(map(str, value))) if isinstance(value, Mapping | Sequence) else type(value).__name__
    )
    return AlertmanagerError(Reason.BAD_ANSWER, f"{what}: not understood: {_shown(kind)}")


def _text(value: object) -> str:
    return cut(clean(str(value or "")), _TEXT)


def _shown(text: str) -> str:
    return " ".join(clean(text[:_SHOWN]).split())
