"""Incidents: what they are, and what people do to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from aiohttp import web

from incidentd.config.explain import nearest
from incidentd.domain import response
from incidentd.domain.incident import Incident, State
from incidentd.store import alert_views, escalations, reconcile, runbooks, timeline
from incidentd.store import deliveries as delivery_store
from incidentd.store import incidents as incident_store
from incidentd.store.engine import Tx
from incidentd.store.incidents import Search
from incidentd.web.access import only_theirs
from incidentd.web.context import Context
from incidentd.web.identity import Identity
from incidentd.web.models import (
    AssignBody,
    CommentBody,
    DeclareBody,
    IncidentQuery,
    NoteBody,
    PageQuery,
    ResolveBody,
    SnoozeBody,
    incident_number,
)
from incidentd.web.op import Call
from incidentd.web.present import Json, detail_json, entry_json, incident_json, page_json, with_source
from incidentd.web.problems import Problem, not_found
from incidentd.workflows import escalate as workflow
from incidentd.workflows import objectives, respond
from incidentd.workflows.escalate import Assignment, UnknownUserError
from incidentd.workflows.respond import Decide, Declaration, Done

_DETAIL_LIMIT = 500
"""Alerts and deliveries shown in the detail; the lists have them all."""


def incident_id(call: Call) -> int:
    """The incident in the path, given as 12 or INC-12. Raises 404 for anything else."""
    number = incident_number(call.request.match_info["id"])
    if number is None:
        raise not_found("there is no such incident")
    return number


def _url(call: Call) -> str:
    return call.desk.context.config.server.public_url


async def search(call: Call) -> web.Response:
    """Incidents, newest first."""
    query: IncidentQuery = call.query
    wanted = Search(
        states=tuple(State(state) for state in query.state),
        severity=query.severity,
        service=query.service,
        text=query.q,
        since=query.since,
        acknowledged_by=query.acknowledged_by,
        before=query.cursor,
        limit=query.limit + 1,
    )

    def read(tx: Tx) -> tuple[list[Incident], dict[int, Json]]:
        found = _search(tx, wanted, call.identity)
        return found, _shown(tx, found, url)

    url = _url(call)
    found, shown = await call.desk.context.store.read(read)
    return call.answer(page_json(found, query.limit, lambda i: i.id, lambda i: shown[i.id]))


def _search(tx: Tx, wanted: Search, who: Identity) -> list[Incident]:
    if who.teams is None:
        return incident_store.search(tx, wanted)
    return only_theirs(
        lambda before, limit: incident_store.search(tx, replace(wanted, before=before, limit=limit)),
        lambda incident: who.sees(incident.labels),
        lambda incident: incident.id,
        wanted.before,
        wanted.limit,
    )


def _shown(tx: Tx, found: Sequence[Incident], url: str) -> dict[int, Json]:
    """Incidents in JSON, by id."""
    ids = [incident.id for incident in found]
    climbs, views, progress = escalations.of(tx, ids), reconcile.at_source(tx, ids), runbooks.of(tx, ids)
    return {
        i.id: with_source(incident_json(i, url, climbs.get(i.id), progress.get(i.id)), views.get(i.id))
        for i in found
    }


async def detail(call: Call) -> web.Response:
    """One incident with its alerts and deliveries."""
    number, context = incident_id(call), call.desk.context
    return call.answer(await context.store.read(lambda tx: _detail(tx, number, context)))


def _find(tx: Tx, number: int) -> Incident | None:
    # Loading by id takes a row lock, which is for those who will write.
    found = incident_store.search(tx, Search(before=number + 1, limit=1))
    return found[0] if found and found[0].id == number else None


def _detail(tx: Tx, number: int, context: Context) -> Json:
    incident = _find(tx, number)
    if incident is None:
        raise not_found(f"there is no incident INC-{number}")
    alerts = alert_views.of_incident(tx, number, _DETAIL_LIMIT)
    told = delivery_store.search(
        tx, state=None, incident_id=number, channel=None, before=None, limit=_DETAIL_LIMIT
    )
    climbing, progress = escalations.of(tx, [number]).get(number), runbooks.of(tx, [number]).get(number)
    said = timeline.last_comment(tx, number, "acknowledged") if incident.acknowledged_by else ""
    shown = detail_json(incident, alerts, told, context.config.server.public_url, climbing, said, progress)
    spent = objectives.debited(tx, context.rules, incident, context.clock.now())
    shown["budget_debits"] = [{"slo": o.name, "seconds": d.seconds, "share": d.share} for o, d in spent]
    return with_source(shown, reconcile.at_source(tx, [number]).get(number))


async def timeline_of(call: Call) -> web.Response:
    """What happened, in order."""
    query: PageQuery = call.query
    number = incident_id(call)

    def read(tx: Tx) -> list[timeline.StoredEntry]:
        if _find(tx, number) is None:
            raise not_found(f"there is no incident INC-{number}")
        return timeline.of_incident(tx, number, query.cursor or 0, query.limit + 1)

    found = await call.desk.context.store.read(read)
    return call.answer(page_json(found, query.limit, lambda e: e.seq, entry_json))


async def _done(call: Call, work: Callable[[Tx], Done], status: int = 200) -> web.Response:
    """Run an action, tell those who wait for changes, and answer the incident as it is now."""
    context = call.desk.context

    def write(tx: Tx) -> tuple[Done, Json]:
        done = work(tx)
        return done, _shown(tx, [done.incident], url)[done.incident.id]

    url = _url(call)
    done, shown = await context.store.write(write)
    if done.changes:
        context.changed(done.changes)
    location = f"/api/v1/incidents/{done.incident.id}" if status == 201 else None
    return call.answer(shown, status, location=location)


async def _act(call: Call, decide: Decide) -> web.Response:
    context, number = call.desk.context, incident_id(call)
    rules, now = context.rules, context.clock.now()
    return await _done(call, lambda tx: respond.act(tx, number, decide, rules, now))


def _comment(body: CommentBody) -> str:
    return body.comment or ""


async def declare(call: Call) -> web.Response:
    """Open an incident by hand."""
    body: DeclareBody = call.body
    declared = Declaration(
        body.title, body.severity, body.service or "", body.description or "", call.identity.actor
    )
    context = call.desk.context
    rules, now = context.rules, context.clock.now()
    return await _done(call, lambda tx: respond.declare(tx, declared, rules, now), 201)


async def acknowledge(call: Call) -> web.Response:
    """Take ownership."""
    actor, comment, now = call.identity.actor, _comment(call.body), call.desk.context.clock.now()
    return await _act(call, lambda i: response.acknowledge(i, actor, comment, now))


async def unacknowledge(call: Call) -> web.Response:
    """Give it back."""
    actor, comment = call.identity.actor, _comment(call.body)
    return await _act(call, lambda i: response.unacknowledge(i, actor, comment))


async def resolve(call: Call) -> web.Response:
    """Declare it over."""
    body: ResolveBody = call.body
    actor, now = call.identity.actor, call.desk.context.clock.now()
    return await _act(call, lambda i: response.resolve(i, actor, _comment(body), now, force=body.force))


async def reopen(call: Call) -> web.Response:
    """It is not over."""
    context, number = call.desk.context, incident_id(call)
    actor, comment, rules, now = call.identity.actor, _comment(call.body), context.rules, context.clock.now()
    return await _done(call, lambda tx: respond.reopen(tx, number, actor, comment, rules, now))


async def snooze(call: Call) -> web.Response:
    """Silence it for a while."""
    body: SnoozeBody = call.body
    actor, until = call.identity.actor, call.desk.context.clock.now() + body.for_
    return await _act(call, lambda i: response.snooze(i, actor, _comment(body), until))


async def note(call: Call) -> web.Response:
    """Write a line into its timeline."""
    body: NoteBody = call.body
    context, number = call.desk.context, incident_id(call)
    actor, rules, now = call.identity.actor, context.rules, context.clock.now()
    return await _done(call, lambda tx: respond.note(tx, number, actor, body.text, rules, now))


async def escalate(call: Call) -> web.Response:
    """Tell the next ones now."""
    context, number = call.desk.context, incident_id(call)
    actor, rules, now = call.identity.actor, context.rules, context.clock.now()
    return await _done(call, lambda tx: workflow.escalate(tx, number, actor, rules, now))


async def assign(call: Call) -> web.Response:
    """Ask somebody to work on it."""
    body: AssignBody = call.body
    context, number = call.desk.context, incident_id(call)
    rules, now = context.rules, context.clock.now()
    wanted = Assignment(body.user, call.identity.actor, _comment(body))
    try:
        return await _done(call, lambda tx: workflow.assign(tx, number, wanted, rules, now))
    except UnknownUserError:
        detail = f"is no configured user{nearest(body.user, rules.paging.people)}"
        members = {"errors": [{"at": "/user", "detail": detail}]}
        raise Problem(422, "the body is not understood", members=members) from None
