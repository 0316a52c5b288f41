"""A bundle: a piece of the chain as one file that proves itself. Written line by line, in constant memory.

JSON is an array with one record in each line, CSV a table with one record in each row; a record's JSON is the same
in both, byte for byte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

import orjson

from incidentd.audit.chain import VERSION, Opening, Sealed, Value, canonical, timestamp
from incidentd.audit.checkpoint import Checkpoint
from incidentd.audit.keys import PublicKey, SigningKey

Format = Literal["json", "csv"]
NAME: Final = "incidentd-audit"
PURPOSE: Final = b"incidentd audit bundle v1\n"
COLUMNS: Final = ("record", "seq", "ts", "actor", "action", "object", "hash", "json")
OPENING: Final = b"[\n"
CLOSING: Final = b"]\n"
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "'")


@dataclass(frozen=True, slots=True)
class Piece:
    """Which part of which chain a bundle holds."""

    instance: str
    """Of the daemon, or the replicas, that wrote it."""
    created: datetime
    first: int
    last: int
    """One less than `first` if the piece is empty."""
    prev: str
    """The hash of the entry before the first."""
    since: datetime | None = None
    until: datetime | None = None
    """What was asked for; None: to the end, so that an outside head behind the last entry shows a cut."""


def header(piece: Piece, keys: Sequence[PublicKey], signer: PublicKey) -> bytes:
    """The first record."""
    listed: dict[str, PublicKey] = {key.id: key for key in (*keys, signer)}
    content: dict[str, Value] = {
        "format": NAME,
        "v": VERSION,
        "instance": piece.instance,
        "created": timestamp(piece.created),
        "first": piece.first,
        "last": piece.last,
        "prev": piece.prev,
        "from": None if piece.since is None else timestamp(piece.since),
        "to": None if piece.until is None else timestamp(piece.until),
        "key": signer.id,
        "keys": [
            {"id": key.id, "algorithm": key.algorithm, "public": key.der.hex()}
            for key in sorted(listed.values(), key=lambda key: key.id)
        ],
    }
    return canonical({"bundle": content})


def entry_record(sealed: Sealed, openings: Mapping[str, Opening]) -> bytes:
    """The record of one entry, with what is known of its references."""
    # The entry's own bytes, not a copy made of its values: they are what is hashed.
    told: dict[str, Value] = {
        ref: {"salt": openings[ref].salt, "value": openings[ref].value}
        for ref in references_of(sealed)
        if ref in openings
    }
    return b'{"entry":%b,"hash":"%b","open":%b}' % (sealed.entry, sealed.hash.encode(), plain(told))


def plain(value: Mapping[str, Value]) -> bytes:
    """`value`, whose keys are ASCII and whose numbers are whole, as RFC 8785 has it, and ten times as fast."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def references(entry: Mapping[str, Any]) -> list[str]:
    """The references to texts in an entry."""
    who = entry["actor"].get("ref")
    return [*([who] if who else []), *entry["private"].values()]


def references_of(sealed: Sealed) -> list[str]:
    """The same of a sealed entry."""
    return references(orjson.loads(sealed.entry))


def checkpoint_record(checkpoint: Checkpoint) -> bytes:
    """The record of one checkpoint, which stands behind its entry."""
    return canonical({"checkpoint": checkpoint.document})


def end_content(piece_last: int, count: int, head: str, digest: str, key: str) -> dict[str, Value]:
    """What the last record says and its signature is over."""
    return {"v": VERSION, "count": count, "last": piece_last, "hash": head, "sha256": digest, "key": key}


@dataclass(slots=True)
class Writer:
    """Turns records into the bytes of a file; feed it in order and write what it returns."""

    form: Format
    key: SigningKey
    piece: Piece
    count: int = 0
    head: str = ""
    _digest: Any = field(default_factory=hashlib.sha256)

    def begin(self, keys: Sequence[PublicKey]) -> bytes:
        """The start of the file. `keys`: all that ever signed the chain."""
        self.head = self.piece.prev
        start = OPENING if self.form == "json" else row(COLUMNS)
        return self._hashed(start + self._line(header(self.piece, keys, self.key.public)))

    def entry(self, sealed: Sealed, openings: Mapping[str, Opening]) -> bytes:
        """One entry."""
        self.count += 1
        self.head = sealed.hash
        return self._hashed(self._line(entry_record(sealed, openings)))

    def checkpoint(self, checkpoint: Checkpoint) -> bytes:
        """One checkpoint, right behind the entry it is of."""
        return self._hashed(self._line(checkpoint_record(checkpoint)))

    def end(self) -> bytes:
        """The end of the file, with the signature over everything before it."""
        content = end_content(
            self.piece.last, self.count, self.head, self._digest.hexdigest(), self.key.public.id
        )
        signature = self.key.sign(PURPOSE + canonical(content)).hex()
        last = canonical({"end": {**content, "signature": signature}})
        return last + b"\n" + CLOSING if self.form == "json" else table_row(last)

    def _line(self, record: bytes) -> bytes:
        return record + b",\n" if self.form == "json" else table_row(record)

    def _hashed(self, part: bytes) -> bytes:
        self._digest.update(part)
        return part


def table_row(record: bytes) -> bytes:
    """A record as a row: what people read, and the record itself in the last cell."""
    return row_of(record, orjson.loads(record))


def row_of(record: bytes, told: Mapping[str, Any]) -> bytes:
    """The same of a record that was read: `told` is what it says."""
    kind = next(iter(told))
    if kind != "entry":
        inner = told[kind]
        seq = inner.get("seq", inner.get("last"))
        cells = (kind, seq, inner.get("ts", inner.get("created", "")), "", "", "", inner.get("hash", ""))
    else:
        entry, opened = told["entry"], told["open"]
        who = entry["actor"]
        ref = who.get("ref")
        name = who["name"] if ref is None else opened.get(ref, {}).get("value") or f"ref:{ref}"
        cells = ("entry", entry["seq"], entry["ts"], name, entry["action"], entry["object"], told["hash"])
    return row([*[harmless(str(cell)) for cell in cells], record.decode()])


def row(cells: Sequence[str]) -> bytes:
    """RFC 4180, every cell quoted."""
    text = '","'.join([cell.replace('"', '""') for cell in cells])
    return f'"{text}"\r\n'.encode()


def harmless(text: str) -> str:
    """`text` in one line, and no formula to a spreadsheet."""
    line = text if text.isprintable() else "".join([c if c.isprintable() else " " for c in text])
    return f"'{line}" if line.startswith(_FORMULA) else line
