"""Deployments: what pipelines tell of them, answered after the commit, and what is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from aiohttp import web
from pydantic import AfterValidator, AwareDatetime, Field, ValidationInfo, field_validator

from incidentd.channels.announcing import audience
from incidentd.domain.deployment import Deployment, DeploymentStatus, Filing
from incidentd.domain.dora import lead_time
from incidentd.ingest.deployments import told
from incidentd.store import deployments as deployment_store
from incidentd.store.deployments import Stored
from incidentd.web.answers import Answer
from incidentd.web.context import Context
from incidentd.web.headers import JSON
from incidentd.web.inputs import parse, read_data
from incidentd.web.models import Body, Instant, PageQuery, Query, Title, Word
from incidentd.web.op import Call
from incidentd.web.present import Json, page_json
from incidentd.web.problems import Problem
from incidentd.workflows import deployments

_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_AHEAD: Final = timedelta(minutes=10)
"""So far a sender's clock may be ahead of ours."""


def _known_time(value: datetime) -> datetime:
    # Go writes the year 1 for a time that was never set.
    if value < _EARLIEST:
        raise ValueError("is before the year 2000; accepted: null, or no such key, while it is not known")
    return value


Name = Annotated[Title, Field(max_length=256)]
Moment = Annotated[Instant, AfterValidator(_known_time)]


class DeploymentBody(Body):
    """A deployment; posted again under its id when it has ended."""

    id: Name
    """The sender's own name for it."""
    service: Name
    """What was deployed."""
    environment: Name
    """Where."""
    version: Name
    """Which."""
    commit_time: Moment | None = None
    """When the change was committed."""
    started_at: Moment
    """When the deployment began."""
    finished_at: Moment | None = None
    """When it ended; none while it runs."""
    status: DeploymentStatus | None = Field(default=None, validate_default=True)
    """How it ended; none while it runs."""

    @field_validator("finished_at")
    @classmethod
    def _after_its_start(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        started = info.data.get("started_at")
        if value is not None and started is not None and value < started:
            raise ValueError("is before started_at")
        return value

    @field_validator("status")
    @classmethod
    def _with_its_end(cls, value: DeploymentStatus | None, info: ValidationInfo) -> DeploymentStatus | None:
        # Where finished_at is itself wrong, that is what there is to say.
        if "finished_at" in info.data and (value is None) != (info.data["finished_at"] is None):
            raise ValueError("comes together with finished_at; while it runs there is neither")
        return value


class PostQuery(Query):
    """How to read what a vendor posts."""

    service: Word | None = None
    """What the project of GitHub's or GitLab's event is called here; by default its own name."""


class DeploymentQuery(PageQuery):
    """Which deployments. Every given parameter must match."""

    service: Word | None = None
    """Exactly this service."""
    environment: Word | None = None
    """Exactly this environment."""
    since: Instant | None = None
    """Started then or later."""


class DeploymentAnswer(Answer):
    """One deployment."""

    id: str
    source: str
    service: str
    environment: str
    version: str
    status: DeploymentStatus | None
    commit_time: AwareDatetime | None
    started_at: AwareDatetime
    finished_at: AwareDatetime | None


class DeploymentPage(Answer):
    """A page of deployments."""

    items: list[DeploymentAnswer]
    next_cursor: str | None


async def post(call: Call) -> web.Response:
    """Take what a pipeline, GitHub or GitLab tells; the same again changes nothing."""
    context = call.desk.context
    event = told(await read_data(call.request), call.query.service)
    if event.ignored:
        return web.Response(status=204, headers=call.desk.headers(call.request_id, JSON))
    body = parse(DeploymentBody, event.body)
    now = context.clock.now()
    _not_in_the_future(body, now)
    posted = Deployment(
        source=call.identity.source or context.config.default_source,
        id=body.id,
        service=body.service,
        environment=body.environment,
        version=body.version,
        status=body.status,
        commit_time=body.commit_time,
        started_at=body.started_at,
        finished_at=body.finished_at,
    )
    hearing = audience(context.config.channels, posted.service)
    actor = call.identity.actor
    taken = await context.store.write(
        lambda tx: deployments.take(
            tx, posted, hearing, context.rules, actor, now, start_known=event.start_known
        )
    )
    filed, known = taken.filed, taken.filed.deployment
    if filed.filing is Filing.CONFLICT:
        detail = "another deployment has this id; of a known one only status and finished_at may change"
        raise Problem(409, detail, members={"reason": filed.filing.value})
    _count(context, taken)
    if taken.changes or (filed.finished_now and hearing):
        context.changed(taken.changes)
    return call.answer(_json(known))


def _count(context: Context, taken: deployments.Taken) -> None:
    metrics, known = context.metrics, taken.filed.deployment
    environment = metrics.environment(known.environment)
    if taken.filed.finished_now and known.status is not None:
        metrics.deployments.labels(environment, known.status.value).inc()
        took = lead_time(known)
        if took is not None:
            metrics.lead_time_seconds.labels(environment).observe(took.total_seconds())
    if taken.failed is not None:
        metrics.change_failures.labels(environment, taken.failed.value).inc()


def _not_in_the_future(body: DeploymentBody, now: datetime) -> None:
    times = {"commit_time": body.commit_time, "started_at": body.started_at, "finished_at": body.finished_at}
    wrong = [name for name, at in times.items() if at is not None and at > now + _AHEAD]
    if wrong:
        what = "is in the future: the sender's clock, or this one's, is wrong"
        places = [{"at": f"/{name}", "detail": what} for name in wrong]
        raise Problem(422, "the body is not understood", members={"errors": places})


async def search(call: Call) -> web.Response:
    """Deployments, newest first."""
    query: DeploymentQuery = call.query
    found = await call.desk.context.store.read(
        lambda tx: deployment_store.search(
            tx,
            service=query.service,
            environment=query.environment,
            since=query.since,
            before=query.cursor,
            limit=query.limit + 1,
        )
    )
    return call.answer(page_json(found, query.limit, lambda stored: stored.number, _item))


def _item(stored: Stored) -> Json:
    return _json(stored.deployment)


def _json(d: Deployment) -> dict[str, Any]:
    return {
        "id": d.id,
        "source": d.source,
        "service": d.service,
        "environment": d.environment,
        "version": d.version,
        "status": d.status.value if d.status else None,
        "commit_time": d.commit_time,
        "started_at": d.started_at,
        "finished_at": d.finished_at,
    }
