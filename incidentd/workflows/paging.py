"""Who can be told of what, by the configuration in force: policies, people and how they are reached, schedules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from incidentd.channels.slack import SlackConfig
from incidentd.config import Config
from incidentd.config.escalation import ContactRule
from incidentd.config.people import User
from incidentd.domain.contact import URGENCY, Contact, Person, Urgency
from incidentd.domain.digest import Digest
from incidentd.domain.escalation import Escalation, Policy, fitting, start
from incidentd.domain.incident import Incident
from incidentd.domain.schedule import Schedule
from incidentd.domain.severity import Severity

Targets = Mapping[str, tuple[str, ...]]
"""Channel name -> whom it reaches."""


@dataclass(frozen=True, slots=True)
class Paging:
    """The frozen rules of escalation. Of a policy only what starts from now on follows a change."""

    policies: Mapping[str, Policy] = field(default_factory=dict)
    people: Mapping[str, Person] = field(default_factory=dict)
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    urgency: Mapping[Severity, Urgency] = field(default_factory=lambda: URGENCY)
    ack_timeout: Mapping[Severity, timedelta] = field(default_factory=dict)
    """How long an acknowledgement holds."""
    remind_after: timedelta | None = None
    digest: Digest | None = None
    """When mails that need not interrupt anybody leave; None: at once."""

    def begun(self, incident: Incident, at: datetime) -> Escalation | None:
        """The escalation that `incident` starts with `at`; None if nothing is to escalate."""
        policy = self.policies.get(incident.escalation or "")
        if policy is None or not self.fits(policy, incident.severity):
            return None
        return start(incident.id, incident.episode, policy, incident.severity, at)

    def fits(self, policy: Policy, severity: Severity) -> bool:
        """True if `policy` does anything for that severity."""
        return self.urgency[severity] is not Urgency.NONE and fitting(policy, severity) is not None


def paging_of(config: Config, targets: Targets) -> Paging:
    """What the configuration means; `targets` by channel name."""
    return Paging(
        policies={name: each.policy(name) for name, each in config.escalation.items()},
        people={name: person_of(name, user, config, targets) for name, user in config.users.items()},
        schedules=config.plans,
        urgency={**URGENCY, **config.severity.urgency},
        ack_timeout=config.acknowledgement.timeout,
        remind_after=config.acknowledgement.remind_after,
        digest=config.digest.plan(config.mail_channels) if config.digest is not None else None,
    )


def person_of(name: str, user: User, config: Config, targets: Targets) -> Person:
    """A person with the ways to reach them that there are."""
    rules = user.contact or default_contact(user, config)
    contacts = [
        Contact(rule.channel, whom, rule.urgencies, rule.after)
        for rule in rules
        if (whom := _whom(rule, user, config, targets))
    ]
    return Person(name, tuple(contacts), user.quiet_hours.hours if user.quiet_hours else None)


def default_contact(user: User, config: Config) -> tuple[ContactRule, ...]:
    """Of somebody who says nothing of it: by mail and by direct message, over the first channel that can."""
    able = [
        next((name for name, channel in config.channels.items() if channel.kind == "email"), None)
        if user.email
        else None,
        next((name for name, channel in config.channels.items() if writes_to_people(channel)), None)
        if user.slack
        else None,
    ]
    return tuple([ContactRule(channel=name) for name in able if name is not None])


def writes_to_people(channel: object) -> bool:
    """True for Slack with a bot: an incoming webhook goes to one conversation alone."""
    return isinstance(channel, SlackConfig) and channel.token is not None


def _whom(rule: ContactRule, user: User, config: Config, targets: Targets) -> tuple[str, ...]:
    channel = config.channels.get(rule.channel)
    if channel is not None and rule.as_ != "channel":
        if channel.kind == "email":
            return (user.email,) if user.email else ()
        if channel.kind == "slack":
            return (user.slack,) if user.slack and writes_to_people(channel) else ()
    return targets.get(rule.channel, ())
