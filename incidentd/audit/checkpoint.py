"""A checkpoint: the chain's head under a signature. Whoever has one kept elsewhere sees a chain that was rewritten."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from incidentd.audit.chain import VERSION, Value, canonical, timestamp
from incidentd.audit.keys import PublicKey, SigningKey

_PURPOSE: Final = b"incidentd audit checkpoint v1\n"
_ACCEPTED: Final = b"incidentd audit acceptance v1\n"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head at an instant."""

    seq: int
    hash: str
    ts: str
    """When it was signed, as in entries."""
    key: str
    """The id of the key."""
    signature: str
    """Hexadecimal."""

    @property
    def content(self) -> dict[str, Value]:
        """What is signed."""
        return {"v": VERSION, "seq": self.seq, "hash": self.hash, "ts": self.ts, "key": self.key}

    @property
    def document(self) -> dict[str, Value]:
        """The same with the signature: how it stands in bundles and outside."""
        return {**self.content, "signature": self.signature}

    def signed_by(self, key: PublicKey) -> bool:
        """True if it is this key's."""
        return self._made(key, _PURPOSE)

    def accepted_by(self, key: PublicKey) -> bool:
        """True if whoever holds this key said: the chain goes on from here, whatever was signed before."""
        return self._made(key, _ACCEPTED)

    def _made(self, key: PublicKey, purpose: bytes) -> bool:
        signature = bytes.fromhex(self.signature)
        return self.key == key.id and key.verifies(signature, purpose + canonical(self.content))


def sign(key: SigningKey, seq: int, head: str, now: datetime) -> Checkpoint:
    """A checkpoint of the head `seq`, whose hash is `head`."""
    return _signed(key, Checkpoint(seq, head, timestamp(now), key.public.id, ""), _PURPOSE)


def accept(key: SigningKey, seq: int, head: str, now: datetime) -> Checkpoint:
    """The same as an acceptance, which is no checkpoint and passes for none."""
    return _signed(key, Checkpoint(seq, head, timestamp(now), key.public.id, ""), _ACCEPTED)


def _signed(key: SigningKey, unsigned: Checkpoint, purpose: bytes) -> Checkpoint:
    return replace(unsigned, signature=key.sign(purpose + canonical(unsigned.content)).hex())
