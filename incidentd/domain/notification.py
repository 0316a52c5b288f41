"""What is told to people, in which class, and how a vendor's answer is judged: closed sets, used everywhere."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from incidentd.domain.severity import Severity


class Notice(enum.StrEnum):
    """What happened to an incident that somebody should be told. Values are the `type` suffix of outgoing webhooks."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    ESCALATED = "escalated"
    """Severity was raised, or a snooze or hold ended with the condition still there: people are told anew."""
    UPDATED = "updated"
    """Members or notes changed; only the newest state matters."""
    MISSED = "missed"
    """A page came too late to wake anybody for it: what happened is told, without paging."""
    RESOLVED = "resolved"
    REOPENED = "reopened"
    DIGEST = "digest"
    """What need not interrupt anybody, begun or over: told with its like at a fixed time."""

    @property
    def delivery_class(self) -> DeliveryClass:
        """How much this notice matters: see `DeliveryClass`."""
        return _CLASS[self]


class DeliveryClass(enum.StrEnum):
    """What may happen to a delivery row."""

    PAGE = "page"
    """Must reach a human: never superseded, only suppressed by a human's own act."""
    STATE = "state"
    """Latest wins."""
    LOG = "log"
    """Appended in order."""
    CLOSE = "close"
    """Acknowledge and resolve at the vendor."""
    META = "meta"
    """About deliveries themselves."""
    DIGEST = "digest"
    """Waits for its time, and is superseded by whatever tells the same place earlier."""

    def priority(self, severity: Severity) -> int:
        """Lower is claimed first. `PAGES` are those of pages, the critical ones first."""
        if self is DeliveryClass.PAGE and severity is not Severity.CRITICAL:
            return PAGES[1]
        return _PRIORITY[self]


_CLASS = {
    Notice.TRIGGERED: DeliveryClass.PAGE,
    Notice.REOPENED: DeliveryClass.PAGE,
    Notice.ESCALATED: DeliveryClass.PAGE,
    Notice.UNACKNOWLEDGED: DeliveryClass.PAGE,
    Notice.ACKNOWLEDGED: DeliveryClass.CLOSE,
    Notice.RESOLVED: DeliveryClass.CLOSE,
    Notice.UPDATED: DeliveryClass.STATE,
    Notice.MISSED: DeliveryClass.LOG,
    Notice.DIGEST: DeliveryClass.DIGEST,
}
PAGES = (0, 1)
"""First and last priority of pages."""
_PRIORITY = {
    DeliveryClass.PAGE: PAGES[0],
    DeliveryClass.CLOSE: 2,
    DeliveryClass.META: 3,
    DeliveryClass.STATE: 4,
    DeliveryClass.LOG: 4,
    DeliveryClass.DIGEST: 5,
}


class DeliveryState(enum.StrEnum):
    """Life of one outbox row. The last four are terminal and never change, but `dead`, which a person may retry."""

    PENDING = "pending"
    LEASED = "leased"
    SENT = "sent"
    SUPERSEDED = "superseded"
    SUPPRESSED = "suppressed"
    DEAD = "dead"


class Verdict(enum.StrEnum):
    """The closed set of what a vendor's answer can mean; also a metric label."""

    OK = "ok"
    RETRY = "retry"
    """Temporary: network, 5xx. Tried again with backoff."""
    THROTTLED = "throttled"
    """429: tried again, not before what the vendor asked."""
    AMBIGUOUS = "ambiguous"
    """May have been delivered (no answer after the request was sent): tried again with the same vendor key."""
    CONTENT_REJECTED = "content_rejected"
    """The vendor refuses this text: resent once in minimal form."""
    TARGET_GONE = "target_gone"
    """This channel, room or mailbox does not exist any more."""
    DESTINATION_BROKEN = "destination_broken"
    """Credentials or permission: nothing to this destination can work until a person mends it."""
    DISABLED = "disabled"
    """The receiver asks not to be sent anything any more (HTTP 410)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt came to."""

    verdict: Verdict
    code: str = ""
    """Short, from a closed or vendor set: ``202``, ``invalid_auth``, ``timeout``."""
    detail: str = ""
    """One readable line with the remedy if there is one; never a secret."""
    retry_after: timedelta | None = None
    """What the vendor asked for, if it did."""
    reference: Mapping[str, str] | None = None
    """What later messages of the same incident need (Slack's channel and ts); stored per incident and channel."""
    of_target: bool = False
    """A failure of this target alone: others of the channel, behind the same door, are not concerned."""


@dataclass(frozen=True, slots=True)
class AlertView:
    """One alert as messages show it."""

    fingerprint: str
    source: str
    status: str
    severity: Severity
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime | None
    generator_url: str
    last_seen_at: datetime


@dataclass(frozen=True, slots=True)
class StepView:
    """One step of a runbook as messages show it."""

    number: int
    """From 1."""
    text: str
    state: str


@dataclass(frozen=True, slots=True)
class OfferView:
    """A step that a machine takes if a person agrees."""

    number: int
    text: str
    asked_by: str = ""
    """Who asked for it, where a second person has to agree."""


@dataclass(frozen=True, slots=True)
class RunbookView:
    """The runbook of an incident as messages show it."""

    name: str
    title: str
    hash: str
    url: str
    """Link to it with its steps."""
    steps: tuple[StepView, ...]
    over: int
    """How many of them are done or skipped."""
    offer: OfferView | None = None
    """The next step that a person can have a machine take."""


@dataclass(frozen=True, slots=True)
class IncidentView:
    """The incident's state at the moment a message is made: every channel gets the same facts."""

    id: int
    title: str
    state: str
    severity: Severity
    service: str
    group_key: str
    labels: Mapping[str, str]
    opened_at: datetime
    started_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    resolved_at: datetime | None
    resolved_by: str | None
    snoozed_until: datetime | None
    alerts_firing: int
    alerts_total: int
    reopen_count: int
    episode: int
    """1, and one more at each reopen: vendor keys are per episode, so a late retry can never wake a closed one."""
    runbook_url: str | None
    url: str
    """Link to this incident, from `server.public_url`."""
    resolve_withheld: str | None = None
    """Why it is open although all its alerts ended."""
    suppressed_by: str | None = None
    """The maintenance window that keeps it quiet."""
    flapping: bool = False
    drill: bool = False
    assigned_to: str | None = None
    runbook: RunbookView | None = None
    """The runbook that matched as it opened."""
    silence_url: str | None = None
    """Form of its Alertmanager to silence it with; None if that one's address is not known."""

    @property
    def ref(self) -> str:
        """The name people use: ``INC-12``."""
        return f"INC-{self.id}"


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to say to one channel about one incident. Pure input of a channel's `render`."""

    delivery_id: str
    """Fixed at enqueue, the same in every retry: webhook-id, Message-ID and Slack metadata are made of it."""
    dedup_key: str
    """Vendor key of the incident's episode, at most 255 characters: PagerDuty's ``dedup_key``."""
    notice: Notice
    at: datetime
    """When it happened (not when it is sent)."""
    actor: str
    """Who did it: a person's or token's name, ``source``, or ``incidentd``."""
    comment: str
    """What that person said, or empty."""
    incident: IncidentView
    alerts: tuple[AlertView, ...]
    """The incident's alerts, firing first, at most `MAX_ALERTS_SHOWN`; `incident.alerts_total` has the true number."""
    reference: Mapping[str, str] | None
    """What an earlier delivery on this channel for this incident returned, or None for the first."""
    minimal: bool = False
    """True when the vendor has refused the full form once: say it in one short plain text."""
    target: str = ""
    """Which of the channel's targets is spoken to: one mailbox of several. Empty where there is only one."""
    acknowledge_url: str | None = None
    """This target's own link to acknowledge with; only in pages that go to one person."""
    bundle: tuple[IncidentView, ...] = ()
    """Further incidents that this one message tells of with the same notice, most severe first: a storm."""
    texts: Texts | None = None
    """The operator's own words for this message, rendered; None for the built-in ones."""
    fallback_of: str | None = None
    """The channel that could not tell it, if this one stands in for it."""

    @property
    def many(self) -> bool:
        """It lists incidents, and not the alerts of one: a storm, or a digest even of one alone."""
        return bool(self.bundle) or self.notice is Notice.DIGEST


@dataclass(frozen=True, slots=True)
class Texts:
    """What the operator wants a message to say, in plain text; a channel lays it out and escapes it."""

    title: str | None = None
    body: str | None = None


MAX_ALERTS_SHOWN = 50
