"""Deliveries: who was told what, and another try for those that were given up."""

from __future__ import annotations

from aiohttp import web

from incidentd.store import deliveries as delivery_store
from incidentd.web.models import DeliveryQuery
from incidentd.web.op import Call
from incidentd.web.present import delivery_json, page_json
from incidentd.web.problems import Problem, not_found
from incidentd.workflows import audit
from incidentd.workflows.respond import retry_delivery


def _delivery_id(call: Call) -> int:
    text = call.request.match_info["id"]
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise not_found("there is no such delivery")
    return int(text)


async def search(call: Call) -> web.Response:
    """Deliveries, newest first."""
    query: DeliveryQuery = call.query
    found = await call.desk.context.store.read(
        lambda tx: delivery_store.search(
            tx,
            state=query.state,
            incident_id=query.incident,
            channel=query.channel,
            before=query.cursor,
            limit=query.limit + 1,
        )
    )
    return call.answer(page_json(found, query.limit, lambda delivery: delivery.id, delivery_json))


async def detail(call: Call) -> web.Response:
    """One delivery."""
    number = _delivery_id(call)
    found = await call.desk.context.store.read(lambda tx: delivery_store.by_id(tx, number))
    if found is None:
        raise not_found(f"there is no delivery {number}")
    return call.answer(delivery_json(found))


async def retry(call: Call) -> web.Response:
    """Put a dead delivery back into its lane."""
    context, number, actor = call.desk.context, _delivery_id(call), call.identity.actor
    rules, now = context.rules, context.clock.now()
    revived = await context.store.write(lambda tx: retry_delivery(tx, number, actor, rules, now))
    context.changed(())
    return call.answer(delivery_json(revived))


async def reload(call: Call) -> web.Response:
    """Read the configuration again; a bad one is refused and the running one stays."""
    context = call.desk.context
    problems = await context.reload()
    await audit.reloaded(
        context.store, context.config_path, call.identity.actor, problems, context.clock.now()
    )
    if problems:
        places = [{"at": "", "detail": problem} for problem in problems]
        raise Problem(422, "the configuration is refused; the running one stays", members={"errors": places})
    return call.answer({"status": "reloaded"})
