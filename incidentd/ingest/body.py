"""The core that all senders share: bytes to JSON, JSON to a `Post`, one alert at a time.

After any 4xx Alertmanager holds the whole group back for a group_interval and then sends the same again,
for ever. So a body is refused only if it is no webhook at all; one bad alert is set aside, the others go on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import orjson

from incidentd.domain.alert import Alert
from incidentd.ingest.one_alert import Notes, UnusableError, careful, quick
from incidentd.ingest.text import clean, compact, cut, field
from incidentd.ingest.types import NotAWebhookError, Post, Quarantined

Adapt = Callable[[Any], Any]
"""Moves what a sender says in fields of its own to where the core looks for it; leaves the rest as it is."""

_EXPECTED: Final = "Expected is the webhook body of Alertmanager (version 4) or Grafana Alerting (version 1)"
_RAW_CAP: Final = 16 * 1024
_FIELD_CAP: Final = 4096
_BIGGEST_COUNT: Final = 2**31
_LONGEST_INTEGER: Final = 4000
_NAMED_KEYS: Final = 8
_NUL: Final = b"\\u0000"


class Body:
    """A body that is an alert webhook, not yet looked at alert by alert."""

    def __init__(self, fields: Mapping[str, Any], *, tidy: bool) -> None:
        self.fields = fields
        self.alerts: list[Any] = fields["alerts"]
        self.tidy = tidy
        """True if no text in it can hold a NUL or a lone surrogate."""
        self.notes = Notes()


def read(data: bytes) -> Body:
    """The JSON of a webhook body. Raises NotAWebhookError.

    Measured with the garbage collector off, in us per alert of a body of 10,000: orjson.loads 2.0, and
    `to_post` adds 3.5 for checks and building. pydantic's validate_json takes 3.8 into TypedDicts or 4.5 into
    models, to which the building (1.1) and most of the checks would be added: it is not the faster way.
    """
    odd = ""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        odd = error.msg
        value = _lenient(data)
    # From the end, as that looks for the rare backslash, not for the common zero: four times as fast.
    body = Body(_webhook(value), tidy=not odd and data.rfind(_NUL) < 0)
    if odd:
        body.notes.add("body", f"not strictly valid JSON ({odd}), read all the same")
    return body


def _lenient(data: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Python's own reader takes what is wrong but clear: bad UTF-8, lone surrogates, byte order marks."""
    text = data.decode(json.detect_encoding(data), errors="replace")
    try:
        return json.loads(text, strict=False, parse_int=_integer)
    except RecursionError:
        raise NotAWebhookError(f"The body is JSON nested too deeply to be an alert. {_EXPECTED}.") from None
    except json.JSONDecodeError as error:
        what = f"not JSON ({error})" if text.strip() else "empty"
        raise NotAWebhookError(f"The body is {what}. {_EXPECTED}.") from None


def _integer(digits: str) -> float:
    """Python refuses to make an int of an endless row of digits; such a number means nothing here anyway."""
    return int(digits) if len(digits) < _LONGEST_INTEGER else float(digits)


def _webhook(value: object) -> Mapping[str, Any]:
    if isinstance(value, list):
        raise NotAWebhookError(
            f"The body is a JSON list, as Prometheus posts to Alertmanager's own API. {_EXPECTED}: "
            "let Prometheus post to Alertmanager, and name this URL under webhook_configs there."
        )
    if not isinstance(value, dict):
        raise NotAWebhookError(f"The body is JSON, but not an object. {_EXPECTED}.")
    if not isinstance(value.get("alerts"), list):
        got = "its alerts is no list" if "alerts" in value else f"it has {_keys(value)} and no alerts"
        raise NotAWebhookError(
            f"The body is a JSON object, but {got}. {_EXPECTED}. A payload of your own replaces that body: "
            "remove `payload:` from webhook_configs (Alertmanager 0.32 and newer), "
            "or the custom payload from Grafana's contact point."
        )
    return value


def _keys(value: Mapping[str, object]) -> str:
    """Which keys there are, for the message: names only, as values may be secret."""
    names = [ascii(cut(clean(name), 64)) for name in list(value)[:_NAMED_KEYS]]
    return ", ".join(names) + (", ..." if len(value) > _NAMED_KEYS else "") if names else "no keys"


def to_post(body: Body, source: str, now: datetime, adapt: Adapt | None = None) -> Post:
    """Every alert of `body` read or set aside. `now` stands in for times that are missing."""
    alerts: list[Alert] = []
    quarantined: list[Quarantined] = []
    for place, raw in enumerate(body.alerts):
        told = adapt(raw) if adapt else raw
        alert = quick(told, source) if body.tidy else None
        if alert is None:
            where = f"alerts[{place}]"
            try:
                alert = careful(told, source, now, where, body.notes)
            except UnusableError as error:
                quarantined.append(_set_aside(raw, where, error))
                continue
        alerts.append(alert)
    fields = body.fields
    if "version" not in fields and "groupKey" not in fields:
        body.notes.add("body", "neither version nor groupKey: a custom payload, which may leave things out")
    return Post(
        alerts=tuple(alerts),
        quarantined=tuple(quarantined),
        truncated=_count(fields.get("truncatedAlerts"), body.notes),
        group_key=field(fields, "groupKey", _FIELD_CAP),
        receiver=field(fields, "receiver", _FIELD_CAP),
        notification_reason=field(fields, "notification_reason", _FIELD_CAP),
        external_url=field(fields, "externalURL", _FIELD_CAP),
        received=len(body.alerts),
        warnings=body.notes.lines(),
    )


def _set_aside(raw: object, where: str, error: UnusableError) -> Quarantined:
    try:
        text = cut(clean(compact(raw)), _RAW_CAP)
    except RecursionError:
        text = ""
    return Quarantined(f"{where}.{error.field}" if error.field else where, error.reason, text)


def _count(value: object, notes: Notes) -> int:
    if value is None:
        return 0
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _BIGGEST_COUNT:
        return value
    notes.add("truncatedAlerts", "not a count: taken as 0")
    return 0
