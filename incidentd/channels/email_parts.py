"""The mail about an incident: headers that thread and do not loop, a text, the same as HTML. Pure."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from datetime import UTC
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from jinja2 import Environment, PackageLoader, Template

from incidentd.channels.words import (
    AlertLine,
    alert_lines,
    facts,
    headline,
    links,
    more_alerts,
    plain,
    state_line,
)
from incidentd.domain.notification import Message

_ALERTS_SHOWN = 30
_ALERT_WIDTH = 600
_NOT_ID = re.compile(r"[^A-Za-z0-9._-]+")
_ADDRESS = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?"
)
_COLOR = {"critical": "#c62828", "warning": "#ef6c00", "info": "#1565c0", "resolved": "#2e7d32"}


def address(text: str) -> Address:
    """The mailbox that ``ops@example.com`` or ``Ops <ops@example.com>`` names. Raises ValueError if none."""
    name, spec = parseaddr(text)
    if not _ADDRESS.fullmatch(spec) or ".." in spec or not text.isprintable():
        raise ValueError(
            "is not a mail address; accepted: ops@example.com or Ops <ops@example.com>, in ASCII"
        )
    try:
        return Address(name, addr_spec=spec)
    except Exception:  # noqa: BLE001 - the parser raises IndexError and more for odd input; all mean the same
        raise ValueError("is not a mail address; accepted: ops@example.com") from None


def mail(message: Message, sender: Address, to: Sequence[Address], domain: str) -> EmailMessage:
    """The mail, the same in every attempt: a receiver recognises a repeat by its Message-ID."""
    found = EmailMessage(policy=SMTP)
    found["From"] = sender
    found["To"] = tuple(to)
    found["Subject"] = subject(message)
    found["Date"] = format_datetime(message.at.astimezone(UTC))
    delivery = _NOT_ID.sub("-", message.delivery_id)
    found["Message-ID"] = f"<{delivery}@{domain}>"
    # The thread's root was never sent: so threads hold even when the first mail was lost.
    root = f"<incident-{message.incident.id}@{domain}>"
    found["In-Reply-To"] = root
    found["References"] = root
    found["Auto-Submitted"] = "auto-generated"
    found["X-Auto-Response-Suppress"] = "All"
    # Quoted-printable keeps lines short whatever an alert says; RFC 5321 allows 998 bytes.
    if message.minimal:
        found.set_content(plain(message) + "\n", cte="quoted-printable")
        return found
    found.set_content(_text(message), cte="quoted-printable")
    found.add_alternative(_html(message), subtype="html", cte="quoted-printable")
    found.set_boundary(f"=_{delivery[:60]}")  # quoted-printable never contains "=_"
    return found


def subject(message: Message) -> str:
    """The same for every mail of an incident, because some programs thread by it."""
    # "=?" would start an encoded word, which readers decode: no text of an alert may hide in one.
    return headline(message).replace("=?", "= ?")


def _text(message: Message) -> str:
    shown = alert_lines(message, _ALERTS_SHOWN, _ALERT_WIDTH)
    parts = [headline(message), state_line(message), ""]
    parts += [f"{fact.name}: {fact.value}" for fact in facts(message)]
    if shown:
        parts += ["", "Alerts:", *(_alert(line) for line in shown)]
    if more := more_alerts(message, len(shown)):
        parts.append(f"- {more}")
    parts += ["", *(f"{link.text}: {link.href}" for link in links(message))]
    return "\n".join(parts) + "\n"


def _alert(line: AlertLine) -> str:
    return f"- {'FIRING' if line.firing else 'ended'} {line.name}: {line.summary} ({line.since})"


def _html(message: Message) -> str:
    shown = alert_lines(message, _ALERTS_SHOWN, _ALERT_WIDTH)
    state = message.incident.state
    return _template().render(
        headline=headline(message),
        state=state_line(message),
        color=_COLOR.get(state) or _COLOR[message.incident.severity],
        facts=facts(message),
        alerts=shown,
        more=more_alerts(message, len(shown)),
        links=links(message),
    )


@functools.cache
def _template() -> Template:
    environment = Environment(loader=PackageLoader("incidentd.channels"), autoescape=True)
    return environment.get_template("email.html")
