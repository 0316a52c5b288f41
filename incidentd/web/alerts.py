"""Alerts as last received, and those that could not be understood."""

from __future__ import annotations

from aiohttp import web

from incidentd.store import alert_views, quarantine
from incidentd.web.models import AlertQuery, PageQuery
from incidentd.web.op import Call
from incidentd.web.present import alert_json, page_json, quarantined_json


async def search(call: Call) -> web.Response:
    """Alerts, newest first."""
    query: AlertQuery = call.query
    found = await call.desk.context.store.read(
        lambda tx: alert_views.search(
            tx,
            status=query.status,
            source=query.source,
            fingerprint=query.fingerprint,
            incident_id=query.incident,
            before=query.cursor,
            limit=query.limit + 1,
        )
    )
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
