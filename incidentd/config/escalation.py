"""Escalation in the configuration: policies, contact rules, quiet hours, what an acknowledgement is worth."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from incidentd.config.section import PositiveDuration, Section, TimeZone
from incidentd.domain import escalation as domain
from incidentd.domain.contact import Urgency
from incidentd.domain.hours import EVERY_DAY
from incidentd.domain.hours import Hours as DomainHours
from incidentd.domain.severity import Severity
from incidentd.fields import Duration, SecretUrl, Slug

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _clock(value: object) -> time:
    text = str(value)
    hour, colon, minute = text.partition(":")
    if isinstance(value, time):
        return value
    digits = hour.isascii() and minute.isascii() and hour.isdigit() and minute.isdigit()
    if not (colon and digits and len(minute) == 2 and int(hour) < 24 and int(minute) < 60):  # noqa: PLR2004 - a clock
        raise ValueError('is no time of day; accepted: text such as "07:00" or "22:30"')
    return time(int(hour), int(minute))


Clock = Annotated[
    time, BeforeValidator(_clock), WithJsonSchema({"type": "string", "examples": ["07:00", "22:30"]})
]
"""A time of day on the wall."""


def _target(value: str) -> str:
    domain.parse_target(value)
    return value


TargetText = Annotated[str, AfterValidator(_target)]
"""``schedule:NAME``, ``user:NAME``, ``channel:NAME``, or a channel's name."""


class Hours(Section):
    """Hours of some days."""

    time_zone: TimeZone
    """The IANA time zone in which they are meant."""
    from_: Clock = Field(alias="from")
    """When they begin, such as `"08:00"`."""
    to: Clock
    """When they end; not later than `from` means on the next day."""
    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = Field(
        default=("mon", "tue", "wed", "thu", "fri", "sat", "sun"), min_length=1
    )
    """Days on which they begin."""
    outside: bool = False
    """All other time is meant."""

    @property
    def hours(self) -> DomainHours:
        """The same for the domain."""
        days = frozenset(DAYS.index(day) for day in self.days)
        return DomainHours(self.time_zone, self.from_, self.to, days, self.outside)


class QuietHours(Section):
    """When somebody wants to hear nothing that can wait."""

    time_zone: TimeZone
    """The IANA time zone of that person."""
    from_: Clock = Field(alias="from")
    """When they begin, such as `"22:00"`."""
    to: Clock
    """When they end: what is of low urgency is told then."""

    @model_validator(mode="after")
    def _ends(self) -> QuietHours:
        if self.from_ == self.to:
            raise ValueError("last for ever; accepted: different times in from and to")
        return self

    @property
    def hours(self) -> DomainHours:
        """The same for the domain."""
        return DomainHours(self.time_zone, self.from_, self.to, EVERY_DAY)


class ContactRule(Section):
    """One way to reach a person."""

    channel: Slug
    """The channel's name. `email` writes to the person's `email`, `slack` to their `slack` as a direct message;
    any other kind goes to where the channel goes."""
    urgency: Literal["high", "low", "any"] = "any"
    """How urgent it has to be."""
    after: Duration = timedelta()
    """How long to wait: what is acknowledged by then is not told."""
    as_: Literal["dm", "channel"] | None = Field(default=None, alias="as")
    """`channel` tells it where the channel goes, also over e-mail and Slack."""

    @property
    def urgencies(self) -> frozenset[Urgency]:
        """The same for the domain."""
        both = frozenset({Urgency.HIGH, Urgency.LOW})
        return both if self.urgency == "any" else frozenset({Urgency(self.urgency)})


class EscalationStep(Section):
    """One step: whom to tell if nobody has answered."""

    after: Duration
    """Time since the step before; of the first one since people were paged."""
    notify: tuple[TargetText, ...] = Field(min_length=1)
    """`schedule:NAME`, `user:NAME`, `channel:NAME` or a channel's name."""
    severities: tuple[Severity, ...] = ()
    """The step is for these alone; empty: for all."""
    hours: Hours | None = None
    """The step is for these hours alone; its time passes all the same."""

    @property
    def step(self) -> domain.Step:
        """The same for the domain."""
        targets = tuple(domain.parse_target(text) for text in self.notify)
        return domain.Step(
            self.after, targets, frozenset(self.severities), self.hours.hours if self.hours else None
        )


class Escalation(Section):
    """What happens while nobody answers."""

    steps: tuple[EscalationStep, ...] = Field(min_length=1, max_length=50)
    """The steps in order."""
    repeat: int = Field(default=0, ge=0, le=100)
    """How often all steps are gone through again."""
    repeat_after: PositiveDuration | None = None
    """Before each further round, before the last resort and before it ends; by default as long as the longest
    `after`, or 5m if all are 0s."""
    last_resort: tuple[TargetText, ...] = ()
    """Whom to tell when nobody has answered to the end, and if incidentd finds that an escalation stands still."""

    def policy(self, name: str) -> domain.Policy:
        """The same for the domain."""
        return domain.Policy(
            name,
            tuple(step.step for step in self.steps),
            self.repeat,
            tuple(domain.parse_target(text) for text in self.last_resort),
            self.repeat_after or timedelta(),
        )


class Acknowledgement(Section):
    """What an acknowledgement is worth."""

    timeout: Mapping[Severity, PositiveDuration] = {}
    """By severity: how long it holds. Then incidentd takes it back, people are paged again and the escalation starts
    anew."""
    remind_after: PositiveDuration | None = None
    """Who holds an incident for so long, and its channels, are reminded of it, once each time that long."""


class SelfCheck(Section):
    """How others see that incidentd does its work."""

    heartbeat_url: SecretUrl | None = None
    """Asked for with GET every minute while no escalation stands still: an outside monitor that misses it tells you."""
