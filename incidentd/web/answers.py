"""What the API answers, as models: the OpenAPI document and the tests use them, the answers are built by `present`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from incidentd.domain.alert import AlertStatus
from incidentd.domain.heartbeat import Withheld
from incidentd.domain.incident import State
from incidentd.domain.notification import DeliveryClass, DeliveryState, Notice, Verdict
from incidentd.domain.severity import Severity
from incidentd.web.climb import EscalationState
from incidentd.web.runbook_answers import RunbookRef


class Answer(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(extra="forbid")


class Alert(Answer):
    """One alert as last received."""

    fingerprint: str
    source: str
    status: AlertStatus
    severity: Severity
    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: AwareDatetime
    ends_at: AwareDatetime | None
    generator_url: str
    last_seen_at: AwareDatetime
    incident_id: int | None


class Delivery(Answer):
    """One thing that a channel was, or will be, told."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    id: int
    incident_id: int
    channel: str
    target: str
    notice: Notice
    class_: DeliveryClass = Field(alias="class")
    state: DeliveryState
    attempts: int
    last_error: str | None
    last_outcome: Verdict | None
    """What the last attempt came to."""
    reason: str | None
    """Why it was superseded, suppressed or given up."""
    created_at: AwareDatetime
    first_attempt_at: AwareDatetime | None
    sent_at: AwareDatetime | None
    next_attempt_at: AwareDatetime | None
    """Not before; only while it is pending."""
    fallback_of: int | None
    """The page that it stands in for."""
    fell_back: bool
    """Somebody else was told in its place, or nobody is left who could be."""
    bundled_in: int | None
    """The delivery whose message tells of it too."""
    retried_at: AwareDatetime | None
    """When a person put it back."""


class SourceSilence(Answer):
    """A silence at an Alertmanager."""

    id: str
    created_by: str
    comment: str
    ends_at: AwareDatetime | None
    """Null if its Alertmanager did not say."""


class AtSource(Answer):
    """What keeps an incident's alerts quiet at their Alertmanagers."""

    silenced_by: list[SourceSilence]
    inhibited: bool


class Incident(Answer):
    """One incident."""

    id: int
    ref: str
    title: str
    state: State
    severity: Severity
    service: str
    group_key: str
    labels: dict[str, str]
    opened_at: AwareDatetime
    acknowledged_at: AwareDatetime | None
    acknowledged_by: str | None
    resolved_at: AwareDatetime | None
    resolved_by: str | None
    snoozed_until: AwareDatetime | None
    resolve_withheld: Withheld | None
    """Why it is open although all its alerts ended."""
    suppressed_by: str | None
    """The maintenance window that keeps it quiet."""
    drill: bool
    """It is a drill: nothing is wrong, and no figure counts it."""
    flapping: bool
    """It comes and goes: further times are recorded, and its end is believed only after a quiet while."""
    assigned_to: str | None
    escalation: EscalationState | None
    alerts_firing: int
    alerts_total: int
    reopen_count: int
    runbook: RunbookRef | None
    url: str
    at_source: AtSource | None
    """What keeps its alerts quiet at their Alertmanagers; null if nothing does, or if they are not asked."""
    still_firing_at_source: bool
    """Closed here by a person, while its alerts fire there."""


class BudgetDebit(Answer):
    """What one incident took from one error budget."""

    slo: str
    seconds: float
    share: float
    """Of the whole budget; 1 is all of it."""


class IncidentDetail(Incident):
    """One incident with what belongs to it."""

    alerts: list[Alert]
    deliveries: list[Delivery]
    truncated: int
    route: str
    notify: list[str]
    acknowledged_comment: str | None
    """What was said with the acknowledgement that holds."""
    budget_debits: list[BudgetDebit]
    """What it took from the error budgets of its service."""


class Entry(Answer):
    """One line of a timeline."""

    id: int
    incident_id: int
    seq: int
    at: AwareDatetime
    kind: str
    actor: str
    text: str
    data: dict[str, Any]


class Quarantined(Answer):
    """One alert that could not be understood."""

    id: int
    source: str
    received_at: AwareDatetime
    request_id: str
    where: str
    reason: str
    alert: str


class IncidentPage(Answer):
    """A page of incidents."""

    items: list[Incident]
    next_cursor: str | None


class EntryPage(Answer):
    """A page of a timeline."""

    items: list[Entry]
    next_cursor: str | None


class AlertPage(Answer):
    """A page of alerts."""

    items: list[Alert]
    next_cursor: str | None


class DeliveryPage(Answer):
    """A page of deliveries."""

    items: list[Delivery]
    next_cursor: str | None


class QuarantinePage(Answer):
    """A page of the quarantine."""

    items: list[Quarantined]
    next_cursor: str | None


class WebhookReceipt(Answer):
    """What became of a webhook's alerts; they are committed."""

    request_id: str
    received: int
    accepted: int
    quarantined: int
    incidents: list[int]


class VendorReceipt(Answer):
    """What became of a vendor's event; it is committed, and need not come again."""

    request_id: str
    result: Literal["applied", "noted", "duplicate", "ignored"]
    reason: str


class Reloaded(Answer):
    """The new configuration is in force."""

    status: Literal["reloaded"]


class Place(Answer):
    """Where a request is wrong."""

    at: str
    detail: str


class ProblemDocument(BaseModel):
    """RFC 9457. A refused action also tells the reason and the current state."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[Place] | None = None
    reason: str | None = None
    state: State | None = None
