"""Drills: asked for by people, listed with the planned ones, and what was last proven to work."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from aiohttp import web
from pydantic import AfterValidator, AwareDatetime, Field

from incidentd.clock import random_id
from incidentd.config import Scope
from incidentd.config.escalation import TargetText
from incidentd.config.explain import nearest
from incidentd.domain.drill import Drill, Fate, Page, State
from incidentd.domain.escalation import Kind, Target, parse_target
from incidentd.domain.severity import Severity
from incidentd.fields import Duration
from incidentd.store import drills as store
from incidentd.store import proofs as proof_store
from incidentd.store.engine import Tx
from incidentd.store.proofs import Proof
from incidentd.web import models as m
from incidentd.web.answers import Answer
from incidentd.web.context import Context
from incidentd.web.op import Call, Op
from incidentd.web.present import page_json
from incidentd.web.problems import Problem, not_found
from incidentd.workflows import drills as workflow
from incidentd.workflows.drills import Shown, show

_MICROSECOND: Final = timedelta(microseconds=1)
_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_LONGEST: Final = timedelta(hours=1)


def _bounded(value: timedelta) -> timedelta:
    if not timedelta() < value <= _LONGEST:
        raise ValueError("is not above zero and at most 1h")
    return value


class DrillBody(m.Body):
    """A drill to come: the alert that carries its labels is it."""

    severity: Severity = Severity.CRITICAL
    """Of its alert."""
    service: m.Word = ""
    """Label `service` of its alert."""
    notify: Annotated[list[TargetText] | None, Field(min_length=1, max_length=50)] = None
    """`channel:NAME`, `user:NAME`, `schedule:NAME` or a channel's name, in the place of the route."""
    wait: Annotated[Duration, AfterValidator(_bounded)] = timedelta(minutes=1)
    """By then every page must have been accepted; at most `1h`."""


class PageAnswer(Answer):
    """One page of a drill, hop by hop."""

    channel: str
    target: str
    person: str | None
    outcome: Fate
    attempts: int
    queued_at: AwareDatetime
    first_attempt_at: AwareDatetime | None
    accepted_at: AwareDatetime | None
    """When the vendor took it."""
    error: str | None


class DrillAnswer(Answer):
    """One drill and what it has shown so far."""

    id: str
    name: str | None
    """Of a planned one: its key under `drills`."""
    requested_by: str
    severity: Severity
    service: str
    notify: list[str] | None
    state: State
    reasons: list[str]
    """Why it failed."""
    labels: dict[str, str]
    """Of its alert."""
    annotations: dict[str, str]
    registered_at: AwareDatetime
    deadline_at: AwareDatetime
    due_at: AwareDatetime | None
    received_at: AwareDatetime | None
    """When its alert was taken and its incident opened: one instant, for both are one transaction."""
    incident_id: int | None
    resolved_at: AwareDatetime | None
    finished_at: AwareDatetime | None
    """From then on its state is final."""
    pages: list[PageAnswer]


class DrillPage(Answer):
    """A page of drills."""

    items: list[DrillAnswer]
    next_cursor: str | None


class ProofAnswer(Answer):
    """When something was last proven to work."""

    kind: proof_store.Kind
    name: str
    delivered_at: AwareDatetime | None
    """A vendor accepted a page over this channel, or for this person; null: never."""
    incident_id: int | None
    """What that page was about."""
    drill: bool | None
    """It was a drill."""
    acknowledged_at: AwareDatetime | None
    """The person acknowledged something."""


class ProofList(Answer):
    """Every configured channel and person."""

    items: list[ProofAnswer]
    next_cursor: None


async def ask(call: Call) -> web.Response:
    """Ask for a drill: the answer has the labels of the alert to send."""
    context, body = call.desk.context, call.body
    now = context.clock.now()
    targets = None if body.notify is None else tuple(parse_target(text) for text in body.notify)
    _refuse_unknown(context, targets or ())
    drill = Drill(
        id=random_id()[:12],
        name=None,
        requested_by=call.identity.actor,
        severity=body.severity,
        service=body.service,
        source=context.config.default_source,
        targets=targets,
        registered_at=now,
        deadline_at=now + body.wait,
    )
    await context.store.write(lambda tx: workflow.ask(tx, drill))
    shown = await context.store.read(lambda tx: show(tx, drill, now))
    return call.answer(_json(shown, now), 201, location=f"/api/v1/drills/{drill.id}")


def _refuse_unknown(context: Context, targets: tuple[Target, ...]) -> None:
    config = context.config
    known = {Kind.CHANNEL: config.channels, Kind.USER: config.users, Kind.SCHEDULE: config.schedules}
    wrong = [
        {
            "at": f"/notify/{index}",
            "detail": f"is no configured {target.kind}{nearest(target.name, known[target.kind])}",
        }
        for index, target in enumerate(targets)
        if target.name not in known[target.kind]
    ]
    if wrong:
        raise Problem(422, "the body is not understood", members={"errors": wrong})


async def detail(call: Call) -> web.Response:
    """One drill."""
    context, identity = call.desk.context, call.request.match_info["id"]
    now = context.clock.now()

    def work(tx: Tx) -> Shown | None:
        drill = store.by_id(tx, identity)
        return None if drill is None else show(tx, drill, now)

    shown = await context.store.read(work)
    if shown is None:
        raise not_found("there is no such drill")
    return call.answer(_json(shown, now))


async def listed(call: Call) -> web.Response:
    """Drills, newest first."""
    query: m.PageQuery = call.query
    context = call.desk.context
    now = context.clock.now()
    before = None if query.cursor is None else _EPOCH + query.cursor * _MICROSECOND

    def work(tx: Tx) -> list[Shown]:
        return [show(tx, drill, now) for drill in store.search(tx, before, query.limit + 1)]

    found = await context.store.read(work)
    return call.answer(
        page_json(
            found,
            query.limit,
            lambda shown: (shown.drill.registered_at - _EPOCH) // _MICROSECOND,
            lambda shown: _json(shown, now),
        )
    )


async def proofs(call: Call) -> web.Response:
    """When each configured channel and person was last proven to be reachable."""
    context = call.desk.context
    found = await context.store.read(proof_store.all_of)
    config = context.config
    named = [(proof_store.Kind.CHANNEL, name) for name in sorted(config.channels)]
    named += [(proof_store.Kind.PERSON, name) for name in sorted(config.users)]
    items = [_proof_json(found.get(key) or Proof(*key, None, None, None, None)) for key in named]
    return call.answer({"items": items, "next_cursor": None})


def _proof_json(proof: Proof) -> dict[str, Any]:
    return {
        "kind": proof.kind.value,
        "name": proof.name,
        "delivered_at": proof.delivered_at,
        "incident_id": proof.incident_id,
        "drill": proof.drill,
        "acknowledged_at": proof.acknowledged_at,
    }


def _json(shown: Shown, now: datetime) -> dict[str, Any]:
    drill, judged = shown.drill, shown.judgement
    return {
        "id": drill.id,
        "name": drill.name,
        "requested_by": drill.requested_by,
        "severity": drill.severity.value,
        "service": drill.service,
        "notify": None if drill.targets is None else [str(target) for target in drill.targets],
        "state": judged.state.value,
        "reasons": list(judged.reasons),
        "labels": drill.labels,
        "annotations": drill.annotations,
        "registered_at": drill.registered_at,
        "deadline_at": drill.deadline_at,
        "due_at": drill.due_at,
        "received_at": drill.received_at,
        "incident_id": drill.incident_id,
        "resolved_at": drill.resolved_at,
        "finished_at": drill.finished_at,
        "pages": [_page_json(page, now) for page in shown.pages],
    }


def _page_json(page: Page, now: datetime) -> dict[str, Any]:
    return {
        "channel": page.channel,
        "target": page.target,
        "person": page.person,
        "outcome": page.fate(now).value,
        "attempts": page.attempts,
        "queued_at": page.queued_at,
        "first_attempt_at": page.first_attempt_at,
        "accepted_at": page.accepted_at,
        "error": page.why or None,
    }


_PATH: Final = "/api/v1/drills"
OPS: Final = (
    Op(("GET",), _PATH, listed, Scope.READ, "Drills, newest first", query=m.PageQuery, returns=DrillPage),
    Op(
        ("POST",),
        _PATH,
        ask,
        Scope.RESPOND,
        "Ask for a drill; then send the alert with the labels in the answer",
        query=m.NoQuery,
        body=DrillBody,
        returns=DrillAnswer,
        status=201,
        refusals=(413, 415, 422),
    ),
    Op(
        ("GET",),
        f"{_PATH}/{{id}}",
        detail,
        Scope.READ,
        "One drill: what it has shown so far, page by page",
        query=m.NoQuery,
        returns=DrillAnswer,
        refusals=(404,),
    ),
    Op(
        ("GET",),
        "/api/v1/proofs",
        proofs,
        Scope.READ,
        "When each channel and person was last proven to be reachable",
        query=m.NoQuery,
        returns=ProofList,
    ),
)
