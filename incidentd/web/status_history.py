"""Taking over what another status page told before: `incidentctl status import` sends it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Final

from aiohttp import web
from pydantic import Field

from incidentd.config import Scope
from incidentd.domain.status_page.facts import Affected, Maintenance, Publication, Update
from incidentd.domain.status_page.words import Level, Phase, Policy, Stage, State, Status
from incidentd.web import models as m
from incidentd.web.answers import Answer
from incidentd.web.op import Call, Op
from incidentd.web.problems import Problem
from incidentd.workflows import past
from incidentd.workflows.past import Past

Code = Annotated[str, Field(pattern="^[a-z0-9]{1,32}$")]
_ORIGIN: Final = "import"


class PastUpdate(m.Body):
    """One text."""

    id: Code
    status: m.Word
    body: Annotated[str, Field(min_length=1, max_length=20_000)]
    at: m.Instant
    affected: dict[Code, Annotated[list[Status], Field(min_length=2, max_length=2)]] = Field(
        default_factory=dict
    )
    """Component -> how it fared before and after."""


class PastEvent(m.Body):
    """What incidents and maintenances share."""

    id: Code
    """How the public knows it."""
    name: m.Title
    created_at: m.Instant
    updated_at: m.Instant
    components: list[Code] = Field(default_factory=list)
    """Ids."""
    updates: Annotated[list[PastUpdate], Field(min_length=1, max_length=500)]
    """The oldest first; the last one has the event's own status."""


class PastIncident(PastEvent):
    """An incident."""

    status: Phase
    impact: Level
    started_at: m.Instant
    monitoring_at: m.Instant | None = None
    resolved_at: m.Instant | None = None


class PastMaintenance(PastEvent):
    """A scheduled maintenance."""

    status: Stage
    scheduled_for: m.Instant
    scheduled_until: m.Instant
    started_at: m.Instant | None = None
    completed_at: m.Instant | None = None


class HistoryBody(m.Body):
    """A piece of the history."""

    incidents: Annotated[list[PastIncident], Field(max_length=500)] = Field(default_factory=list)
    maintenances: Annotated[list[PastMaintenance], Field(max_length=500)] = Field(default_factory=list)


class HistoryAnswer(Answer):
    """What came of it."""

    imported: list[str]
    known: list[str]
    """Were there already, and are left as they are."""


async def keep(call: Call) -> web.Response:
    """Take over what is not there yet."""
    context, body, actor = call.desk.context, call.body, call.identity.actor
    now = context.clock.now()
    events = [_incident(each, actor) for each in body.incidents]
    events += [_maintenance(each, actor) for each in body.maintenances]
    late = [each.event.code for each in events if any(update.at > now for update in each.updates)]
    if late:
        raise Problem(422, f"{late[0]} has a text of the future")
    kept = await context.store.write(lambda tx: past.keep(tx, context.rules.layout, events, actor, now))
    context.noted.ring()
    return call.answer({"imported": kept.imported, "known": kept.known})


def _incident(given: PastIncident, actor: str) -> Past:
    last = given.updates[-1].affected
    over = given.status.over
    effects = {c: Status.OPERATIONAL if over or c not in last else last[c][1] for c in given.components}
    known = Publication(
        id=0,
        code=given.id,
        state=State.PUBLISHED,
        title=given.name,
        phase=given.status,
        policy=Policy.APPROVE,
        created_at=given.created_at,
        started_at=min(given.started_at, given.created_at),
        updated_at=max(given.updated_at, given.created_at),
        effects=effects,
        impact=given.impact,
        published_at=given.created_at,
        monitoring_at=given.monitoring_at,
        resolved_at=(given.resolved_at or given.updated_at) if over else None,
    )
    return Past(known, _updates(given, given.status.value, list(Phase), actor))


def _maintenance(given: PastMaintenance, actor: str) -> Past:
    if given.scheduled_until <= given.scheduled_for:
        raise Problem(422, f"{given.id} ends before it begins")
    known = Maintenance(
        id=0,
        code=given.id,
        title=given.name,
        stage=given.status,
        components=tuple(given.components),
        scheduled_for=given.scheduled_for,
        scheduled_until=given.scheduled_until,
        created_at=given.created_at,
        created_by=actor,
        updated_at=max(given.updated_at, given.created_at),
        started_at=given.started_at,
        completed_at=given.completed_at,
        starts=_naive(given.scheduled_for),
    )
    return Past(known, _updates(given, given.status.value, list(Stage), actor))


def _naive(at: datetime) -> str:
    return at.replace(tzinfo=None).isoformat()


def _updates(given: PastEvent, status: str, words: Collection[str], actor: str) -> tuple[Update, ...]:
    if any(each.status not in words for each in given.updates):
        raise Problem(422, f"{given.id} has an update whose status is none of {', '.join(words)}")
    if given.updates[-1].status != status:
        raise Problem(422, f"{given.id} is {status}, but its last update is not")
    return tuple(
        [
            Update(
                code=each.id,
                owner=given.id,
                revision=1,
                status=each.status,
                body=each.body,
                at=each.at,
                author=actor,
                origin=_ORIGIN,
                affected=tuple([Affected(c, old, new) for c, (old, new) in each.affected.items()]),
            )
            for each in given.updates
        ]
    )


OPS: Final = (
    Op(
        ("POST",), "/api/v1/status/history", keep, Scope.ADMIN, "Take over what another status page told before",
        query=m.NoQuery, body=HistoryBody, returns=HistoryAnswer, refusals=(413, 415, 422),
    ),
)  # fmt: skip
