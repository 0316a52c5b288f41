"""Every message about an incident: who was told of what, who was not and why, and who is still to be told. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from incidentd.domain.contact import Wait
from incidentd.domain.destination import Destination, DestinationState
from incidentd.domain.explain import Kind, Statement, counted, listed, utc
from incidentd.domain.notification import DeliveryClass, DeliveryState, Notice
from incidentd.store.deliveries import Delivery
from incidentd.store.timeline import StoredEntry
from incidentd.workflows.escalate import UNANSWERED
from incidentd.workflows.explain_facts import Facts, who

_WHAT = {
    Notice.TRIGGERED: "that it opened",
    Notice.REOPENED: "that it is open again",
    Notice.UNACKNOWLEDGED: "that nobody has it any more",
    Notice.ESCALATED: "that it needs somebody",
    Notice.ACKNOWLEDGED: "that it was acknowledged",
    Notice.RESOLVED: "that it is over",
    Notice.UPDATED: "what is new",
    Notice.MISSED: "afterwards what was missed",
}
_WAITS = {Wait.QUIET_HOURS: ", after their quiet hours", Wait.RULE: ", as their contact rule says"}
_ENTRIES = frozenset({"page_suppressed", "page_missed"})
"""Timeline entries that say of one row what became of it."""

Key = tuple[str, str, datetime]


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of the messages of one incident beside the rows themselves."""

    facts: Facts
    channels: Mapping[int, str] = field(default_factory=dict)
    """Row -> its channel."""
    ends: Mapping[int, StoredEntry] = field(default_factory=dict)
    """Row -> the timeline entry that tells its end."""
    waits: Mapping[Key, Wait] = field(default_factory=dict)
    """Channel, target and instant -> why a message to somebody was not to leave sooner."""

    @classmethod
    def of(cls, facts: Facts) -> Told:
        """Gather it."""
        ends = {int(e.data["delivery"]): e for e in facts.entries if e.kind in _ENTRIES}
        return cls(facts, {row.id: row.channel for row in facts.deliveries}, ends, _waits(facts.entries))

    def statements(self) -> Iterator[Statement]:
        """One statement for each message that matters, one for all updates of each place."""
        updates: dict[tuple[str, str], list[Delivery]] = {}
        for row in self.facts.deliveries:
            if row.notice is Notice.UPDATED:
                updates.setdefault(who(row), []).append(row)
            else:
                yield self.of_row(row)
        for (whom, over), rows in updates.items():
            yield _updates(f"{whom}{over}", rows)

    def of_row(self, row: Delivery) -> Statement:
        """What became of one message."""
        what = _what(row)
        match row.state:
            case DeliveryState.SENT:
                words = ("was told", f"{what}{self._how(row)}")
                return _statement(row, row.sent_at, Kind.TOLD, "sent", words)
            case DeliveryState.LEASED:
                return _statement(row, self.facts.now, Kind.WAITING, "leased", ("is being told", what))
            case DeliveryState.PENDING:
                return self._waiting(row, what)
            case _:
                return self._not_told(row, what)

    def _how(self, row: Delivery) -> str:
        first = self.channels.get(row.fallback_of or 0)
        told = f" in the place of channel {first}" if first is not None else ""
        told += " in one message with other incidents" if row.bundled_in is not None else ""
        told += f", on attempt {row.attempts}" if row.attempts > 1 and row.bundled_in is None else ""
        return told + _WAITS.get(self.wait_of(row), "")

    def wait_of(self, row: Delivery) -> Wait:
        """Why it was not to leave sooner."""
        return self.waits.get((row.channel, row.target, row.created_at), Wait.NONE)

    def _not_told(self, row: Delivery, what: str) -> Statement:
        entry = self.ends.get(row.id)
        at = entry.at if entry is not None else row.not_before
        calm = row.delivery_class is not DeliveryClass.PAGE and row.state is not DeliveryState.DEAD
        why = row.reason or row.last_error or "no reason is kept"
        words = (f"was not told{' separately' if calm else ''}", f"{what}: {why}")
        return _statement(row, at, Kind.NOT_TOLD, row.state.value, words)

    def _waiting(self, row: Delivery, what: str) -> Statement:
        at, waits = row.not_before, self.wait_of(row)
        destination = self.facts.destinations.get(row.channel)
        if row.attempts:
            tries = counted(row.attempts, "attempt")
            words = ("is not told yet", f'{what}: {tries} failed, the last with "{row.last_error}"')
            again = (words[0], f"{words[1]}; the next one is due at {utc(at)}")
            return _statement(row, at, Kind.WAITING, row.last_verdict or "retry", again)
        if row.bundled_in is not None:
            words = ("is about to be told", f"{what} together with other incidents")
            return _statement(row, at, Kind.WAITING, "bundled", words)
        if at > self.facts.now:
            unless = " unless somebody acts before" if row.delivery_class is DeliveryClass.PAGE else ""
            words = ("will be told", f"{what} at {utc(at)}{_WAITS.get(waits, '')}{unless}")
            because = waits.value if waits is not Wait.NONE else "due"
            return _statement(row, at, Kind.WAITING, because, words)
        if destination is not None and destination.state is not DestinationState.OK:
            words = ("is not told yet", f"{what}: {_state(destination)}")
            return _statement(row, at, Kind.WAITING, destination.state.value, words)
        return _statement(row, at, Kind.WAITING, "due", ("is about to be told", what))


def _state(destination: Destination) -> str:
    error = f" ({destination.last_error})" if destination.last_error else ""
    return f"channel {destination.channel} is {destination.state} since {utc(destination.since)}{error}"


def _what(row: Delivery) -> str:
    if row.notice is not Notice.ESCALATED or not row.comment:
        return _WHAT[row.notice]
    place = row.comment.removesuffix(f": {UNANSWERED}")
    said = "that nobody has acknowledged it" if place != row.comment else "that it needs somebody"
    return f"{said} ({place})"


def _statement(
    row: Delivery, at: datetime | None, kind: Kind, because: str, words: tuple[str, str]
) -> Statement:
    whom, over = who(row)
    verb, rest = words
    return Statement(at, kind, f"{whom} {verb}{over} {rest}.", because, data_of(row))


def data_of(row: Delivery) -> dict[str, object]:
    """A row for machines."""
    return {
        "delivery": row.id,
        "incident": row.incident_id,
        "person": row.person,
        "channel": row.channel,
        "target": row.target,
        "notice": row.notice.value,
        "class": row.delivery_class.value,
        "state": row.state.value,
        "attempts": row.attempts,
        "outcome": row.last_verdict,
        "error": row.last_error,
        "reason": row.reason,
        "fallback_of": row.fallback_of,
        "bundled_in": row.bundled_in,
    }


def _updates(name: str, rows: list[Delivery]) -> Statement:
    def number(*states: DeliveryState) -> int:
        return sum(row.state in states for row in rows)

    sent = number(DeliveryState.SENT)
    waiting = number(DeliveryState.PENDING, DeliveryState.LEASED)
    overtaken = number(DeliveryState.SUPERSEDED, DeliveryState.SUPPRESSED)
    lost = number(DeliveryState.DEAD)
    parts = [f"{counted(sent, 'update')} sent"] if sent or not waiting else []
    parts += [f"{counted(waiting, 'update')} {'waits' if waiting == 1 else 'wait'}"] if waiting else []
    parts += [f"{overtaken} gave way to newer news"] if overtaken else []
    parts += [f"{lost} could not be delivered"] if lost else []
    text = f"{name}: {listed(parts)}."
    data = {"channel": rows[0].channel, "target": rows[0].target, "person": rows[0].person}
    counts = {"sent": sent, "waiting": waiting, "superseded": overtaken, "dead": lost}
    at = max(row.sent_at or row.not_before for row in rows)
    return Statement(at, Kind.TOLD if sent else Kind.NOT_TOLD, text, "updates", {**data, **counts})


def _waits(entries: Iterable[StoredEntry]) -> dict[Key, Wait]:
    found: dict[Key, Wait] = {}
    for entry in entries:
        for each in entry.data.get("reached", ()):
            for call in each["calls"]:
                at = datetime.fromisoformat(call["at"])
                found[call["channel"], call["target"], at] = Wait(call["waits"])
    return found


def skipped(entries: Iterable[StoredEntry]) -> Iterator[Statement]:
    """Ways that a person was not told over, because they are not for that urgency; each once."""
    known: set[tuple[str, str]] = set()
    for entry in entries:
        for each in entry.data.get("reached", ()):
            person, urgency = str(each["person"]), str(each["urgency"])
            if not each["skipped"] or (person, urgency) in known:
                continue
            known.add((person, urgency))
            over = listed(map(str, each["skipped"]), "or")
            text = f"{person} is not told over {over}: that contact rule is not for {urgency} urgency."
            data = {"person": person, "channels": each["skipped"], "urgency": urgency}
            yield Statement(entry.at, Kind.NOT_TOLD, text, "contact_urgency", data)
