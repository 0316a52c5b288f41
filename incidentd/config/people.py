"""Sections that later versions act upon, and what is kept: checked for their shape today.

Some sections are accepted, so that a file can be written once; check-config says that nothing happens because of them
yet.
"""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from incidentd.config.escalation import ContactRule, QuietHours
from incidentd.config.leave import Leave
from incidentd.config.section import PositiveDuration, Section

NOT_ACTED_UPON = ("slo",)
"""Sections that are accepted and change nothing in this version."""


class User(Section):
    """A person who can be told."""

    name: str = Field(min_length=1)
    """How people call them."""
    email: str | None = Field(default=None, pattern=r"^[^@\s]+@[^@\s]+$")
    """Their mail address."""
    slack: str | None = None
    """Their Slack member ID, such as `U012ABCDEF`: who presses a button or types `/incident` in Slack acts as them."""
    contact: tuple[ContactRule, ...] = ()
    """How to reach them when an escalation names them. Empty: at their `email` over the first e-mail channel and at
    their `slack` as a direct message, whatever of that there is."""
    quiet_hours: QuietHours | None = None
    """When what is of low urgency waits for the morning."""
    leave: Leave | None = None
    """When they are away."""


class Runbooks(Section):
    """What to do about alerts, as files: see docs/runbooks.md."""

    path: str = Field(default="runbooks/", min_length=1)
    """Folder of Markdown files, relative to the working directory. It is read again when a file in it changes."""


class Retention(Section):
    """How long things are kept."""

    incidents: PositiveDuration = timedelta(days=400)
    """Resolved incidents with their alerts and timelines."""
    deliveries: PositiveDuration = timedelta(days=30)
    """Messages that were sent or given up."""
    quarantine: PositiveDuration = timedelta(days=30)
    """Alerts that could not be understood."""
