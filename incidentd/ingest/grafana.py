"""Grafana Alerting's webhook body, version "1": Alertmanager's, and fields of its own per alert.

Grafana strips labels named ``__x__`` after hashing them. The fingerprint cannot be checked; it is believed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from incidentd.domain.alert import Alert, AlertStatus
from incidentd.ingest.body import Body, read, to_post
from incidentd.ingest.text import cut, valid
from incidentd.ingest.types import Post

# Fields tell the sender apart; the version does not, and Grafana announces that some of these will go.
_OF_THE_BODY: Final = frozenset({"orgId", "state", "appVersion"})
_OF_AN_ALERT: Final = frozenset({"silenceURL", "dashboardURL", "panelURL", "valueString", "ruleUID"})
_AS_ANNOTATION: Final = {
    "dashboard_url": "dashboardURL",
    "panel_url": "panelURL",
    "silence_url": "silenceURL",
    "image_url": "imageURL",
}
_VALUE_CAP: Final = 1024
_TICK: Final = timedelta(microseconds=1)


def parse(data: bytes, source: str, now: datetime) -> Post:
    """The alerts in `data`, told by `source`. `now` (aware, UTC) stands in for times that are missing.

    Alertmanager's body posted here by mistake is read just as well. Raises NotAWebhookError if it is none.
    """
    whole = read(data)
    return post(whole, source, now) if is_grafana(whole) else to_post(whole, source, now)


def is_grafana(body: Body) -> bool:
    """Whether Grafana wrote `body`, by the fields that only it has."""
    if not _OF_THE_BODY.isdisjoint(body.fields):
        return True
    first = body.alerts[0] if body.alerts else None
    return isinstance(first, dict) and not _OF_AN_ALERT.isdisjoint(first)


def post(body: Body, source: str, now: datetime) -> Post:
    """Grafana's body read: its links and values become annotations, and a test ends itself."""
    told = to_post(body, source, now, _with_extras)
    return dataclasses.replace(told, alerts=tuple(_tests_ended(told.alerts, now)))


def _with_extras(raw: Any) -> Any:  # noqa: ANN401 - whatever the sender's JSON holds
    """`raw` with Grafana's own fields as annotations, where the rule has not set one of that name itself."""
    if not isinstance(raw, dict):
        return raw
    annotations = raw.get("annotations")
    if annotations is None:
        annotations = {}
    if not isinstance(annotations, dict):
        return raw
    told = ((name, raw.get(key)) for name, key in _AS_ANNOTATION.items())
    extras = {name: text for name, text in told if isinstance(text, str) and text}
    if isinstance(values := raw.get("valueString"), str) and values:
        # One clause per query and series: the first few say what a person wants to know.
        extras["value"] = cut(valid(values), _VALUE_CAP)
    return {**raw, "annotations": extras | annotations}


def _tests_ended(alerts: Iterable[Alert], now: datetime) -> Iterator[Alert]:
    """The alerts, each test followed by its resolve: Grafana's Test button sends none."""
    for alert in alerts:
        yield alert
        if alert.firing and alert.name == "TestAlert" and alert.labels.get("instance") == "Grafana":
            ends = max(now, alert.starts_at + _TICK)
            # Nothing was repaired, so it has no place in the time to repair.
            yield dataclasses.replace(alert, status=AlertStatus.RESOLVED, ends_at=ends, administrative=True)
