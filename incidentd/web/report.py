"""The figures: how many incidents, and how fast they were acknowledged and repaired."""

from __future__ import annotations

from aiohttp import web

from incidentd.domain import figures
from incidentd.domain.duration import format_duration
from incidentd.store.incidents import facts_since
from incidentd.web.models import ReportQuery
from incidentd.web.op import Call
from incidentd.web.present import row_json


async def report(call: Call) -> web.Response:
    """What happened in a window up to now, in total, per severity and per service."""
    query: ReportQuery = call.query
    context = call.desk.context
    now = context.clock.now()
    since = now - query.window
    facts = await context.store.read(lambda tx: facts_since(tx, since, query.service))
    made = figures.report(facts, now, query.window)
    return call.answer(
        {
            "window": format_duration(query.window),
            "from": made.since,
            "to": made.until,
            "total": row_json(made.total),
            "by_severity": [{"severity": name, **row_json(row)} for name, row in made.by_severity.items()],
            "by_service": [{"service": name, **row_json(row)} for name, row in made.by_service.items()],
        }
    )
