"""What reading a webhook body yields: alerts, the ones set aside, and why a body is none at all."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from incidentd.domain.alert import Alert


class Reason(enum.StrEnum):
    """Why one alert was set aside: a closed set of readable sentences, whose `name` may label a metric."""

    NOT_AN_OBJECT = "an alert is a JSON object; this is something else"
    STATUS = "status is neither firing nor resolved"
    LABELS = "labels is not a JSON object"
    ANNOTATIONS = "annotations is not a JSON object"
    NO_IDENTITY = "neither labels nor a fingerprint: nothing tells this alert from another"
    FINGERPRINT = "fingerprint is not 1 to 128 letters, digits or . _ : -"
    TIME = "not a time in RFC 3339, such as 2026-11-20T17:00:00Z"
    TIME_RANGE = "a time outside the years 2 to 9998"
    NESTED = "nested too deeply"
    UNPROCESSABLE = "this daemon could not process it: see its log"


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One alert that could not be understood. Its neighbours in the body are not affected."""

    where: str
    """Place in the body, e.g. ``alerts[3].startsAt``."""
    reason: Reason
    """A readable sentence."""
    raw: str
    """Compact JSON of that one alert, cut at 16 KiB, for a person to look at."""


@dataclass(frozen=True, slots=True)
class Post:
    """One webhook body, read. Texts of the body itself are attributes, never identity."""

    alerts: tuple[Alert, ...]
    """In the sender's order, duplicates included: what follows is idempotent."""
    quarantined: tuple[Quarantined, ...]
    truncated: int
    """How many alerts the sender left out (Alertmanager's ``max_alerts``); their resolves may never come."""
    group_key: str
    receiver: str
    """As sent: Alertmanager quotes the name as a regular expression."""
    notification_reason: str
    """Empty unless the sender is Alertmanager 0.32 or newer."""
    external_url: str
    received: int
    """Alerts in the body: `alerts` plus `quarantined`, but for the resolve that follows a Grafana test."""
    warnings: tuple[str, ...]
    """What was odd but understood, one readable line per kind."""


class NotAWebhookError(Exception):
    """The body as a whole is not an alert webhook; `detail` says what came, what is expected, the remedy."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail
