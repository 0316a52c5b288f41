"""A checkpoint: the chain's head under a signature. Whoever has one kept elsewhere sees a chain that was rewritten."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from incidentd.audit.chain import VERSION, Value, canonical, timestamp
from incidentd.audit.keys import PublicKey, SigningKey

_PURPOSE: Final = b"incidentd audit checkpoint v1\n"


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
        return self.key == key.id and key.verifies(
            bytes.fromhex(self.signature), _PURPOSE + canonical(self.content)
        )


def sign(key: SigningKey, seq: int, head: str, now: datetime) -> Checkpoint:
    """A checkpoint of the head `seq`, whose hash is `head`."""
    unsigned = Checkpoint(seq, head, timestamp(now), key.public.id, "")
    signature = key.sign(_PURPOSE + canonical(unsigned.content)).hex()
    return Checkpoint(seq, head, unsigned.ts, unsigned.key, signature)
