"""Explanations: why an incident is as it is, what became of an alert, why somebody was not told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, Final

from aiohttp import web
from pydantic import AfterValidator, AwareDatetime, Field

from incidentd.config import Scope
from incidentd.domain.explain import Kind, Statement
from incidentd.fields import Duration
from incidentd.web.answers import Answer
from incidentd.web.incidents import incident_id
from incidentd.web.models import NoQuery, Query, Word
from incidentd.web.oncall import Moment
from incidentd.web.op import Call, Op
from incidentd.web.present import Json
from incidentd.web.problems import Problem
from incidentd.workflows.explain import why
from incidentd.workflows.explain_alert import why_alert
from incidentd.workflows.explain_why_not import Kept, Question, TimeRefusedError, why_not

_MOST_AROUND: Final = timedelta(days=1)


def _around(value: timedelta) -> timedelta:
    if not timedelta() < value <= _MOST_AROUND:
        raise ValueError("is not above zero and at most 1d")
    return value


class AlertWhyQuery(Query):
    """Which alert."""

    source: Word | None = None
    """Of this source; absent: of any."""


class WhyNotQuery(Query):
    """Who was not told, and when."""

    user: Annotated[str, Field(min_length=1, max_length=256)]
    """A name under `users`."""
    at: Moment
    """When they should have been told; not in the future."""
    around: Annotated[Duration, AfterValidator(_around)] = timedelta(minutes=30)
    """How far before and after to look, such as `30m`; at most `1d`."""


class StatementAnswer(Answer):
    """One sentence of an explanation."""

    at: AwareDatetime | None
    """When it happened, or will."""
    kind: Kind
    text: str
    because: str
    """The reason in one word."""
    data: dict[str, Any]
    """What the sentence is made of."""


class WhyAnswer(Answer):
    """Why an incident is as it is."""

    id: int
    ref: str
    title: str
    statements: list[StatementAnswer]


class AlertWhyAnswer(Answer):
    """What became of an alert."""

    fingerprint: str
    verdict: str
    statements: list[StatementAnswer]


class WhyNotAnswer(Answer):
    """Why somebody was, or was not, told."""

    user: str
    at: AwareDatetime
    since: AwareDatetime
    until: AwareDatetime
    incidents: list[int]
    verdict: str
    statements: list[StatementAnswer]


def _statements(found: Sequence[Statement]) -> list[Json]:
    return [
        {"at": s.at, "kind": s.kind.value, "text": s.text, "because": s.because, "data": dict(s.data)}
        for s in found
    ]


async def of_incident(call: Call) -> web.Response:
    """Why an incident is as it is."""
    context, number = call.desk.context, incident_id(call)
    now, kept = context.clock.now(), context.config.retention.deliveries
    found = await context.store.read(lambda tx: why(tx, number, now, kept))
    incident = found.incident
    told = {"id": incident.id, "ref": f"INC-{incident.id}", "title": incident.title}
    return call.answer({**told, "statements": _statements(found.statements)})


async def of_alert(call: Call) -> web.Response:
    """What became of an alert."""
    query: AlertWhyQuery = call.query
    context, fingerprint = call.desk.context, call.request.match_info["fingerprint"]
    sources = [query.source] if query.source is not None else list(context.config.sources)
    now = context.clock.now()
    found = await context.store.read(lambda tx: why_alert(tx, sources, fingerprint, now))
    told = {"fingerprint": fingerprint, "verdict": found[-1].text}
    return call.answer({**told, "statements": _statements(found)})


async def of_absence(call: Call) -> web.Response:
    """Why somebody was, or was not, told."""
    query: WhyNotQuery = call.query
    context = call.desk.context
    rules, now, retention = context.rules, context.clock.now(), context.config.retention
    asked = Question(query.user, query.at, query.around)
    kept = Kept(retention.incidents, retention.deliveries)
    try:
        found = await context.store.read(lambda tx: why_not(tx, asked, rules, kept, now))
    except TimeRefusedError as refused:
        members = {"errors": [{"at": "?at", "detail": str(refused)}]}
        raise Problem(400, "the query is not understood", members=members) from None
    return call.answer(
        {
            "user": query.user,
            "at": query.at,
            "since": found.since,
            "until": found.until,
            "incidents": list(found.incidents),
            "verdict": found.statements[-1].text,
            "statements": _statements(found.statements),
        }
    )


_read = partial(Op, ("GET",), access=Scope.READ)

OPS: Final[tuple[Op, ...]] = (
    _read(
        path="/api/v1/incidents/{id}/why",
        handler=of_incident,
        query=NoQuery,
        returns=WhyAnswer,
        refusals=(404,),
        summary="Why an incident is as it is: grouping, severity, route, policy, who was told and who was not",
    ),
    _read(
        path="/api/v1/alerts/{fingerprint}/why",
        handler=of_alert,
        query=AlertWhyQuery,
        returns=AlertWhyAnswer,
        refusals=(404,),
        summary="Which incident an alert belongs to and why, or why to none",
    ),
    _read(
        path="/api/v1/why-not",
        handler=of_absence,
        query=WhyNotQuery,
        returns=WhyNotAnswer,
        refusals=(404,),
        summary="Why a user was, or was not, told of anything around a time",
    ),
)
"""Explanations."""
