"""Whether the chain still is the one that was signed: the daemon does not vouch for what somebody made of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import orjson

from incidentd.audit.chain import GENESIS, Value, canonical
from incidentd.audit.checkpoint import Checkpoint, sign
from incidentd.audit.checkpoint import accept as sign_acceptance
from incidentd.audit.faults import BrokenError, checkpoint_of
from incidentd.audit.keys import PublicKey, SigningKey
from incidentd.store import audit, audit_keys, settings
from incidentd.store.audit import Head
from incidentd.store.engine import Tx
from incidentd.workflows.audit import checkpoint, note

_BATCH: Final = 500
_ACCEPTED: Final = "audit_accepted"
"""The setting that holds the newest acceptance."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a look at the chain came to."""

    head: Checkpoint | None = None
    """The newest head that is signed; None if there is none, or something is wrong."""
    problem: str = ""
    accepted: bool = False
    """The chain contradicts what was known, and somebody who holds the key has accepted that since."""


def vouch(tx: Tx, key: SigningKey, signed: Checkpoint | None, now: datetime) -> Found:
    """Sign the head, unless the chain contradicts `signed`, the newest head that is known."""
    last, end = audit_keys.latest(tx), audit.head(tx)
    found = _judged(tx, key.public, signed, last, end)
    return found if found.problem else replace(found, head=checkpoint(tx, key, now, end) or last)


def examine(tx: Tx, key: PublicKey, signed: Checkpoint | None) -> Found:
    """As `vouch`, but nothing is signed."""
    # In this order: a replica that signs in between must not look as if the chain were shorter than its signed head.
    last, end = audit_keys.latest(tx), audit.head(tx)
    return _judged(tx, key, signed, last, end)


def accept(tx: Tx, key: SigningKey, now: datetime) -> Checkpoint:
    """Say with the key that the chain goes on from its end, whatever was signed before."""
    end = audit.head(tx)
    settings.put(tx, _ACCEPTED, canonical(sign_acceptance(key, end.seq, end.hash, now).document).decode())
    made = sign(key, end.seq, end.hash, now)
    audit_keys.add(tx, made)
    return made


def note_acceptance(
    tx: Tx, problem: str, lost: Checkpoint | None, told: tuple[str, str], now: datetime
) -> None:
    """Note that a chain which contradicts the head `lost` is to go on; `told`: who says that, and why.

    Signed heads of entries that are not there any more are dropped: new ones take their place.
    """
    actor, reason = told
    # Under its lock: a head that moves on would pass some of them, which the database keeps from then on.
    dropped = audit_keys.drop_beyond(tx, audit.lock_head(tx).seq)
    data: dict[str, Value] = {
        "problem": problem,
        "lost": None if lost is None else {"seq": lost.seq, "hash": lost.hash},
        "dropped": dropped,
    }
    note(tx, now, actor, "audit.accepted", "", data, {"reason": reason})


def _judged(tx: Tx, key: PublicKey, signed: Checkpoint | None, last: Checkpoint | None, end: Head) -> Found:
    problem = contradiction(tx, key, signed, last, end)
    if not problem:
        return Found(last)
    said = _acceptance(tx, key)
    # Only one that is newer than what it contradicts: an old one would be a way to go back to the time it is of.
    if signed is None or said is None or said.ts < signed.ts:
        return Found(problem=problem)
    problem = contradiction(tx, key, said, last, end)
    return Found(None if problem else last, problem, accepted=not problem)


def _acceptance(tx: Tx, key: PublicKey) -> Checkpoint | None:
    text = settings.get(tx, _ACCEPTED)
    if text is None:
        return None
    try:
        found = checkpoint_of(orjson.loads(text), 0)
    except (ValueError, BrokenError):
        return None
    return found if found.accepted_by(key) else None


def contradiction(
    tx: Tx, key: PublicKey, signed: Checkpoint | None, last: Checkpoint | None, end: Head
) -> str:
    """What is wrong with the chain up to `end`; empty if it passes through both heads and none of its links is broken.

    `signed` is the head this process knows of, which nobody who only writes to the database can change; `last` is
    the newest one in the database.
    """
    if last is not None and last.key == key.id and not last.signed_by(key):
        return f"the signature of the head {last.seq} in the database is wrong"
    for known in (signed, last):
        if known is None:
            continue
        if known.seq > end.seq:
            why = "its tail was cut, or a backup restored"
            return f"entry {known.seq} was signed, but the chain ends with {end.seq}: {why}"
        if audit.hash_of(tx, known.seq) != known.hash:
            return f"entry {known.seq} is not the one that was signed: the chain was rewritten"
    return _links(tx, signed or last, end)


def _links(tx: Tx, since: Checkpoint | None, end: Head) -> str:
    seq, head = (0, GENESIS) if since is None else (since.seq, since.hash)
    while part := audit.after(tx, seq, _BATCH, end.seq):
        for entry in part:
            found = hashlib.sha256(bytes.fromhex(head) + entry.entry).hexdigest()
            if entry.seq != seq + 1 or entry.hash != found:
                return f"entry {entry.seq} does not follow the one before it: the chain was rewritten"
            seq, head = entry.seq, found
    whole = (seq, head) == (end.seq, end.hash)
    return "" if whole else f"the chain does not lead to its own end, entry {end.seq}"
