"""The mails to subscribers: headers by which every program offers one click to leave. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote, urlsplit

from incidentd.domain.status_page.layout import MAIN, Layout
from incidentd.domain.status_page.subscriber import Kind, Links, Subscriber
from incidentd.public.push import Exits, Letter, Question, question, signed_off
from incidentd.public.speech import speech_in


def asking(
    layout: Layout, known: Subscriber, links: Links, key: str, at: datetime, domain: str
) -> EmailMessage:
    """The question to confirm. `key` names the delivery: every attempt is the same mail."""
    names = tuple(p.full_name for p in layout.parts if known.components and p.id in known.components)
    target = known.address if known.kind is Kind.WEBHOOK else ""
    asked = Question(layout.name, layout.url, names, target, links.manage(known.code))
    letter = question(asked, speech_in(layout.look, layout.time_zone))
    return _mail(letter, known.contact, f"confirm-{known.code}", key, at, domain)


def telling(
    layout: Layout,
    known: Subscriber,
    payload: Mapping[str, Any],
    links: Links,
    key: str,
    at: datetime,
    domain: str,
) -> EmailMessage:
    """What became public, with the ways out."""
    leave = links.unsubscribe(known.code)
    concerned = [part for part in layout.parts if part.id in payload["concerns"] and part.on(MAIN)]
    single = known.components is not None and len(known.components) == 1
    each = () if single else tuple((p.full_name, f"{leave}?component={quote(p.id)}") for p in concerned)
    exits = Exits(links.manage(known.code), leave, each)
    letter = signed_off(payload, exits, speech_in(layout.look, layout.time_zone))
    mail = _mail(letter, known.address, f"status-{payload['thread']}", key, at, domain)
    # RFC 2369 and RFC 8058: the mail program shows a button, and posts to the address when it is pressed.
    mail["List-Unsubscribe"] = f"<{leave}>"
    mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail["List-Id"] = f"<status.{urlsplit(layout.url).hostname or 'localhost'}>"
    return mail


def _mail(letter: Letter, to: str, thread: str, key: str, at: datetime, domain: str) -> EmailMessage:
    found = EmailMessage(policy=SMTP)
    found["To"] = to
    found["Subject"] = letter.subject
    found["Date"] = format_datetime(at)
    found["Message-ID"] = f"<{key}@{domain}>"
    found["In-Reply-To"] = f"<{thread}@{domain}>"
    found["References"] = f"<{thread}@{domain}>"
    found["Auto-Submitted"] = "auto-generated"
    found["X-Auto-Response-Suppress"] = "All"
    # Quoted-printable keeps lines short whatever is told; RFC 5321 allows 998 bytes.
    found.set_content(letter.text, cte="quoted-printable")
    found.add_alternative(letter.html, subtype="html", cte="quoted-printable")
    found.set_boundary(f"=_{key[:60]}")  # quoted-printable never contains "=_"
    return found
