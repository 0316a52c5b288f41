"""The judge of a bundle's records: it stops at the first thing that is wrong and names it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from incidentd.audit.bundle import NAME, PURPOSE, references
from incidentd.audit.chain import GENESIS, MAX_INTEGER, VERSION, canonical
from incidentd.audit.checkpoint import Checkpoint
from incidentd.audit.faults import BrokenError, Fault, checkpoint_of, hash_text, unhex
from incidentd.audit.keys import KeyRefusedError, PublicKey
from incidentd.audit.rotation import ACTION, ForgedError, vouched

__all__ = ["BrokenError", "Fault", "Judge", "Verified", "checkpoint_of"]

_OPENING: Final = ("salt", "value")
_PEOPLE: Final = 1000
_RECORD: Final = {"entry", "hash", "open"}
_ENTRY: Final = {"v", "seq", "ts", "actor", "action", "object", "data", "private", "prev"}
_END: Final = {"v", "count", "last", "hash", "sha256", "key", "signature"}


@dataclass(frozen=True, slots=True)
class Verified:
    """What a bundle proves."""

    instance: str
    first: int
    last: int
    count: int
    head: str
    checkpoints: int
    key: PublicKey
    pinned: bool
    """The key is one that was asked for, or vouched for by one; else anybody could have made the bundle."""
    heads: int
    """Outside heads that agree."""
    unused: int = 0
    """Outside heads that the bundle says nothing about: of entries before it, or signed after it was made or ends."""
    unvouched: tuple[int, ...] = ()
    """Entries that introduce a key which the one before did not sign."""


@dataclass(slots=True)
class Judge:
    """Reads records in order."""

    pinned: Mapping[str, PublicKey]
    anchors: dict[int, list[Checkpoint]]
    header: dict[str, Any] = field(default_factory=dict)
    keys: dict[str, PublicKey] = field(default_factory=dict)
    seq: int = 0
    """The last entry that is good."""
    head: str = GENESIS
    count: int = 0
    checkpoints: int = 0
    agreed: int = 0
    people: dict[str, Any] = field(default_factory=dict)
    trusted: set[str] = field(init=False)
    """Ids of the keys that may have signed: those that were given, and who follows them with their signature."""
    unvouched: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Trust is what was given."""
        self.trusted = set(self.pinned)

    def begin(self, record: dict[str, Any]) -> None:
        """The first record."""
        content = record.get("bundle")
        if not isinstance(content, dict) or content.get("format") != NAME:
            raise BrokenError(Fault.MALFORMED, None, "the file does not begin like an audit bundle")
        if content.get("v") != VERSION:
            raise BrokenError(Fault.MALFORMED, None, f"only version {VERSION} of the format is known here")
        try:
            for listed in content["keys"]:
                key = PublicKey.of_der(unhex(listed["public"]))
                if (listed["id"], listed["algorithm"]) != (key.id, key.algorithm):
                    raise KeyRefusedError("its id is another one's")  # noqa: TRY301 - told like others
                self.keys[key.id] = key
            self.seq, self.head = content["first"] - 1, hash_text(content["prev"])
            _ = self.keys[content["key"]], content["last"] - self.seq, content["instance"]
            _ = content["from"], min(content["created"], content["to"] or content["created"])
        except (KeyRefusedError, KeyError, TypeError, ValueError) as wrong:
            raise BrokenError(Fault.MALFORMED, None, f"the first record is not understood: {wrong}") from None
        self.header = content
        start = content["first"] == 1
        if start != (self.head == GENESIS) or not (start or content["from"]):
            raise BrokenError(
                Fault.MISSING, 1, "the chain's beginning is missing, and was not left out by time"
            )
        self._anchored()

    def entry(self, record: dict[str, Any]) -> None:
        """One entry."""
        expected, entry = self.seq + 1, record["entry"]
        seq = self._number(entry)
        if seq > expected:
            text = f"entry {expected} is missing: {seq} stands in its place"
            raise BrokenError(Fault.MISSING, expected, text)
        if seq < expected:
            text = f"entry {seq} comes again, or too late: {expected} should stand there"
            raise BrokenError(Fault.REPEATED, seq, text)
        try:
            raw = orjson.dumps(entry, option=orjson.OPT_SORT_KEYS)
            stated, prev, opened = record["hash"], entry["prev"], record["open"]
            found = hashlib.sha256(bytes.fromhex(prev) + raw).hexdigest()
            whole = entry.keys() == _ENTRY and entry["v"] == VERSION and record.keys() == _RECORD
            whole = whole and type(opened) is dict
        except (KeyError, TypeError, ValueError):
            raise BrokenError(Fault.MALFORMED, seq, f"entry {seq} is not as the format has it") from None
        if found != stated or not whole:
            raise BrokenError(Fault.ALTERED, seq, f"entry {seq} is not what was hashed")
        if prev != self.head:
            text = (
                f"entry {seq} follows another entry {seq - 1} than the one in this file: rewritten, or a fork"
            )
            raise BrokenError(Fault.FORKED, seq, text)
        if opened:
            self._opened(seq, entry, opened)
        if entry["action"] == ACTION:
            self._introduced(seq, entry)
        self.seq, self.head, self.count = seq, stated, self.count + 1
        if self.anchors:
            self._anchored()

    def _introduced(self, seq: int, entry: dict[str, Any]) -> None:
        """A key that begins to sign: trusted if one that is trusted has signed that."""
        try:
            data = entry["data"]
            key, good = vouched(
                entry["object"], data, lambda name: self.keys.get(name) or self.pinned.get(name)
            )
        except ForgedError as wrong:
            raise BrokenError(Fault.BAD_SIGNATURE, seq, f"entry {seq} introduces a key: {wrong}") from None
        except (AttributeError, KeyError, TypeError, ValueError):
            text = f"entry {seq} introduces a key, and not as the format has it"
            raise BrokenError(Fault.MALFORMED, seq, text) from None
        if not good:
            self.unvouched.append(seq)
        elif data["after"] in self.trusted:
            self.trusted.add(key)

    def _number(self, entry: object) -> int:
        seq = entry.get("seq") if isinstance(entry, dict) else None
        if type(seq) is not int or not 0 < seq <= MAX_INTEGER:
            where = self.seq + 1
            raise BrokenError(Fault.MALFORMED, where, f"the entry in the place of {where} has no number")
        return seq

    def _opened(self, seq: int, entry: dict[str, Any], opened: dict[str, Any]) -> None:
        try:
            known = references(entry)
            good = True
            for ref, told in opened.items():
                if ref not in self.people or self.people[ref] != told:
                    salt, value = told["salt"], told["value"]
                    raw = bytes.fromhex(salt)
                    same = hashlib.sha256(raw + value.encode()).hexdigest() == ref
                    # One spelling only: upper case and blanks would mean the same bytes.
                    good = good and same and raw.hex() == salt and len(told) == len(_OPENING)
                good = good and ref in known
            self._remember(entry, opened)
        except (AttributeError, KeyError, TypeError, ValueError):
            good = False
        if not good:
            raise BrokenError(
                Fault.ALTERED, seq, f"what is told about people in entry {seq} is not what was hashed"
            )

    def _remember(self, entry: dict[str, Any], opened: dict[str, Any]) -> None:
        """Who a reference means is looked at once: people act often. In constant memory."""
        who = entry["actor"].get("ref")
        if who in opened and who not in self.people:
            if len(self.people) >= _PEOPLE:
                self.people.clear()
            self.people[who] = opened[who]

    def checkpoint(self, record: dict[str, Any]) -> None:
        """A signed head, which stands behind its entry."""
        found = checkpoint_of(record["checkpoint"], self.seq)
        if found.seq != self.seq:
            text = f"a checkpoint of entry {found.seq} stands behind entry {self.seq}"
            raise BrokenError(Fault.MISSING, self.seq + 1, text)
        self._signed(found)
        self._agrees(found, "a checkpoint")
        self.checkpoints += 1

    def _signed(self, found: Checkpoint) -> None:
        key = self.keys.get(found.key) or self.pinned.get(found.key)
        if key is None:
            text = f"the checkpoint of entry {found.seq} is signed by a key that the bundle does not list"
            raise BrokenError(Fault.WRONG_KEY, found.seq, text)
        if not found.signed_by(key):
            text = f"the signature of the checkpoint of entry {found.seq} is wrong"
            raise BrokenError(Fault.BAD_SIGNATURE, found.seq, text)

    def _agrees(self, found: Checkpoint, what: str) -> None:
        if found.hash != self.head:
            text = f"{what} says another hash of entry {found.seq}: what stands up to there was rewritten"
            raise BrokenError(Fault.FORKED, found.seq, text)

    def _anchored(self) -> None:
        for found in self.anchors.pop(self.seq, ()):
            self._signed(found)
            self._agrees(found, "an outside head")
            self.agreed += 1

    def end(self, record: dict[str, Any], digest: str) -> Verified:
        """The last record; `digest` is of everything before it."""
        content = record["end"]
        try:
            if content.keys() != _END:
                raise KeyError("keys")  # noqa: TRY301 - told like every other way to be wrong
            signature, key = unhex(content["signature"]), self.keys[content["key"]]
            signed = PURPOSE + canonical({k: v for k, v in content.items() if k != "signature"})
        except (AttributeError, KeyError, TypeError, ValueError):
            raise BrokenError(Fault.MALFORMED, None, "the last record is not as the format has it") from None
        if self.pinned and content["key"] not in self.trusted:
            text = f"the bundle is signed by {content['key']}, not by a key that was given or that one has vouched for"
            raise BrokenError(Fault.WRONG_KEY, None, text)
        if content["key"] != self.header["key"]:
            raise BrokenError(
                Fault.WRONG_KEY, None, "the last record is signed by another key than the first names"
            )
        if self.seq < self.header["last"]:
            text = f"entry {self.seq + 1} is missing: the bundle should go on to {self.header['last']}"
            raise BrokenError(Fault.TRUNCATED, self.seq + 1, text)
        told = (content["v"], content["count"], content["last"], content["hash"])
        if told != (VERSION, self.count, self.header["last"], self.head) or self.seq != self.header["last"]:
            raise BrokenError(
                Fault.MISSING, self.seq, "the last record tells of other entries than stand here"
            )
        if content["sha256"] != digest:
            raise BrokenError(
                Fault.ALTERED, None, "the file is not what was signed: a byte outside its entries differs"
            )
        if not key.verifies(signature, signed):
            raise BrokenError(Fault.BAD_SIGNATURE, None, "the signature of the bundle is wrong")
        return self._verified(key)

    def _verified(self, key: PublicKey) -> Verified:
        end = min(self.header["created"], self.header["to"] or self.header["created"])
        later = [
            seq for seq, heads in self.anchors.items() if seq > self.seq and min(h.ts for h in heads) <= end
        ]
        if later:
            text = f"an outside head is of entry {max(later)}, but the chain ends with {self.seq}: its tail was cut"
            raise BrokenError(Fault.TRUNCATED, self.seq + 1, text)
        head = self.header
        return Verified(
            head["instance"], head["first"], self.seq, self.count, self.head, self.checkpoints, key,
            bool(self.pinned), self.agreed, sum(map(len, self.anchors.values())), tuple(self.unvouched),
        )  # fmt: skip
