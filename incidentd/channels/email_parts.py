"""The mail about an incident: headers that thread and do not loop, a text, the same as HTML. Pure."""

from __future__ import annotations

import functools
import re
from datetime import UTC
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from jinja2 import Environment, PackageLoader, Template

from incidentd.channels.words import (
    AlertLine,
    Link,
    alert_lines,
    all_steps,
    facts,
    headline,
    links,
    more_alerts,
    more_steps,
    plain,
    runbook_title,
    state_line,
)
from incidentd.domain.notification import Message, Notice

_ALERTS_SHOWN = 30
_ALERT_WIDTH = 600
_INCIDENTS_SHOWN = 100
_DIGEST_SHOWN, _DIGEST_WIDTH = 501, 200
"""All of them: nothing else tells of them."""
_STEPS_SHOWN = 30
_NOT_ID = re.compile(r"[^A-Za-z0-9._-]+")
_ADDRESS = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?"
)
_COLOR = {"critical": "#c62828", "warning": "#b45309", "info": "#1565c0", "resolved": "#2e7d32"}
"""Dark enough for white letters on them."""


def address(text: str) -> Address:
    """The mailbox that ``ops@example.com`` or ``Ops <ops@example.com>`` names. Raises ValueError if none."""
    name, spec = parseaddr(text)
    # The parser drops blanks inside: "ops@example.com and more" must not become another domain.
    as_written = text.strip().endswith(f"<{spec}>") or text.strip() == spec
    if not as_written or not _ADDRESS.fullmatch(spec) or ".." in spec or not text.isprintable():
        raise ValueError(
            "is not a mail address; accepted: ops@example.com or Ops <ops@example.com>, in ASCII"
        )
    try:
        return Address(name, addr_spec=spec)
    except Exception:  # noqa: BLE001 - the parser raises IndexError and more for odd input; all mean the same
        raise ValueError("is not a mail address; accepted: ops@example.com") from None


def mail(message: Message, sender: Address, to: Address, domain: str) -> EmailMessage:
    """The mail, the same in every attempt: a receiver recognises a repeat by its Message-ID."""
    found = EmailMessage(policy=SMTP)
    found["From"] = sender
    found["To"] = to
    found["Subject"] = subject(message)
    found["Date"] = format_datetime(message.at.astimezone(UTC))
    delivery = _NOT_ID.sub("-", message.delivery_id)
    found["Message-ID"] = f"<{delivery}@{domain}>"
    # The thread's root was never sent: so threads hold even when the first mail was lost.
    thread = f"storm-{delivery}" if message.many else f"incident-{message.incident.id}"
    root = f"<{thread}@{domain}>"
    found["In-Reply-To"] = root
    found["References"] = root
    found["Auto-Submitted"] = "auto-generated"
    found["X-Auto-Response-Suppress"] = "All"
    # Quoted-printable keeps lines short whatever an alert says; RFC 5321 allows 998 bytes.
    if message.minimal:
        found.set_content(_minimal(message), cte="quoted-printable")
        return found
    found.set_content(_text(message), cte="quoted-printable")
    found.add_alternative(_html(message), subtype="html", cte="quoted-printable")
    found.set_boundary(f"=_{delivery[:60]}")  # quoted-printable never contains "=_"
    return found


def subject(message: Message) -> str:
    """The same for every mail of an incident, because some programs thread by it."""
    # "=?" would start an encoded word, which readers decode: no text of an alert may hide in one.
    return headline(message).replace("=?", "= ?")


def _acknowledge(message: Message) -> Link | None:
    if message.acknowledge_url is None:
        return None
    # A link acknowledges one incident, and in a storm's mail it must be plain which.
    return Link(f"Acknowledge {message.incident.ref}", message.acknowledge_url)


def _listed(message: Message) -> tuple[AlertLine, ...]:
    """The alerts of one incident, or the incidents of a storm or a digest."""
    if message.notice is Notice.DIGEST:
        return alert_lines(message, _DIGEST_SHOWN, _DIGEST_WIDTH)
    return alert_lines(message, _INCIDENTS_SHOWN if message.bundle else _ALERTS_SHOWN, _ALERT_WIDTH)


def _minimal(message: Message) -> str:
    """Without the acknowledge link: what was refused may have been the link."""
    others = ", ".join(incident.ref for incident in message.bundle[:_INCIDENTS_SHOWN])
    return plain(message) + (f"\nand {others}\n" if others else "\n")


def _text(message: Message) -> str:
    """The whole mail for who reads no HTML."""
    shown = _listed(message)
    act = _acknowledge(message)
    parts = [headline(message), state_line(message), ""]
    parts += [f"{act.text}: {act.href}", ""] if act else []
    parts += [f"{fact.name}: {fact.value}" for fact in facts(message)]
    parts += _steps(message)
    if message.many:
        parts += ["", *(_incident(line) for line in shown)]
    elif shown:
        parts += ["", "Alerts:", *(_alert(line) for line in shown)]
    if more := more_alerts(message, len(shown)):
        parts.append(f"- {more}")
    if not message.many:  # each incident of the list has its link
        parts += ["", *(f"{link.text}: {link.href}" for link in links(message))]
    return "\n".join(parts) + "\n"


def _steps(message: Message) -> list[str]:
    shown = all_steps(message, _STEPS_SHOWN)
    more = more_steps(message, len(shown))
    lines = [*(step.plain for step in shown), *([more] if more else [])]
    return ["", f"{runbook_title(message)}:", *lines] if shown else []


def _incident(line: AlertLine) -> str:
    return f"- {line.text}" + (f"\n  {line.link.href}" if line.link else "")


def _alert(line: AlertLine) -> str:
    return f"- {'FIRING' if line.firing else 'ended'} {line.text}"


def _html(message: Message) -> str:
    shown = _listed(message)
    state = message.incident.state if message.notice is not Notice.DIGEST else "info"
    return _template().render(
        headline=headline(message),
        state=state_line(message),
        color=_COLOR.get(state) or _COLOR[message.incident.severity],
        acknowledge=_acknowledge(message),
        storm=message.many,
        facts=facts(message),
        runbook=runbook_title(message),
        steps=all_steps(message, _STEPS_SHOWN),
        more_steps=more_steps(message, _STEPS_SHOWN),
        alerts=shown,
        more=more_alerts(message, len(shown)),
        links=() if message.many else links(message),
    )


@functools.cache
def _template() -> Template:
    environment = Environment(loader=PackageLoader("incidentd.channels"), autoescape=True)
    return environment.get_template("email.html")
