"""What the audit log says: who did what to what. Each is noted in the transaction of the change itself.

Alerts are not audited one by one: what a source says is in the timeline. Of what machines do to incidents (sources,
timers, reconciling) the chain has one compact entry for each transaction, with the numbers of the incidents.
"""

from __future__ import annotations

import asyncio
import enum
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from incidentd.audit.chain import Actor, Event, Value, timestamp
from incidentd.audit.checkpoint import Checkpoint, sign
from incidentd.audit.keys import SigningKey
from incidentd.audit.rotation import ACTION, introduced
from incidentd.domain.incident import MACHINES, OURSELVES, Entry, Incident
from incidentd.refusals import Refusal, Refused
from incidentd.store import audit, audit_keys, erasure
from incidentd.store.audit_keys import Export
from incidentd.store.engine import Store, Tx

_MACHINES: Final = MACHINES | {OURSELVES, "PagerDuty"}
NOBODY: Final = Actor("nobody", "")
SELF: Final = Actor("machine", OURSELVES)
_OF_MACHINES: Final = frozenset(
    {
        "triggered", "resolved", "reopened", "severity_raised", "acknowledged", "unacknowledged",
        "acknowledgement_expired", "snooze_ended", "hold_ended", "suppression_ended", "resolve_withheld",
        "resolve_dropped", "heartbeat_over", "flapping_ended", "escalated", "escalation_exhausted", "escalation_failed",
        "escalation_stuck", "silence_active", "silence_changed", "silence_ended", "silence_expired", "silence_failed",
        "silence_lost", "vendor_event",
    }
)  # fmt: skip
"""Timeline entries of machines that move a state or decide whether people are told."""
_PAGE: Final = "status_"
"""Timeline entries about the public page, which is audited where it is written: it has more than incidents."""
CHECKPOINT_ENTRIES: Final = 100
CHECKPOINT_SECONDS: Final = 60


def by(actor: str) -> Actor:
    """Who an actor of the timeline is."""
    return Actor("machine" if actor in _MACHINES else "person", actor)


def note(
    tx: Tx,
    now: datetime,
    actor: str,
    action: str,
    what: str = "",
    data: Mapping[str, Value] | None = None,
    private: Mapping[str, str] | None = None,
) -> None:
    """Note one action on the object `what`. `private` is for texts that may be about people."""
    audit.record(tx, Event(now, by(actor), action, what, data or {}, private or {}))


def incidents_changed(
    tx: Tx,
    entries: Sequence[tuple[int, int, datetime, Entry]],
    incidents: Mapping[int, Incident],
    now: datetime,
) -> None:
    """Note what a transaction did to incidents: its timeline entries as (incident, seq, at, entry)."""
    moved: dict[tuple[str, str], list[Value]] = {}
    for number, seq, _, entry in entries:
        if entry.kind.startswith(_PAGE):
            continue
        if entry.actor not in _MACHINES:
            data = {"entry": seq, **_stands(incidents.get(number))}
            note(
                tx,
                now,
                entry.actor,
                f"incident.{entry.kind}",
                f"incident:{number}",
                data,
                {"text": entry.text},
            )
        elif entry.kind in _OF_MACHINES:
            moved.setdefault((entry.actor, entry.kind), []).append(number)
    for actor in dict.fromkeys([actor for actor, _ in moved]):
        data = {kind: numbers for (who, kind), numbers in moved.items() if who == actor}
        note(tx, now, actor, "incidents.changed", "", data)


def _stands(incident: Incident | None) -> dict[str, Value]:
    if incident is None:
        return {}
    return {
        "state": incident.state.value,
        "severity": incident.severity.value,
        "episode": incident.episode,
    }


def refused(tx: Tx, events: Refused, since: datetime, now: datetime) -> None:
    """Note what was not let in: the first of each kind one by one, the others counted since `since`, by who it was."""
    for single in events.singles:
        _refused(tx, now, single, {})
    for who, count in events.counts.items():
        _refused(tx, now, who, {"count": count, "since": timestamp(since)})


def _refused(tx: Tx, now: datetime, who: Refusal, data: Mapping[str, Value]) -> None:
    private = {"client": who.client, "request": who.request, "name": who.name}
    audit.record(tx, Event(now, NOBODY, f"security.{who.kind}", "", data, private))


class Introduced(enum.Enum):
    """What became of a key at a start."""

    KNOWN = "known"
    FIRST = "first"
    VOUCHED = "vouched"
    """It follows another one, which has signed that."""
    UNVOUCHED = "unvouched"
    """It follows another one, which was not at hand."""


def introduce(tx: Tx, key: SigningKey, now: datetime, previous: SigningKey | None = None) -> Introduced:
    """Note a key that was not used before. After the first one that is a rotation, which `previous` vouches for."""
    # Under the head's lock: of two replicas that start at once one comes first, and the other sees its key.
    head = audit.lock_head(tx)
    known = [public for _, public in audit_keys.keys(tx)]
    if not audit_keys.add_key(tx, key.public, head.seq):
        return Introduced.KNOWN
    given = previous is not None and previous.public in known
    after = previous.public.id if previous is not None and given else known[-1].id if known else None
    data = introduced(key, after, previous)
    note(tx, now, OURSELVES, ACTION, f"key:{key.public.id}", data)
    if after is None:
        return Introduced.FIRST
    return Introduced.VOUCHED if given else Introduced.UNVOUCHED


def checkpoint_due(tx: Tx, now: datetime) -> bool:
    """True if enough stands unsigned at the chain's end, or has stood there for long enough."""
    head, last = audit.head(tx), audit_keys.latest(tx)
    signed = last.seq if last else 0
    if head.seq - signed >= CHECKPOINT_ENTRIES:
        return True
    unsigned = audit.after(tx, signed, 1)
    return bool(unsigned) and (now - unsigned[0].at).total_seconds() >= CHECKPOINT_SECONDS


def checkpoint(tx: Tx, key: SigningKey, now: datetime, end: audit.Head | None = None) -> Checkpoint | None:
    """Sign the head, or the `end` that was looked at; None if it is signed, or there is none."""
    head, last = end or audit.head(tx), audit_keys.latest(tx)
    if head.seq == 0 or (last is not None and last.seq >= head.seq):
        return None
    made = sign(key, head.seq, head.hash, now)
    audit_keys.add(tx, made)
    return made


def ask_export(
    tx: Tx, form: str, span: tuple[datetime | None, datetime | None], actor: str, now: datetime
) -> Export:
    """Fix which piece of the chain an export holds. That it was asked for is noted behind it."""
    first, last = piece_of(tx, *span)
    made = audit_keys.add_export(tx, Export(0, form, first, last, span[0], span[1], now))
    data: dict[str, Value] = {"format": form, "first": first, "last": last}
    note(tx, now, actor, "audit.exported", f"export:{made.id}", data)
    return made


def piece_of(tx: Tx, since: datetime | None, until: datetime | None) -> tuple[int, int]:
    """The first and last entry of a span of time; of an empty one the places at the chain's end."""
    end = audit.head(tx).seq
    first, last = audit.span(tx, since, until)
    if since is None:
        # Whoever asks for everything gets it from the first entry on, so that a removed beginning shows.
        first = 1
    if last < first:
        return (1, 0) if since is None else (end + 1, end)
    return first, end if until is None else last


def erase(tx: Tx, name: str, actor: str, now: datetime) -> int:
    """Erase who a person is, in the log and in what is kept beside it; in how many places.

    The chain says that somebody was erased, and not who.
    """
    references, texts = audit.erase(tx, name)
    places = texts + erasure.erase(tx, name)
    if references or places:
        listed: list[Value] = [*references]
        note(tx, now, actor, "audit.erased", "", {"references": listed, "places": places})
    return len(references) + places


def migrated(tx: Tx, actor: str, before: str | None, after: str, now: datetime) -> None:
    """Note that the schema is another one, if it is."""
    if before != after:
        note(tx, now, actor, "database.migrated", "", {"from": before, "to": after})


async def reloaded(
    store: Store, path: Path | None, actor: str, problems: Sequence[str], now: datetime
) -> None:
    """Note that somebody had the configuration read again, and what came of it; of the file only its hash."""
    digest = await digest_of(path)
    data: dict[str, Value] = {"outcome": "refused" if problems else "done", "sha256": digest}
    await store.write(lambda tx: note(tx, now, actor, "configuration.reloaded", "", data))


async def digest_of(path: Path | None) -> str | None:
    """The SHA-256 of a configuration's file, which says whether it was changed; None if it cannot be read."""
    return await asyncio.to_thread(_digest, path)


def _digest(path: Path | None) -> str | None:
    try:
        return None if path is None else hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def deleted(tx: Tx, what: str, count: int, before: datetime | None, now: datetime) -> None:
    """Note that retention has deleted `count` rows of `what`, which are from `before`; None: there was no room."""
    if count:
        limit = None if before is None else timestamp(before)
        note(tx, now, OURSELVES, "retention.deleted", "", {"what": what, "count": count, "before": limit})
