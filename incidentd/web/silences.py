"""Silences at the source, made from incidents: asked for, extended, ended and listed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from aiohttp import web

from incidentd.clock import random_id
from incidentd.config import Scope
from incidentd.domain import silence as domain
from incidentd.domain.incident import Incident
from incidentd.domain.silence import Policy, Silence, State
from incidentd.store import silences
from incidentd.store.engine import Tx
from incidentd.web import models as m
from incidentd.web.incidents import incident_id
from incidentd.web.models import cursor_of
from incidentd.web.op import Call, Op
from incidentd.web.problems import Problem, not_found
from incidentd.web.silence_models import (
    IncidentSilence,
    SilenceAnswer,
    SilenceBody,
    SilencePage,
    SilenceQuery,
)
from incidentd.workflows import silences as workflow
from incidentd.workflows.silences import Asked, Silenced


async def make(call: Call) -> web.Response:
    """Silence an incident's alerts at their source; answered after the commit, before any Alertmanager is asked."""
    body: SilenceBody = call.body
    context, number = call.desk.context, incident_id(call)
    rules, now = context.rules, context.clock.now()
    refused = rules.silencing.refused(body.for_)
    if refused is not None:
        errors = [{"at": "/for", "detail": refused}]
        raise Problem(422, "the body is not understood", members={"errors": errors})
    asked = Asked(body.for_, body.comment or "", call.identity.actor, random_id())
    return await _done(call, lambda tx: workflow.silence(tx, number, asked, rules, now))


async def end(call: Call) -> web.Response:
    """End the silence of an incident."""
    context, number, actor = call.desk.context, incident_id(call), call.identity.actor
    rules, now = context.rules, context.clock.now()
    return await _done(call, lambda tx: workflow.end(tx, number, actor, "", rules, now))


async def _done(call: Call, work: Callable[[Tx], Silenced]) -> web.Response:
    context = call.desk.context
    silenced = await context.store.write(work)
    if silenced.done.changes:
        context.changed(silenced.done.changes)
    shown = _incident_json(silenced.done.incident, silenced.silences, _policy(call), _now(call))
    return call.answer(shown)


async def of_incident(call: Call) -> web.Response:
    """The latest silence of an incident."""
    number = incident_id(call)

    def read(tx: Tx) -> tuple[list[Incident], list[Silence]]:
        return silences.incidents_of(tx, [number]), silences.of_incident(tx, number)

    found, known = await call.desk.context.store.read(read)
    if not found:
        raise not_found(f"there is no incident INC-{number}")
    return call.answer(_incident_json(found[0], domain.newest(known), _policy(call), _now(call)))


async def end_one(call: Call) -> web.Response:
    """End one by its number, whether or not its incident is still kept."""
    context, actor, text = call.desk.context, call.identity.actor, call.request.match_info["id"]
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise not_found("there is no such silence")
    number, rules, now = int(text), context.rules, context.clock.now()

    def write(tx: Tx) -> tuple[Silenced | Silence, Mapping[str, Any]]:
        ended = workflow.end_one(tx, number, actor, rules, now)
        one = silences.by_id(tx, number)
        assert one is not None  # noqa: S101 - it was there in this very transaction
        return ended, _json(one, _incidents(tx, [one]), rules.silencing, now)

    ended, shown = await context.store.write(write)
    if isinstance(ended, Silenced) and ended.done.changes:
        context.changed(ended.done.changes)
    return call.answer(shown)


async def listed(call: Call) -> web.Response:
    """Silences, newest first."""
    query: SilenceQuery = call.query
    policy, now = _policy(call), _now(call)
    states = tuple(State(state) for state in query.state)

    def read(tx: Tx) -> dict[str, Any]:
        if query.forgotten:
            live = [each for each in silences.live(tx) if query.incident in {None, each.incident_id}]
            known = _incidents(tx, live)
            items = [_json(each, known, policy, now) for each in reversed(live)]
            return {"items": [item for item in items if item["forgotten"]], "next_cursor": None}
        found = silences.search(
            tx, states=states, incident_id=query.incident, before=query.cursor, limit=query.limit + 1
        )
        page = found[: query.limit]
        known = _incidents(tx, page)
        more = cursor_of(page[-1].id) if len(found) > query.limit else None
        return {"items": [_json(each, known, policy, now) for each in page], "next_cursor": more}

    return call.answer(await call.desk.context.store.read(read))


def _policy(call: Call) -> Policy:
    return call.desk.context.rules.silencing


def _now(call: Call) -> datetime:
    return call.desk.context.clock.now()


def _incidents(tx: Tx, found: Sequence[Silence]) -> dict[int, Incident]:
    ids = sorted({each.incident_id for each in found})
    return {incident.id: incident for incident in silences.incidents_of(tx, ids)}


def _incident_json(
    incident: Incident, found: Sequence[Silence], policy: Policy, now: datetime
) -> dict[str, Any]:
    live = [each for each in found if each.state.live]
    return {
        "incident_id": incident.id,
        "ref": f"INC-{incident.id}",
        "standing": domain.standing(found),
        "settled": not any(
            each.state in {State.WANTED, State.EXPIRING} and not each.attempts for each in found
        ),
        "active": sum(each.state is State.ACTIVE for each in found),
        "alertmanagers": len(found),
        "matchers": [str(match) for match in found[0].matchers] if found else [],
        "ends_at": max((each.ends_at for each in live), default=None),
        "created_by": found[0].created_by if found else None,
        "items": [_json(each, {incident.id: incident}, policy, now) for each in found],
    }


def _json(one: Silence, known: Mapping[int, Incident], policy: Policy, now: datetime) -> dict[str, Any]:
    forgotten = domain.forgotten(one, known.get(one.incident_id), policy, now)
    return {
        "id": one.id,
        "incident_id": one.incident_id,
        "source": one.source,
        "alertmanager": one.alertmanager,
        "state": one.state.value,
        "silence_id": one.silence_id,
        "matchers": [str(match) for match in one.matchers],
        "starts_at": one.starts_at,
        "ends_at": one.ends_at,
        "created_by": one.created_by,
        "created_at": one.created_at,
        "comment": one.comment,
        "attempts": one.attempts,
        "next_attempt_at": one.next_attempt_at,
        "last_error": one.last_error,
        "warned_at": one.warned_at,
        "ended_at": one.ended_at,
        "ended_by": one.ended_by,
        "forgotten": None if forgotten is None else forgotten.value,
    }


_PATH: Final = "/api/v1/incidents/{id}/silence"
OPS: Final = (
    Op(
        ("GET",),
        _PATH,
        of_incident,
        Scope.READ,
        "The latest silence of an incident at its source",
        query=m.NoQuery,
        returns=IncidentSilence,
        refusals=(404,),
    ),
    Op(
        ("POST",),
        _PATH,
        make,
        Scope.RESPOND,
        "Silence an incident's alerts at their source, or let that end at another time",
        query=m.NoQuery,
        body=SilenceBody,
        returns=IncidentSilence,
        refusals=(404, 409, 413, 415, 422),
    ),
    Op(
        ("DELETE",),
        _PATH,
        end,
        Scope.RESPOND,
        "End the silence of an incident",
        query=m.NoQuery,
        returns=IncidentSilence,
        refusals=(404,),
    ),
    Op(
        ("GET",),
        "/api/v1/silences",
        listed,
        Scope.READ,
        "Silences at the source that were made here, newest first",
        query=SilenceQuery,
        returns=SilencePage,
    ),
    Op(
        ("DELETE",),
        "/api/v1/silences/{id}",
        end_one,
        Scope.RESPOND,
        "End one, also if its incident is not kept any more",
        query=m.NoQuery,
        returns=SilenceAnswer,
        refusals=(404,),
    ),
)
