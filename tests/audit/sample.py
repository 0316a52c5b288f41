"""Chains and bundles for the tests of the audit log's format, the same in every run."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from incidentd.audit.bundle import Format, Piece, Writer
from incidentd.audit.chain import GENESIS, Actor, Event, Opening, Sealed, seal
from incidentd.audit.checkpoint import Checkpoint, sign
from incidentd.audit.judge import BrokenError, Verified
from incidentd.audit.keys import PublicKey, SigningKey
from incidentd.audit.rotation import ACTION, introduced
from incidentd.audit.verify import verify

NOW = datetime(2026, 11, 21, 16, 0, tzinfo=UTC)
ALICE = Opening("a1" * 16, "alice")


def key_of(seed: int) -> SigningKey:
    """An Ed25519 key that is the same in every run."""
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return SigningKey.of_pem(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


KEY, OTHER = key_of(1), key_of(2)


@dataclass
class Chain:
    """Entries in order, with what belongs beside them."""

    entries: list[Sealed] = field(default_factory=list)
    openings: dict[str, Opening] = field(default_factory=lambda: {ALICE.reference: ALICE})
    checkpoints: dict[int, list[Checkpoint]] = field(default_factory=dict)

    def add(self, count: int = 1, word: str = "mine") -> Chain:
        """Let alice acknowledge, and a source resolve, in turn."""
        for _ in range(count):
            seq = len(self.entries) + 1
            at = NOW + timedelta(seconds=seq)
            prev = self.entries[-1].hash if self.entries else GENESIS
            if seq % 2:
                said = Opening(f"{seq:032x}", f'{word} - "ünïcode" \n{seq}')
                self.openings[said.reference] = said
                actor = Actor("person", "alice")
                event = Event(
                    at, actor, "incident.acknowledged", f"incident:{seq}", {"entry": seq, "x": None}
                )
                sealed = seal(event, seq, prev, ALICE.reference, {"text": said.reference})
            else:
                # Of whom nothing is known: refused requests.
                who = Actor("machine", "source") if seq % 4 else Actor("nobody", "")
                event = Event(at, who, "incidents.changed", "", {"resolved": [seq, 7]})
                sealed = seal(event, seq, prev, "", {})
            self.entries.append(sealed)
        return self

    def introduce(self, key: SigningKey, after: SigningKey | None, by: SigningKey | None = None) -> Chain:
        """Let `key` follow `after`, vouched for by `by`."""
        public = None if after is None else after.public.id
        data = introduced(key, public, by)
        event = Event(NOW, Actor("machine", "incidentd"), ACTION, f"key:{key.public.id}", data)
        return self.put(event)

    def put(self, event: Event) -> Chain:
        """One more entry, of a machine."""
        prev = self.entries[-1].hash if self.entries else GENESIS
        self.entries.append(seal(event, len(self.entries) + 1, prev, "", {}))
        return self

    def sign(self, key: SigningKey = KEY) -> Checkpoint:
        """Sign the head."""
        head = self.entries[-1]
        made = sign(key, head.seq, head.hash, NOW)
        self.checkpoints.setdefault(head.seq, []).append(made)
        return made

    def bundle(
        self,
        form: Format = "json",
        first: int = 1,
        key: SigningKey = KEY,
        keys: Sequence[PublicKey] = (),
        until: datetime | None = None,
    ) -> bytes:
        """The chain from `first` on as a file."""
        prev = self.entries[first - 2].hash if first > 1 else GENESIS
        since = NOW + timedelta(seconds=first) if first > 1 else None
        writer = Writer(form, key, Piece("test", NOW, first, len(self.entries), prev, since, until))
        parts = [writer.begin(keys)]
        for sealed in self.entries[first - 1 :]:
            parts.append(writer.entry(sealed, self.openings))
            parts += [writer.checkpoint(one) for one in self.checkpoints.get(sealed.seq, ())]
        return b"".join([*parts, writer.end()])


def judged(bundle: bytes, *pinned: SigningKey, heads: Sequence[Checkpoint] = ()) -> Verified | BrokenError:
    """What the judge says of a bundle."""
    try:
        return verify(io.BytesIO(bundle), [key.public for key in pinned or (KEY,)], heads)
    except BrokenError as broken:
        return broken


def signed_chain() -> Chain:
    """Twelve entries with signed heads behind the fifth and the last."""
    chain = Chain().add(5)
    chain.sign()
    chain.add(7).sign()
    return chain


def rotated_chain(by: SigningKey | None = KEY) -> Chain:
    """`KEY` signs, then `OTHER`, which `by` vouches for."""
    chain = Chain().introduce(KEY, None).add(3)
    chain.sign()
    chain.introduce(OTHER, KEY, by).add(2).sign(OTHER)
    return chain


def rotated(chain: Chain, form: Format = "json") -> bytes:
    """The bundle of a rotated chain, as it is signed afterwards."""
    return chain.bundle(form, key=OTHER, keys=[KEY.public])


def resealed(bundle: bytes, edit: Callable[[list[bytes]], object], key: SigningKey = KEY) -> bytes:
    """The lines of a JSON bundle after `edit`, with an end that fits them, signed: what who holds the key can make."""
    import hashlib

    from incidentd.audit.bundle import PURPOSE
    from incidentd.audit.chain import canonical

    lines = bundle.splitlines(keepends=True)
    body, end = lines[:-2], json.loads(lines[-2])["end"]
    edit(body)
    content: dict[str, Any] = {k: v for k, v in end.items() if k != "signature"}
    content["sha256"] = hashlib.sha256(b"".join(body)).hexdigest()
    signature = key.sign(PURPOSE + canonical(content)).hex()
    return b"".join([*body, canonical({"end": {**content, "signature": signature}}), b"\n]\n"])
