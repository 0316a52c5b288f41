"""Bundles of the audit log: read page by page, so that a million entries take no more memory than a thousand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog

from incidentd.audit.bundle import Format, Piece, Writer, references_of
from incidentd.audit.chain import Opening, Sealed
from incidentd.audit.checkpoint import Checkpoint
from incidentd.audit.keys import KeyRefusedError, PublicKey, SigningKey, kept
from incidentd.config import Config
from incidentd.lifecycle import StartError
from incidentd.store import audit, audit_keys
from incidentd.store.engine import Store, Tx

log = structlog.get_logger()
_PAGE: Final = 1000
_FOLDER: Final = Path("data")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a bundle is to hold. What stands there never changes, so it is the same whenever it is made."""

    form: Format
    first: int
    last: int
    created: datetime
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Page:
    entries: list[Sealed]
    openings: dict[str, Opening] = field(repr=False)
    checkpoints: dict[int, list[Checkpoint]]


async def bundle(store: Store, key: SigningKey, instance: str, wanted: Wanted) -> AsyncIterator[bytes]:
    """The parts of the file, in order. Raises `StoreUnavailableError` in the middle if the database goes away."""
    prev = await store.read(lambda tx: audit.hash_of(tx, wanted.first - 1))
    keys = await store.read(_public_keys)
    piece = Piece(instance, wanted.created, wanted.first, wanted.last, prev, wanted.since, wanted.until)
    writer = Writer(wanted.form, key, piece)
    yield writer.begin(keys)
    last = wanted.first - 1
    while last < wanted.last:
        page = await store.read(lambda tx, after=last: _page(tx, after, wanted.last))  # type: ignore[misc]
        if not page.entries:
            break  # somebody deleted them: the bundle says so by itself
        # In a thread: a page takes as long as some hundred alerts.
        yield await asyncio.to_thread(_written, writer, page)
        last = page.entries[-1].seq
    yield writer.end()


def _public_keys(tx: Tx) -> list[PublicKey]:
    return [key for _, key in audit_keys.keys(tx)]


def _page(tx: Tx, after: int, last: int) -> _Page:
    entries = audit.after(tx, after, _PAGE, last)
    if not entries:
        return _Page([], {}, {})
    signed: dict[int, list[Checkpoint]] = {}
    for each in audit_keys.between(tx, after + 1, entries[-1].seq):
        signed.setdefault(each.seq, []).append(each)
    wanted = {ref for sealed in entries for ref in references_of(sealed)}
    return _Page(entries, dict(audit.openings(tx, sorted(wanted))), signed)


def _written(writer: Writer, page: _Page) -> bytes:
    parts = []
    for sealed in page.entries:
        parts.append(writer.entry(sealed, page.openings))
        parts += [writer.checkpoint(each) for each in page.checkpoints.get(sealed.seq, ())]
    return b"".join(parts)


def key_path(config: Config, database: Path | None) -> Path:
    """Where the key is kept that was made here. `database`: the SQLite file."""
    return config.audit.key_file or (database.parent if database else _FOLDER) / "audit-key.pem"


def head_path(config: Config, database: Path | None) -> Path:
    """Where the newest signed head is kept."""
    return config.audit.head_file or key_path(config, database).with_name("audit-head.json")


def previous_key(config: Config) -> SigningKey | None:
    """The key that vouches for the one that signs now."""
    given = config.audit.previous_key
    return None if given is None else SigningKey.of_pem(given.get_secret_value().encode())


async def open_key(config: Config, database: Path | None, *, make: bool = True) -> SigningKey:
    """The key that signs: the configured one, or the one that is made at the first start, if `make`.

    Raises `StartError`, which says what to do about it.
    """
    if config.audit.key is not None:
        return SigningKey.of_pem(config.audit.key.get_secret_value().encode())
    path = key_path(config, database)
    if not make and not path.exists():
        raise StartError(
            f"there is no audit key in {path}: start the daemon once, or set audit.key or audit.key_file"
        )
    try:
        key, fresh = await asyncio.to_thread(kept, path, config.audit.algorithm)
    except (OSError, KeyRefusedError) as error:
        raise StartError(
            f"the audit log's key cannot be kept in {path}: {error}; set audit.key or audit.key_file"
        ) from error
    if fresh:
        log.warning(
            "audit_key_made", path=str(path), key=key.public.id, hint="back it up, and keep it secret"
        )
    return key
