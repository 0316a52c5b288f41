"""The sentences: title, what happened, how things stand."""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

from incidentd.channels.words.addresses import links
from incidentd.channels.words.safe import MAX_TITLE, clock, cut, span, tidy, tidy_lines, when
from incidentd.domain.drill import titled
from incidentd.domain.notification import DeliveryClass, Message, Notice
from incidentd.domain.severity import Severity

_DOT = " \u00b7 "
_VERBS = {
    Notice.TRIGGERED: "triggered",
    Notice.ACKNOWLEDGED: "acknowledged",
    Notice.UNACKNOWLEDGED: "unacknowledged",
    Notice.ESCALATED: "escalated",
    Notice.UPDATED: "updated",
    Notice.MISSED: "missed",
    Notice.RESOLVED: "resolved",
    Notice.REOPENED: "reopened",
    Notice.DIGEST: "digest",
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


def title(message: Message, limit: int = MAX_TITLE) -> str:
    """What it is about on one line: the operator's title, else that of the (first) incident."""
    own = tidy(message.texts.title or "", limit) if message.texts is not None else ""
    text = own or tidy(message.incident.title, limit) or "(no title)"
    # Whatever the operator's words leave out, this they do not.
    return cut(titled(text), limit) if message.incident.drill else text


def headline(message: Message, limit: int = MAX_TITLE) -> str:
    """Reference and title, the same through the incident's life: ``[INC-12] Checkout errors at 42%``.

    Of a storm ``[37 incidents] Checkout errors at 42% and 36 more``, of a digest ``[Digest: 37 incidents] ...``.
    """
    if message.many:
        others = len(message.bundle)
        start, end = f"[{_count(message)}] ", f" and {others} more" if others else ""
        return start + title(message, limit - len(start) - len(end)) + end
    ref = message.incident.ref
    own = message.texts.title if message.texts is not None else None
    if own and re.search(rf"\b{ref}\b", own):
        return title(message, limit)  # the operator has put the reference where it should stand
    return f"[{ref}] " + title(message, limit - len(ref) - 3)


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
    if message.actor == "reconcile":
        return "all alerts are gone at their source"
    if message.actor in {"source", "incidentd"}:
        return _BY_SOURCE.get(message.notice, "") if message.actor == "source" else ""
    return f"by {tidy(message.actor, 80)}" if message.actor.strip() else ""


def story(message: Message) -> str:
    """What has become of it since: ``fired 10:02 UTC, resolved 10:04 UTC``; empty while the message is news."""
    incident = message.incident
    fired = f"fired {clock(incident.started_at, message.at)}"
    ended = incident.resolved_at
    if message.notice is Notice.MISSED:
        end = f"ended {clock(ended, message.at)}" if ended is not None else "not over yet"
        return f"{fired}, {end}; nobody could be paged in time"
    if not _over(message) or ended is None:
        return ""
    end = f"resolved {clock(ended, message.at)}"
    return f"{fired}, {end}" if message.notice is Notice.TRIGGERED else end


def stand_in(message: Message) -> str:
    """Why it is told here: ``told here because ops-slack could not deliver it``; empty if it belongs here."""
    other = tidy(message.fallback_of or "", 80)
    return f"told here because {other} could not deliver it" if other else ""


def state_line(message: Message) -> str:
    """What happened and how things stand, on one line: ``Resolved by alice after 2h 5m: rolled back``.

    What happened always stands first; the operator's body, if there is one, takes the place of what follows.
    """
    body = tidy(body_text(message))
    return _DOT.join(part for part in (_happened(message), body, stand_in(message)) if part)


def body_text(message: Message) -> str:
    """How things stand: the operator's own words with their line ends, else severity and numbers; may be empty."""
    if message.many:
        return _severities(message)
    if message.texts is not None and (own := tidy_lines(message.texts.body or "")):
        return own
    if message.notice is Notice.RESOLVED or _over(message):
        return ""
    return f"{message.incident.severity}{_DOT}{firing(message)}"


def plain(message: Message, limit: int = 300) -> str:
    """Everything that matters as one short line: the minimal form, and the text of notifications."""
    address = next((link.href for link in links(message)[:1] if len(link.href) <= limit // 2), "")
    text = f"{headline(message, 120)} - {state_line(message)}"
    return f"{cut(text, limit - len(address) - 1)} {address}".strip()


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
    return tuple(fact for fact in (_of_many(message) if message.many else known) if fact.value)


def _happened(message: Message) -> str:
    if message.notice is Notice.DIGEST:
        return _count(message)
    if message.bundle:
        return f"{verb(message).capitalize()}: {_count(message)}"
    said = "Missed page" if message.notice is Notice.MISSED else verb(message).capitalize()
    if by := who(message):
        said += (" " if by.startswith("by ") else ": ") + by
    incident = message.incident
    if message.notice is Notice.RESOLVED and incident.resolved_at is not None:
        said += f" after {span(incident.resolved_at - incident.started_at)}"
    for more in (tidy(message.comment), story(message)):
        said += f": {more}" if more else ""
    return said


def _count(message: Message) -> str:
    count = 1 + len(message.bundle)
    text = f"{count} incident{'s' if count > 1 else ''}"
    return f"Digest: {text}" if message.notice is Notice.DIGEST else text


def _over(message: Message) -> bool:
    """True for a page about something that has ended in the meantime."""
    return message.notice.delivery_class is DeliveryClass.PAGE and message.incident.state == "resolved"


def _severities(message: Message) -> str:
    found = Counter(incident.severity for incident in (message.incident, *message.bundle))
    return ", ".join(f"{found[severity]} {severity}" for severity in _WORST_FIRST if found[severity])


def _of_many(message: Message) -> list[Fact]:
    incidents = (message.incident, *message.bundle)
    services = dict.fromkeys(tidy(incident.service, 80) for incident in incidents)
    states = Counter(incident.state for incident in incidents)
    standing = ", ".join(f"{count} {state}" for state, count in sorted(states.items(), reverse=True))
    return [
        Fact("Incidents", str(len(incidents))),
        Fact("State", standing if message.notice is Notice.DIGEST else ""),
        Fact("Severity", _severities(message)),
        Fact("Services", cut(", ".join(filter(None, services)), 300)),
    ]


_WORST_FIRST = (Severity.CRITICAL, Severity.WARNING, Severity.INFO)
