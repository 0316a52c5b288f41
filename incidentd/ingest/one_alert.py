"""One alert of a body: a quick reading of what senders normally send, a careful one of everything else.

Both agree on whatever the quick one accepts; it only leaves out work that such an alert does not need.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from incidentd.domain.alert import Alert, AlertStatus, fingerprint_of
from incidentd.ingest.text import Caps, clean, cut, limited, listed, plain, valid
from incidentd.ingest.types import Reason

LABEL_CAPS: Final = Caps("label", name=1024, value=4096, total=256 * 1024)
# What a page is made of outlives a flood of other annotations.
ANNOTATION_CAPS: Final = Caps(
    "annotation",
    name=1024,
    value=16 * 1024,
    total=64 * 1024,
    first=frozenset({"summary", "description", "runbook_url"}),
)
URL_CAP: Final = 4096
_UTF8_BYTES: Final = 4
"""A character takes at most so many bytes: counting characters is enough to know that a text fits."""
_STATUS: Final = {status.value: status for status in AlertStatus}
_FINGERPRINT: Final = re.compile(r"[0-9A-Za-z._:-]{1,128}")
# Between them no time zone pushes an instant out of the calendar.
_YEAR_ONE: Final = 1
_LAST_YEAR: Final = 9999
# Go's zero time means "none"; seen from a zone west of Greenwich it lies in the year before.
_ZERO: Final = ("0001-", "0000-")
_REASON_KEY: Final = "grafana_state_reason"
_ADMINISTRATIVE: Final = frozenset({"Paused", "RuleDeleted", "Updated", "MissingSeries"})


class UnusableError(Exception):
    """An alert cannot be understood: because of which `field` (empty: the alert itself), and the reason."""

    def __init__(self, field: str, reason: Reason) -> None:
        super().__init__(field, reason)
        self.field = field
        self.reason = reason


class Notes:
    """What was odd but understood, counted by kind: a body of 10,000 odd alerts yields a few lines."""

    def __init__(self) -> None:
        self._kinds: dict[str, tuple[str, int]] = {}

    def add(self, where: str, kind: str) -> None:
        """Remember that `kind` was met at `where`."""
        first, count = self._kinds.get(kind, (where, 0))
        self._kinds[kind] = first, count + 1

    def lines(self) -> tuple[str, ...]:
        """One line per kind, with the first place it was met."""
        return tuple(
            f"{first}: {kind}" + (f" (and {count - 1} more)" if count > 1 else "")
            for kind, (first, count) in self._kinds.items()
        )


def quick(raw: Any, source: str) -> Alert | None:  # noqa: ANN401 - whatever the sender's JSON holds
    """The alert, if it is of the shape senders normally send and needs no change; None: read it carefully.

    The caller guarantees that `raw` holds neither NUL nor lone surrogates.
    """
    try:
        labels, annotations = raw["labels"], raw["annotations"]
        fingerprint, url = raw["fingerprint"], raw["generatorURL"]
        status = _STATUS[raw["status"]]
        starts = _quick_time(raw["startsAt"])
        ends = None if status is AlertStatus.FIRING else _quick_time(raw["endsAt"])
        if (
            not (_fit(labels, LABEL_CAPS) and _fit(annotations, ANNOTATION_CAPS))
            or "" in labels.values()
            or not isinstance(url, str)
            or len(url) * _UTF8_BYTES > URL_CAP
            or not _FINGERPRINT.fullmatch(fingerprint)
        ):
            return None
    except (KeyError, TypeError, AttributeError, ValueError):
        return None
    administrative = ends is not None and _is_administrative(annotations)
    return Alert(source, fingerprint, status, labels, annotations, starts, ends, url, (), administrative)


def _fit(texts: Mapping[str, str], caps: Caps) -> bool:
    """Whether all values are texts and nothing can be over its cap; may deny it of what just fits.

    Joining tells both at once, in C: it raises TypeError for what is no text, and bounds the longest part.
    """
    names, values = len("".join(texts)) * _UTF8_BYTES, len("".join(texts.values())) * _UTF8_BYTES
    return (names <= caps.name and values <= caps.value) or (
        names + values <= caps.total
        and max(map(len, texts)) * _UTF8_BYTES <= caps.name
        and max(map(len, texts.values())) * _UTF8_BYTES <= caps.value
    )


def _quick_time(text: str) -> datetime:
    """A time that needs no second thought, in UTC. Raises ValueError or TypeError otherwise."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None or not _YEAR_ONE < time.year < _LAST_YEAR:
        raise ValueError(text)
    return time if time.tzinfo is UTC else time.astimezone(UTC)


def careful(raw: object, source: str, now: datetime, where: str, notes: Notes) -> Alert:
    """The alert, with everything put right that can be; oddities go to `notes`. Raises UnusableError."""
    if not isinstance(raw, dict):
        raise UnusableError("", Reason.NOT_AN_OBJECT)
    status = _status(raw.get("status"))
    told = _texts(raw, "labels", Reason.LABELS, where, notes)
    # Senders hash all labels, so identity is computed before anything is cut.
    fingerprint = _fingerprint(raw.get("fingerprint"), told)
    texts = _texts(raw, "annotations", Reason.ANNOTATIONS, where, notes)
    # Alertmanager's data model: a label without a value is no label.
    labels, cut_labels = limited((item for item in told.items() if item[1].strip("\0")), LABEL_CAPS)
    annotations, cut_annotations = limited(texts.items(), ANNOTATION_CAPS)
    starts, ends = _times(raw, status, now, where, notes)
    url, cut_url = _url(raw.get("generatorURL"))
    return Alert(
        source,
        fingerprint,
        status,
        labels,
        annotations,
        starts,
        ends,
        url,
        listed(cut_labels + cut_annotations + cut_url),
        ends is not None and _is_administrative(annotations),
    )


def _status(value: object) -> AlertStatus:
    status = _STATUS.get(value.strip().lower()) if isinstance(value, str) else None
    if status is None:
        raise UnusableError("status", Reason.STATUS)
    return status


def _texts(raw: Mapping[str, object], key: str, reason: Reason, where: str, notes: Notes) -> dict[str, str]:
    """Labels or annotations as texts; custom senders put numbers and even objects there."""
    value = raw.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UnusableError(key, reason)

    def odd() -> None:
        notes.add(f"{where}.{key}", "a value is no text: written as in JSON")

    try:
        return {valid(name): plain(text, odd) for name, text in value.items()}
    except RecursionError:
        raise UnusableError(key, Reason.NESTED) from None


def _fingerprint(value: object, labels: Mapping[str, str]) -> str:
    if value is None or value == "":
        if not any(labels.values()):
            raise UnusableError("", Reason.NO_IDENTITY)
        return fingerprint_of(labels)
    if not isinstance(value, str) or not _FINGERPRINT.fullmatch(value):
        raise UnusableError("fingerprint", Reason.FINGERPRINT)
    return value


def _times(
    raw: Mapping[str, object], status: AlertStatus, now: datetime, where: str, notes: Notes
) -> tuple[datetime, datetime | None]:
    """Start and end. What is missing is taken from the time of receipt: telling late beats not telling."""
    starts = _time(raw, "startsAt", where, notes)
    # While it fires, senders give the zero time or an expiry, neither of which is an end.
    ends = None if status is AlertStatus.FIRING else _time(raw, "endsAt", where, notes)
    if status is AlertStatus.RESOLVED and ends is None:
        notes.add(f"{where}.endsAt", "missing on a resolved alert: the time of receipt stands in")
        ends = max(now, starts or now)
    if starts is None:
        notes.add(f"{where}.startsAt", "missing: the end or the time of receipt stands in; repeats look new")
        starts = ends or now
    return starts, ends


def _time(raw: Mapping[str, object], key: str, where: str, notes: Notes) -> datetime | None:
    """The instant under `key` in UTC, cut to microseconds; None if it is missing or Go's zero time."""
    value = raw.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise UnusableError(key, Reason.TIME)
    text = value.strip().upper()
    if text.startswith(_ZERO):
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise UnusableError(key, Reason.TIME) from None
    if not _YEAR_ONE < time.year < _LAST_YEAR:
        raise UnusableError(key, Reason.TIME_RANGE)
    if time.tzinfo is None:
        notes.add(f"{where}.{key}", "no time zone: taken as UTC")
        return time.replace(tzinfo=UTC)
    return time.astimezone(UTC)


def _url(value: object) -> tuple[str, list[str]]:
    if not isinstance(value, str):
        return "", []
    whole = clean(value)
    kept = cut(whole, URL_CAP)
    return kept, [] if kept == whole else ["generatorURL"]


def _is_administrative(annotations: Mapping[str, str]) -> bool:
    """Whether Grafana says that a rule was changed or its series vanished: nothing was repaired.

    Grafana joins several reasons with a comma. It is also seen behind an Alertmanager that Grafana posts to.
    """
    reasons = annotations.get(_REASON_KEY)
    return reasons is not None and any(reason.strip() in _ADMINISTRATIVE for reason in reasons.split(","))
