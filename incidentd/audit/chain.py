"""One entry of the chain: its canonical bytes, its hash over the one before, and what it says about people."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import orjson
import rfc8785

VERSION: Final = 1
GENESIS: Final = "0" * 64
"""`prev` of the first entry there ever was."""
MAX_INTEGER: Final = 2**53 - 1
"""Larger ones are no numbers in RFC 8785."""

Value = str | int | bool | None | Sequence["Value"] | Mapping[str, "Value"]
"""What entries are made of. No fractions: they are where implementations of JSON differ."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it."""

    kind: str
    """`person` (a user, a token, whoever held a link), `machine`, or `nobody` for requests that were not let in."""
    name: str
    """Of a machine it stands in the chain; of a person only a reference to it does."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something worth an entry, before it has its place in the chain."""

    at: datetime
    actor: Actor
    action: str
    """`incident.acknowledged`, `token.created`, `security.auth_fail` ..."""
    object: str
    """`incident:12`, `token:ci`, or empty."""
    data: Mapping[str, Value] = field(default_factory=dict)
    """Facts that are about no person. They stay for ever."""
    private: Mapping[str, str] = field(default_factory=dict)
    """Texts that may be about people: the chain holds salted hashes of them, so they can be erased."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What turns a reference back into the text: kept beside the chain, and erasable."""

    salt: str
    """16 random bytes, hexadecimal. Without it nobody can find the text by trying."""
    value: str

    @property
    def reference(self) -> str:
        """SHA-256 over the salt's bytes and the text's UTF-8, hexadecimal."""
        return hashlib.sha256(bytes.fromhex(self.salt) + self.value.encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True, slots=True)
class Sealed:
    """An entry in its place."""

    seq: int
    at: datetime
    entry: bytes
    """RFC 8785, which is ASCII and UTF-8 text; what is hashed, stored and exported, byte for byte."""
    hash: str


def canonical(value: Value) -> bytes:
    """`value` by RFC 8785. Raises ValueError for what that cannot say."""
    if _plain(value):
        # Then both say the same, byte for byte, and this one is ten times as fast.
        try:
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER)
        except TypeError:
            pass  # half a surrogate pair, or too large a number: told by the other
    return rfc8785.dumps(value)


def _plain(value: object) -> bool:
    """True if nothing is in it that orjson spells in another way: no fractions, and keys whose order all agree on."""
    kind = type(value)
    if kind is str or kind is int or value is None or kind is bool:
        return True
    if kind is dict:
        return all([type(k) is str and k.isascii() and _plain(v) for k, v in value.items()])  # type: ignore[attr-defined]
    return (kind is list or kind is tuple) and all([_plain(each) for each in value])  # type: ignore[attr-defined]


def chain_hash(prev: str, entry: bytes) -> str:
    """SHA-256 over the 32 bytes of the previous hash and the entry, hexadecimal."""
    return hashlib.sha256(bytes.fromhex(prev) + entry).hexdigest()


def timestamp(at: datetime) -> str:
    """RFC 3339 in UTC with six digits of a second, so that all have one spelling."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seal(event: Event, seq: int, prev: str, actor: str, private: Mapping[str, str]) -> Sealed:
    """Give `event` its place behind `prev`. `actor` and `private` are the references of the texts.

    Raises ValueError for data that RFC 8785 cannot say.
    """
    who: dict[str, Value] = {"kind": event.actor.kind}
    who |= {"ref": actor} if event.actor.kind == "person" else {"name": event.actor.name}
    content: dict[str, Value] = {
        "v": VERSION,
        "seq": seq,
        "ts": timestamp(event.at),
        "actor": who,
        "action": event.action,
        "object": event.object,
        "data": dict(event.data),
        "private": dict(private),
        "prev": prev,
    }
    entry = canonical(content)
    return Sealed(seq, event.at, entry, chain_hash(prev, entry))
