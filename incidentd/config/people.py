"""Sections that later versions act upon, and what is kept: checked for their shape today.

`schedules`, `escalation` and `slo` are accepted, so that a file can be written once; check-config says that nothing
happens because of them yet. Of `users` their Slack IDs count: only they may act from Slack.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from pydantic import Field, JsonValue

from incidentd.config.section import PositiveDuration, Section, TimeZone
from incidentd.fields import Duration

NOT_ACTED_UPON = ("users", "schedules", "escalation", "slo")
"""Sections that are accepted and change nothing in this version, but for the Slack IDs of `users`."""


class User(Section):
    """A person who can be told."""

    name: str = Field(min_length=1)
    """How people call them."""
    email: str | None = Field(default=None, pattern=r"^[^@\s]+@[^@\s]+$")
    """Their mail address."""
    slack: str | None = None
    """Their Slack member ID, such as `U012ABCDEF`: who presses a button or types `/incident` in Slack acts as them."""
    contact: tuple[Mapping[str, JsonValue], ...] = ()
    """How to reach them, in order."""


class Schedule(Section):
    """Who is on duty when."""

    time_zone: TimeZone
    """The IANA time zone in which its hours are meant."""
    layers: tuple[Mapping[str, JsonValue], ...] = ()
    """Rotations, later ones over earlier ones."""


class EscalationStep(Section):
    """One step: whom to tell if nobody has answered."""

    after: Duration
    """Time since the step before."""
    notify: tuple[str, ...] = Field(min_length=1)
    """`schedule:NAME`, `user:NAME` or a channel's name."""


class Escalation(Section):
    """What happens while nobody answers."""

    steps: tuple[EscalationStep, ...] = Field(min_length=1)
    """The steps in order."""
    repeat: int = Field(default=0, ge=0)
    """How often all steps are gone through again."""


class Runbooks(Section):
    """Where runbooks are kept."""

    path: str = Field(default="runbooks/", min_length=1)
    """Folder of Markdown files, relative to the working directory."""


class Retention(Section):
    """How long things are kept."""

    incidents: PositiveDuration = timedelta(days=400)
    """Resolved incidents with their alerts and timelines."""
    deliveries: PositiveDuration = timedelta(days=30)
    """Messages that were sent or given up."""
    quarantine: PositiveDuration = timedelta(days=30)
    """Alerts that could not be understood."""
