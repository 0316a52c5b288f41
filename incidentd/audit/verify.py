"""Verifying a bundle: needs the file, and nothing else; reads it line by line, in constant memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Final

import orjson

from incidentd.audit.bundle import CLOSING, COLUMNS, OPENING, row, row_of
from incidentd.audit.checkpoint import Checkpoint
from incidentd.audit.judge import BrokenError, Fault, Judge, Verified
from incidentd.audit.keys import PublicKey

MAX_LINE: Final = 16 * 1024**2
"""Bytes; a longer one is not read into memory."""


def verify(file: BinaryIO, pinned: Iterable[PublicKey] = (), anchors: Iterable[Checkpoint] = ()) -> Verified:
    """What the bundle proves. Raises `BrokenError`.

    `pinned`: the keys that may have signed it; without any, whoever has one can make a bundle that verifies.
    `anchors`: heads that were kept elsewhere.
    """
    by_seq: dict[int, list[Checkpoint]] = {}
    for anchor in anchors:
        by_seq.setdefault(anchor.seq, []).append(anchor)
    judge = Judge({key.id: key for key in pinned}, by_seq)
    digest = hashlib.sha256()
    first = file.readline(MAX_LINE)
    if first not in (OPENING, row(COLUMNS)):
        raise BrokenError(Fault.MALFORMED, None, "the file does not begin like an audit bundle")
    digest.update(first)
    plain = first == OPENING
    for line in _lines(file, judge):
        record = _record(line, judge, plain=plain)
        if "end" in record:
            found = judge.end(record, digest.hexdigest())
            _nothing_follows(file, plain=plain)
            return found
        _take(judge, record)
        digest.update(line)
    what = f"after entry {judge.seq}" if judge.header else "before its first record"
    raise BrokenError(Fault.TRUNCATED, judge.seq + 1, f"the file ends {what}, without a last record")


def _lines(file: BinaryIO, judge: Judge) -> Iterator[bytes]:
    while line := file.readline(MAX_LINE):
        if not line.endswith(b"\n"):
            detail = f"the line behind entry {judge.seq} has no end"
            raise BrokenError(Fault.TRUNCATED, judge.seq + 1, detail)
        yield line


def _record(line: bytes, judge: Judge, *, plain: bool) -> dict[str, Any]:
    """What a line says, if it is spelt in the one way that the format has."""
    try:
        raw = _stripped(line) if plain else _last_cell(line)
        record: dict[str, Any] = orjson.loads(raw)
        good = (
            type(record) is dict
            and orjson.dumps(record, option=orjson.OPT_SORT_KEYS) == raw
            and (row_of(raw, record) if not plain else raw + (b"\n" if "end" in record else b",\n")) == line
        )
    except (ValueError, IndexError, KeyError, AttributeError, TypeError):
        good, record = False, {}
    if not good:
        where = judge.seq + 1
        what = f"the line behind entry {judge.seq}" if judge.header else "the first record"
        raise BrokenError(
            Fault.MALFORMED, where if judge.header else None, f"{what} is not as the format has it"
        )
    return record


def _last_cell(line: bytes) -> bytes:
    # Elsewhere in a row a quote is never alone between a comma and a brace: inside of cells they are doubled. What is
    # found is made into a row again, so no other line passes.
    return line[line.rindex(b',"{') + 2 : -3].replace(b'""', b'"')


def _stripped(line: bytes) -> bytes:
    return line[:-2] if line.endswith(b",\n") else line[:-1]


def _take(judge: Judge, record: dict[str, Any]) -> None:
    if not judge.header:
        judge.begin(record)
    elif "entry" in record:
        judge.entry(record)
    elif record.keys() == {"checkpoint"}:
        judge.checkpoint(record)
    else:
        where = judge.seq + 1
        raise BrokenError(Fault.MALFORMED, where, f"the line behind entry {judge.seq} is no record")


def _nothing_follows(file: BinaryIO, *, plain: bool) -> None:
    if file.read(len(CLOSING) + 1) != (CLOSING if plain else b""):
        raise BrokenError(Fault.MALFORMED, None, "the file does not end behind its last record")
