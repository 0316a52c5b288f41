"""The incident: its record, its states, and the one table of legal transitions."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from incidentd.domain.notification import Notice
from incidentd.domain.runbook import Guidance
from incidentd.domain.severity import Severity


class State(enum.StrEnum):
    """Where an incident stands. Snoozed, held and the like are flags beside the state, never states."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Event(enum.StrEnum):
    """What can move an incident from one state to another."""

    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    RAISE = "raise"
    """A worse severity joined."""
    SNOOZE_END = "snooze_end"
    RESOLVE = "resolve"
    REOPEN = "reopen"


TRANSITIONS: Mapping[tuple[State, Event], State] = {
    (State.TRIGGERED, Event.ACKNOWLEDGE): State.ACKNOWLEDGED,
    (State.TRIGGERED, Event.RAISE): State.TRIGGERED,
    (State.TRIGGERED, Event.SNOOZE_END): State.TRIGGERED,
    (State.TRIGGERED, Event.RESOLVE): State.RESOLVED,
    (State.ACKNOWLEDGED, Event.UNACKNOWLEDGE): State.TRIGGERED,
    (State.ACKNOWLEDGED, Event.RAISE): State.TRIGGERED,
    (State.ACKNOWLEDGED, Event.SNOOZE_END): State.TRIGGERED,
    (State.ACKNOWLEDGED, Event.RESOLVE): State.RESOLVED,
    (State.RESOLVED, Event.REOPEN): State.TRIGGERED,
}
"""Every legal step. What is not here is refused."""

ALREADY: Mapping[Event, State] = {
    Event.ACKNOWLEDGE: State.ACKNOWLEDGED,
    Event.UNACKNOWLEDGE: State.TRIGGERED,
    Event.RESOLVE: State.RESOLVED,
    Event.REOPEN: State.TRIGGERED,
}
"""The state in which repeating an event is harmless: it answers success and changes nothing."""

SOURCE = "source"
"""`resolved_by` when the alerts themselves ended."""

RECONCILE = "reconcile"
"""`resolved_by`, and the actor, when the alerts were found to be gone at their source without a word from it."""

MACHINES = frozenset({SOURCE, RECONCILE})
"""Values of `resolved_by` that are no person."""

OURSELVES = "incidentd"
"""`source` of incidents about incidentd itself, and the actor of what it does by itself."""


class Refusal(enum.StrEnum):
    """Why a person's action was refused: the machine-readable reason of a 409."""

    WRONG_STATE = "wrong_state"
    STILL_FIRING = "still_firing"
    GROUP_BUSY = "group_busy"
    """Reopening would make a second open incident of the same group."""
    NO_ALERTMANAGERS = "no_alertmanagers"
    """Its source has none that could be asked for a silence."""
    NOTHING_TO_MATCH = "nothing_to_match"
    """No labels say which alerts a silence would be for."""
    STEP_STATE = "step_state"
    """The step of the runbook does not allow it: a machine is at it."""
    AUTOMATION = "automation"
    """A machine may not do it: the configuration, the switch or the runbook says so."""
    COOLDOWN = "cooldown"
    """The same command ran just now."""


class ActionRefusedError(Exception):
    """An action the current state does not allow."""

    def __init__(self, refusal: Refusal, state: State, detail: str) -> None:
        super().__init__(detail)
        self.refusal = refusal
        self.state = state
        self.detail = detail


@dataclass(frozen=True)
class Incident:
    """The record people work on. One open incident per `group_key` at most.

    Without slots, unlike the other values: `evolve` copies its dictionary, which intake does for every alert.
    """

    id: int
    source: str
    group_key: str
    title: str
    state: State
    severity: Severity
    service: str
    labels: Mapping[str, str]
    """What all its alerts have in common."""
    notify: tuple[str, ...]
    """Names of the channels that are told, frozen by the route when it opened or was raised."""
    route: str
    """The matched route, readable; the reason why these channels."""
    escalation: str | None
    opened_at: datetime
    started_at: datetime
    """The earliest `startsAt` of its alerts."""
    first_acknowledged_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    ended_at: datetime | None = None
    """The latest `endsAt` among its alerts so far, final once they all ended; None if a person closed it while
    they fired."""
    counts: bool = True
    """False if its end repaired nothing (rule paused or deleted): left out of MTTR."""
    snoozed_until: datetime | None = None
    held_until: datetime | None = None
    """Reopened by a firing that may be a stale post: nobody is told before this instant."""
    reopen_count: int = 0
    episode: int = 1
    alerts_firing: int = 0
    alerts_total: int = 0
    last_seq: int = 0
    update_queued: bool = False
    """An `updated` notice waits in the outbox: further changes ride along with it."""
    runbook_url: str | None = None
    declared_by: str | None = None
    truncated: int = 0
    """How many alerts the sender cut from its last body of this group: a visible warning."""
    last_at: datetime | None = None
    """When its last timeline entry was recorded; None if that is not known."""
    resolve_withheld_at: datetime | None = None
    """When the last of its alerts ended by a word that is not believed yet; it stays open until it is."""
    resolve_withheld_for: str | None = None
    """Why: a `heartbeat.Withheld`."""
    ack_expires_at: datetime | None = None
    """When its acknowledgement is taken back."""
    remind_at: datetime | None = None
    """When who holds it is reminded that it is still open."""
    assigned_to: str | None = None
    """The user who was asked to work on it."""
    suppressed_by: str | None = None
    """The maintenance window that covers all its alerts: it is recorded, and nobody is told before that ends."""
    flapping_since: datetime | None = None
    """When it had come and gone so often that each further time tells nobody, and its end is not believed at once."""
    refires: tuple[datetime, ...] = ()
    """When it came back lately, as far as flapping is judged by it."""
    drill: str | None = None
    """The drill it belongs to: no figure counts it, and nothing of it becomes public. None: it is real."""
    counted_from: datetime | None = None
    """Where figures begin to count: not from a start that was known to have been over in between, nor from that of an
    alert less severe than the incident was when it joined. None: from `started_at`."""

    @property
    def open(self) -> bool:
        """Triggered or acknowledged."""
        return self.state is not State.RESOLVED

    @property
    def began_at(self) -> datetime:
        """What MTTD, MTTA, MTTR and budgets count from."""
        return self.counted_from or self.started_at

    @property
    def over_at(self) -> datetime | None:
        """When the condition ended, by the source's word where it told; None while it is open."""
        # A reopened incident may still carry the end of its earlier episode.
        return None if self.resolved_at is None else self.ended_at or self.resolved_at

    @property
    def quiet(self) -> bool:
        """Nobody is to be told of new members now: snoozed, held, or suppressed by maintenance."""
        return self.snoozed_until is not None or self.held_until is not None or self.suppressed_by is not None

    def moment(self, now: datetime) -> datetime:
        """`now`, or the last recorded instant if the wall clock has stepped back behind it.

        Within one incident recorded time never runs backwards: no resolve stands before its own opening.
        """
        known = (
            self.opened_at,
            self.first_acknowledged_at,
            self.acknowledged_at,
            self.resolved_at,
            self.last_at,
        )
        return max(now, *[at for at in known if at is not None])


def restore(values: Mapping[str, object]) -> Incident:
    """The incident with exactly these fields, as it was stored."""
    incident = object.__new__(Incident)
    incident.__dict__.update(values)
    return incident


def evolve(incident: Incident, **changes: object) -> Incident:
    """`dataclasses.replace` at a quarter of its price, for the hot path. The names in `changes` must be fields."""
    after = object.__new__(Incident)
    after.__dict__.update(incident.__dict__, **changes)
    return after


@dataclass(frozen=True, slots=True)
class Entry:
    """One immutable line of an incident's timeline."""

    kind: str
    actor: str
    text: str
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """The decision about one incident: its next value, what the timeline says, what people are told."""

    incident: Incident
    entry: Entry | None = None
    notice: Notice | None = None
    comment: str = ""
    source_channel: str = ""
    """The channel whose vendor told us of it, and so need not be told; empty if it began here."""
    at_once: bool = False
    """An `updated` notice with something of its own to say: it neither waits for more nor joins what waits."""
    guidance: Guidance | None = None
    """What told people what to do, where it was looked up: at acknowledgements and resolves."""
    gaps: tuple[tuple[datetime, datetime], ...] = ()
    """When it was over before it came back, where that was looked up, as above."""


def step(incident: Incident, event: Event) -> State:
    """The state `event` leads to, or `ActionRefusedError`. The only door through `TRANSITIONS`."""
    try:
        return TRANSITIONS[incident.state, event]
    except KeyError:
        detail = f"INC-{incident.id} is {incident.state}: {event} is not possible from there"
        raise ActionRefusedError(Refusal.WRONG_STATE, incident.state, detail) from None
