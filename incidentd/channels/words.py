"""The words of a message, once for all channels. Pure: facts in, text out; a channel adds its own escaping.

Everything an alert carries is hostile until it went through `tidy`, which drops control characters, those
that reverse the reading order of what follows, and halves of surrogate pairs, which no UTF-8 can hold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from incidentd.domain.notification import AlertView, Message, Notice

MAX_TITLE = 200
MAX_VALUE = 500
MAX_URL = 2000

_SURROGATES = re.compile("[\ud800-\udfff]")
_REORDER = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff"
_NOT_LINE = re.compile(f"[\x00-\x1f\x7f-\x9f\u2028\u2029{_REORDER}\\s]+")
_URL_SAFE = "/?#[]@!$&'()*+,;=%:~"

_VERBS = {
    Notice.TRIGGERED: "triggered",
    Notice.ACKNOWLEDGED: "acknowledged",
    Notice.UNACKNOWLEDGED: "unacknowledged",
    Notice.ESCALATED: "escalated",
    Notice.UPDATED: "updated",
    Notice.RESOLVED: "resolved",
    Notice.REOPENED: "reopened",
}
_BY_SOURCE = {
    Notice.RESOLVED: "all alerts ended",
    Notice.REOPENED: "it fires again",
    Notice.ESCALATED: "a worse alert joined",
}


class Fact(NamedTuple):
    """One line of what is known, such as ``Service: checkout``."""

    name: str
    value: str


class Link(NamedTuple):
    """Somewhere to go; `href` is http or https and percent-encoded."""

    text: str
    href: str


@dataclass(frozen=True, slots=True)
class AlertLine:
    """One alert as a list shows it."""

    firing: bool
    name: str
    summary: str
    """What is wrong in the words of the rule's author, or the labels that tell it from others."""
    since: str
    link: Link | None


def encodable(text: str) -> str:
    """`text` with each half of a surrogate pair replaced, so that UTF-8 can hold it. Nothing else changes."""
    return _SURROGATES.sub("\ufffd", text)


def cut(text: str, limit: int) -> str:
    """`text` in at most `limit` characters, its end replaced by an ellipsis if it is longer."""
    return text if len(text) <= limit else text[: max(0, limit - 1)].rstrip() + "\u2026"


def cut_bytes(text: str, limit: int) -> str:
    """`text` in at most `limit` bytes of UTF-8, its end replaced by an ellipsis if it is longer."""
    data = text.encode()
    return text if len(data) <= limit else data[: limit - 3].decode(errors="ignore").rstrip() + "\u2026"


def tidy(text: str, limit: int = MAX_VALUE) -> str:
    """`text` as one harmless line of at most `limit` characters."""
    # Cut first, generously: an annotation may be megabytes, and only its beginning is shown.
    return cut(_NOT_LINE.sub(" ", encodable(text[: limit * 4])).strip(), limit)


def when(at: datetime) -> str:
    """An instant for people: ``2026-11-20 10:15 UTC``."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def span(length: timedelta) -> str:
    """A length of time for people, in its two largest units: ``2h 5m``."""
    seconds = max(0, int(length.total_seconds()))
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"


def title(message: Message, limit: int = MAX_TITLE) -> str:
    """The incident's title on one line."""
    return tidy(message.incident.title, limit) or "(no title)"


def headline(message: Message, limit: int = MAX_TITLE) -> str:
    """Reference and title, the same through the incident's life: ``[INC-12] Checkout errors at 42%``."""
    start = f"[{message.incident.ref}] "
    return start + title(message, limit - len(start))


def verb(message: Message) -> str:
    """What happened in one word: ``triggered``."""
    return _VERBS[message.notice]


def firing(message: Message) -> str:
    """How many alerts fire: ``2 firing``, ``1 of 3 firing``."""
    incident = message.incident
    if incident.alerts_firing == incident.alerts_total:
        return f"{incident.alerts_firing} firing"
    return f"{incident.alerts_firing} of {incident.alerts_total} firing"


def who(message: Message) -> str:
    """Who did it or why it happened: ``by alice``, ``all alerts ended``; empty if that is plain."""
    if message.actor in {"source", "incidentd"}:
        return _BY_SOURCE.get(message.notice, "") if message.actor == "source" else ""
    return f"by {tidy(message.actor, 80)}" if message.actor.strip() else ""


def state_line(message: Message) -> str:
    """What happened and how things stand, on one line: ``Resolved by alice after 2h 5m: rolled back``."""
    parts = [verb(message).capitalize()]
    if who(message):
        parts[0] += (" " if who(message).startswith("by ") else ": ") + who(message)
    incident = message.incident
    if message.notice is Notice.RESOLVED and incident.resolved_at is not None:
        parts[0] += f" after {span(incident.resolved_at - incident.started_at)}"
    if comment := tidy(message.comment):
        parts[0] += f": {comment}"
    if message.notice is not Notice.RESOLVED:
        parts += [str(incident.severity), firing(message)]
    return " \u00b7 ".join(parts)


def facts(message: Message) -> tuple[Fact, ...]:
    """What to know about the incident, most important first; what is not known is left out."""
    incident = message.incident
    state = incident.state
    if incident.state == "acknowledged" and incident.acknowledged_by:
        state += f" by {tidy(incident.acknowledged_by, 80)}"
    known = [
        Fact("Severity", str(incident.severity)),
        Fact("State", state),
        Fact("Service", tidy(incident.service)),
        Fact("Alerts", firing(message)),
        Fact("Started", when(incident.started_at)),
        Fact("Resolved", when(incident.resolved_at) if incident.resolved_at else ""),
        Fact("Snoozed until", when(incident.snoozed_until) if incident.snoozed_until else ""),
        Fact("Reopened", f"{incident.reopen_count} times" if incident.reopen_count else ""),
        Fact("Group", tidy(incident.group_key)),
    ]
    return tuple(fact for fact in known if fact.value)


def links(message: Message) -> tuple[Link, ...]:
    """The incident's page, then its runbook, as far as they are http or https addresses."""
    incident = message.incident
    found = (_link(f"Open {incident.ref}", incident.url), _link("Runbook", incident.runbook_url or ""))
    return tuple(link for link in found if link is not None)


def alert_lines(message: Message, limit: int, width: int = MAX_VALUE) -> tuple[AlertLine, ...]:
    """The first `limit` alerts, their texts at most `width` characters."""
    return tuple(_alert_line(alert, width) for alert in message.alerts[:limit])


def more_alerts(message: Message, shown: int) -> str:
    """``+3 more alerts`` when not all are shown, else empty."""
    left = message.incident.alerts_total - shown
    return f"+{left} more alert{'s' if left > 1 else ''}" if left > 0 else ""


def plain(message: Message, limit: int = 300) -> str:
    """Everything that matters as one short line: the minimal form, and the text of notifications."""
    address = next((link.href for link in links(message)[:1] if len(link.href) <= limit // 2), "")
    text = f"{headline(message, 120)} - {state_line(message)}"
    return f"{cut(text, limit - len(address) - 1)} {address}".strip()


def label_text(labels: Mapping[str, str], limit: int) -> str:
    """Labels on one line, ``a=b, c=d``, in at most `limit` characters."""
    shown = ", ".join(f"{tidy(name, 80)}={tidy(value, 120)}" for name, value in list(labels.items())[:30])
    return cut(shown, limit)


def _alert_line(alert: AlertView, width: int) -> AlertLine:
    written = (alert.annotations.get(name, "") for name in ("summary", "title", "message", "description"))
    summary = next((text for text in (tidy(text, width) for text in written) if text), "")
    others = {name: value for name, value in alert.labels.items() if name != "alertname"}
    is_firing = alert.status == "firing"
    ended = alert.ends_at if not is_firing else None
    return AlertLine(
        firing=is_firing,
        name=tidy(alert.labels.get("alertname", ""), 120) or "alert",
        summary=summary or label_text(others, width),
        since=f"ended {when(ended)}" if ended else f"since {when(alert.starts_at)}",
        link=_link("source", alert.generator_url),
    )


def _link(text: str, address: str) -> Link | None:
    if len(address) > MAX_URL:
        return None
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        return None
    href = quote(encodable(address), safe=_URL_SAFE)
    return Link(text, href) if len(href) <= MAX_URL else None
