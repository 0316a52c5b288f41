"""People, where runbooks are, and how long things are kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from incidentd.channels.email_parts import address
from incidentd.channels.slack import personal
from incidentd.config.escalation import ContactRule, QuietHours
from incidentd.config.leave import Calendar
from incidentd.config.section import PositiveDuration, Section


def _mailable(text: str) -> str:
    try:
        bare = address(text).addr_spec == text
    except ValueError:
        bare = False
    if not bare:  # a page to it could only be given up
        raise ValueError("is not a mail address; accepted: ops@example.com, in ASCII")
    return text


def _member(text: str) -> str:
    if not personal(text):  # a page to it would go to the channel, and a click would be a stranger's
        raise ValueError(
            "is no member ID of Slack; accepted: one such as U012ABCDEF, from the person's profile there"
        )
    return text


class User(Section):
    """A person who can be told."""

    name: str = Field(min_length=1)
    """How people call them."""
    email: Annotated[str, AfterValidator(_mailable)] | None = None
    """Their mail address."""
    slack: Annotated[str, AfterValidator(_member)] | None = None
    """Their Slack member ID, such as `U012ABCDEF`: who presses a button or types `/incident` in Slack acts as them."""
    contact: tuple[ContactRule, ...] = ()
    """How to reach them when an escalation names them. Empty: at their `email` over the first e-mail channel and at
    their `slack` as a direct message, whatever of that there is."""
    quiet_hours: QuietHours | None = None
    """When what is of low urgency waits for the morning."""
    leave: Calendar | None = None
    """When they are away: no layer puts them on duty then."""


class Runbooks(Section):
    """What to do about alerts, as files: see docs/runbooks.md."""

    path: str = Field(default="runbooks/", min_length=1)
    """Folder of Markdown files, relative to the working directory. It is read again when a file in it changes."""


class Retention(Section):
    """How long things are kept."""

    incidents: PositiveDuration = timedelta(days=400)
    """Resolved incidents with their alerts and timelines; overrides and maintenance windows that are over."""
    deliveries: PositiveDuration = timedelta(days=30)
    """Messages that were sent or given up."""
    quarantine: PositiveDuration = timedelta(days=30)
    """Alerts that could not be understood."""
    audit_texts: PositiveDuration = timedelta(days=400)
    """What people wrote (notes, comments, reasons) as the audit log tells it. Its chain stays, with who did what and
    when; names are erased by `incidentd audit erase`."""
