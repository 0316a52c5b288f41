"""The audit log: read by page, exported as a bundle that proves itself, and the keys that sign it."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

import orjson
import structlog
from aiohttp import web
from pydantic import AwareDatetime, BeforeValidator, Field

from incidentd.audit.bundle import Format, references
from incidentd.audit.chain import Opening, Sealed
from incidentd.audit.keys import SigningKey
from incidentd.config import Scope
from incidentd.store import audit as store
from incidentd.store import audit_keys
from incidentd.store.audit_keys import Export
from incidentd.store.engine import StoreUnavailableError, Tx
from incidentd.web import models as m
from incidentd.web.answers import Answer
from incidentd.web.op import Call, Op
from incidentd.web.problems import LimitReached, not_found, unavailable
from incidentd.workflows import audit as workflow
from incidentd.workflows.audit_export import Wanted, bundle

log = structlog.get_logger()
_WRITE_SECONDS: Final = 30.0
"""A client that takes nothing for this long is dropped; it fetches again."""
_DOWNLOADS: Final = 2
"""At a time: what reads the whole log must not keep others from the database."""


class AuditQuery(m.PageQuery):
    """Which part of the log."""

    after: Annotated[int, Field(ge=0, le=2**53 - 1)] = 0
    """Entries with a higher number, the oldest first."""


def _text(value: object) -> object:
    # A number would be seconds since 1970, and 0 an export of nothing.
    if isinstance(value, int | float):
        raise ValueError("is not an instant; accepted: text such as 2026-11-21T16:00:00Z")  # noqa: TRY004
    return value


class ExportBody(m.Body):
    """What to export."""

    format: Format = "json"
    """`json` or `csv`."""
    from_: Annotated[AwareDatetime | None, Field(alias="from", strict=False), BeforeValidator(_text)] = None
    """Entries from this instant on; absent: from the first."""
    to: Annotated[AwareDatetime | None, Field(strict=False), BeforeValidator(_text)] = None
    """Just before this instant it ends; absent: with the newest."""


class AuditEntry(Answer):
    """One entry."""

    seq: int
    ts: str
    actor_kind: str
    """`person`, `machine` or `nobody`."""
    actor: str | None
    """Null if it was erased."""
    action: str
    object: str
    data: dict[str, Any]
    private: dict[str, str | None]
    """Texts that may be about people; null if erased."""
    prev: str
    hash: str
    entry: str
    """What is hashed: SHA-256 over the bytes of `prev` and this text in UTF-8."""


class AuditPage(Answer):
    """A page of the log."""

    items: list[AuditEntry]
    next_cursor: str | None


class ExportAnswer(Answer):
    """A bundle that can be fetched. Its content is fixed; it is written while it is fetched."""

    id: int
    state: str
    """`ready`."""
    format: Format
    first: int
    last: int
    """One less than `first` if nothing is in it."""
    created_at: AwareDatetime
    url: str
    """Where to fetch it."""


class KeyAnswer(Answer):
    """A key that signs the log, or has signed it."""

    id: str
    algorithm: str
    public_key: str
    """PEM: for `incidentd audit verify --public-key`."""
    since: int
    """It was introduced behind this entry."""


class KeyList(Answer):
    """All of them, the newest last."""

    items: list[KeyAnswer]
    next_cursor: None


async def listed(call: Call) -> web.Response:
    """The log, oldest first."""
    query: AuditQuery = call.query
    start = query.cursor or query.after

    def read(tx: Tx) -> tuple[list[Sealed], dict[str, Opening]]:
        found = store.after(tx, start, query.limit + 1)
        wanted = {ref for sealed in found for ref in references(orjson.loads(sealed.entry))}
        return found, dict(store.openings(tx, sorted(wanted)))

    found, openings = await call.desk.context.store.read(read)
    shown = found[: query.limit]
    more = m.cursor_of(shown[-1].seq) if len(found) > query.limit else None
    return call.answer({"items": [_entry_json(each, openings) for each in shown], "next_cursor": more})


def _entry_json(sealed: Sealed, openings: dict[str, Opening]) -> dict[str, Any]:
    entry = orjson.loads(sealed.entry)
    who = entry["actor"]

    def told(ref: str) -> str | None:
        return openings[ref].value if ref in openings else None

    return {
        "seq": sealed.seq,
        "ts": entry["ts"],
        "actor_kind": who["kind"],
        "actor": told(who["ref"]) if "ref" in who else who["name"],
        "action": entry["action"],
        "object": entry["object"],
        "data": entry["data"],
        "private": {name: told(ref) for name, ref in entry["private"].items()},
        "prev": entry["prev"],
        "hash": sealed.hash,
        "entry": sealed.entry.decode(),
    }


async def ask(call: Call) -> web.Response:
    """Fix what a bundle holds."""
    _key(call)
    body: ExportBody = call.body
    context, actor = call.desk.context, call.identity.actor
    now, span = context.clock.now(), (body.from_, body.to)
    made = await context.store.write(lambda tx: workflow.ask_export(tx, body.format, span, actor, now))
    return call.answer(_export_json(made), 201, location=f"/api/v1/audit/exports/{made.id}")


async def detail(call: Call) -> web.Response:
    """What a bundle holds."""
    return call.answer(_export_json(await _export(call)))


async def download(call: Call) -> web.StreamResponse:
    """The bundle itself."""
    context, key = call.desk.context, _key(call)
    made = await _export(call)
    headers = call.desk.headers(call.request_id, "application/octet-stream")
    headers["Content-Disposition"] = f'attachment; filename="incidentd-audit-{made.id}.{made.form}"'
    response = web.StreamResponse(headers=headers)
    wanted = Wanted(
        "csv" if made.form == "csv" else "json",
        made.first,
        made.last,
        made.created_at,
        made.since,
        made.until,
    )
    desk = call.desk
    if desk.downloads >= _DOWNLOADS:
        raise LimitReached("the audit log is being fetched by others; come again")
    desk.downloads += 1
    try:
        await response.prepare(call.request)
        async for part in bundle(context.store, key, context.instance, wanted):
            async with asyncio.timeout(_WRITE_SECONDS):
                await response.write(part)
    except (ConnectionError, TimeoutError, StoreUnavailableError) as error:
        # What was sent has no last record, so nobody takes it for a whole bundle.
        log.warning("audit_download_broken", export=made.id, error=str(error))
        if call.request.transport is not None:
            call.request.transport.abort()
    finally:
        desk.downloads -= 1
    return response


async def _export(call: Call) -> Export:
    text = call.request.match_info["id"]
    found = None
    if text.isascii() and text.isdigit() and len(text) <= 18:
        found = await call.desk.context.store.read(lambda tx: audit_keys.export_by_id(tx, int(text)))
    if found is None:
        raise not_found("there is no such export")
    return found


def _key(call: Call) -> SigningKey:
    key = call.desk.context.audit_key
    if key is None:
        raise unavailable("there is no key to sign with yet")
    return key


def _export_json(made: Export) -> dict[str, Any]:
    return {
        "id": made.id,
        "state": "ready",
        "format": made.form,
        "first": made.first,
        "last": made.last,
        "created_at": made.created_at,
        "url": f"/api/v1/audit/exports/{made.id}/download",
    }


async def keys(call: Call) -> web.Response:
    """Every key that signs or has signed."""
    found = await call.desk.context.store.read(audit_keys.keys)
    items = [
        {"id": key.id, "algorithm": key.algorithm, "public_key": key.pem, "since": since}
        for since, key in found
    ]
    return call.answer({"items": items, "next_cursor": None})


_PATH: Final = "/api/v1/audit"
OPS: Final = (
    Op(
        ("GET",),
        _PATH,
        listed,
        Scope.ADMIN,
        "The audit log, oldest first",
        query=AuditQuery,
        returns=AuditPage,
    ),
    Op(
        ("GET",),
        f"{_PATH}/keys",
        keys,
        Scope.ADMIN,
        "The public keys that sign the audit log",
        query=m.NoQuery,
        returns=KeyList,
    ),
    Op(
        ("POST",),
        f"{_PATH}/exports",
        ask,
        Scope.ADMIN,
        "Ask for a signed bundle of the audit log",
        query=m.NoQuery,
        body=ExportBody,
        returns=ExportAnswer,
        status=201,
        refusals=(413, 415, 422),
    ),
    Op(
        ("GET",),
        f"{_PATH}/exports/{{id}}",
        detail,
        Scope.ADMIN,
        "What a bundle holds, and where to fetch it",
        query=m.NoQuery,
        returns=ExportAnswer,
        refusals=(404,),
    ),
    Op(
        ("GET",),
        f"{_PATH}/exports/{{id}}/download",
        download,
        Scope.ADMIN,
        "The bundle, as `incidentd audit verify` reads it",
        query=m.NoQuery,
        media="application/octet-stream",
        refusals=(404,),
    ),
)
