"""Alerts as last received, and those that could not be understood."""

from __future__ import annotations

from aiohttp import web

from incidentd.domain.notification import AlertView
from incidentd.store import alert_views, quarantine
from incidentd.store.engine import Tx
from incidentd.web.access import only_theirs
from incidentd.web.models import AlertQuery, PageQuery
from incidentd.web.op import Call
from incidentd.web.present import alert_json, page_json, quarantined_json

Row = tuple[int, AlertView, int | None]


async def search(call: Call) -> web.Response:
    """Alerts, newest first."""
    query: AlertQuery = call.query
    who = call.identity

    def page(tx: Tx, before: int | None, limit: int) -> list[Row]:
        return alert_views.search(
            tx,
            status=query.status,
            source=query.source,
            fingerprint=query.fingerprint,
            incident_id=query.incident,
            before=before,
            limit=limit,
        )

    def read(tx: Tx) -> list[Row]:
        if who.teams is None:
            return page(tx, query.cursor, query.limit + 1)
        return only_theirs(
            lambda before, limit: page(tx, before, limit),
            lambda row: who.sees(row[1].labels),
            lambda row: row[0],
            query.cursor,
            query.limit + 1,
        )

    found = await call.desk.context.store.read(read)
    return call.answer(
        page_json(found, query.limit, lambda row: row[0], lambda row: alert_json(row[1], row[2]))
    )


async def quarantined(call: Call) -> web.Response:
    """What was set aside, newest first."""
    query: PageQuery = call.query
    found = await call.desk.context.store.read(
        lambda tx: quarantine.search(tx, before=query.cursor, limit=query.limit + 1)
    )
    return call.answer(page_json(found, query.limit, lambda item: item.id, quarantined_json))
