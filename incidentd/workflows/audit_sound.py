"""Whether the chain still is the one that was signed: the daemon does not vouch for what somebody made of it."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Final

from incidentd.audit.chain import GENESIS
from incidentd.audit.checkpoint import Checkpoint
from incidentd.audit.keys import PublicKey, SigningKey
from incidentd.store import audit, audit_keys
from incidentd.store.audit import Head
from incidentd.store.engine import Tx
from incidentd.workflows.audit import checkpoint

_BATCH: Final = 500


def vouch(tx: Tx, key: SigningKey, signed: Checkpoint | None, now: datetime) -> tuple[Checkpoint | None, str]:
    """Sign the head, unless the chain contradicts `signed`: the newest head, and what is wrong (empty: nothing)."""
    last, end = audit_keys.latest(tx), audit.head(tx)
    problem = contradiction(tx, key.public, signed, last, end)
    return (None, problem) if problem else (checkpoint(tx, key, now, end) or last, "")


def examine(tx: Tx, key: PublicKey, signed: Checkpoint | None) -> tuple[Checkpoint | None, str]:
    """As `vouch`, but nothing is signed."""
    # In this order: a replica that signs in between must not look as if the chain were shorter than its signed head.
    last, end = audit_keys.latest(tx), audit.head(tx)
    problem = contradiction(tx, key, signed, last, end)
    return (None, problem) if problem else (last, "")


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
