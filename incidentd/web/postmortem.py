"""The postmortem of an incident: as JSON, as Markdown to go on writing in, or as a page that stands alone."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final

from aiohttp import web
from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field

from incidentd.config import Scope
from incidentd.domain.action_item import ItemState
from incidentd.domain.deployment import DeploymentStatus
from incidentd.domain.incident import State
from incidentd.domain.notification import DeliveryClass, DeliveryState, Notice
from incidentd.domain.runbook_steps import StepState
from incidentd.domain.severity import Severity
from incidentd.rendering.formats import CONTENT_TYPES, PAGE_POLICY, Format
from incidentd.rendering.postmortem import rendered
from incidentd.rendering.record import record
from incidentd.web import models as m
from incidentd.web.answers import Answer
from incidentd.web.incidents import incident_id
from incidentd.web.op import Call, Op
from incidentd.workflows.postmortem import recorded


def _form(value: Format) -> Format:
    if value is Format.CSV:
        raise ValueError("is no form of a postmortem; accepted: json, md, html")
    return value


class PostmortemQuery(m.Query):
    """In which form."""

    format: Annotated[Format, AfterValidator(_form)] = Format.JSON
    """`json`, `md` or `html`."""


class RecordIncident(Answer):
    """The incident itself."""

    id: int
    ref: str
    title: str
    severity: Severity
    service: str
    state: State
    drill: bool
    labels: dict[str, str]
    route: str
    started_at: AwareDatetime
    opened_at: AwareDatetime
    first_acknowledged_at: AwareDatetime | None
    acknowledged_by: str | None
    resolved_at: AwareDatetime | None
    resolved_by: str | None
    ended_at: AwareDatetime | None


class RecordFigures(Answer):
    """How long it took, and how many."""

    detect_seconds: float
    acknowledge_seconds: float | None
    resolve_seconds: float | None
    counts: bool
    """False: its end repaired nothing, so it is not in MTTR."""
    alerts: int
    reopened: int
    pages: int
    """That a vendor accepted."""
    people_paged: list[str]


class Phase(Answer):
    """A state that it went through."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    state: State
    from_: AwareDatetime = Field(alias="from")
    to: AwareDatetime


class RecordEntry(Answer):
    """One line of the timeline."""

    at: AwareDatetime
    kind: str
    actor: str
    text: str


class RecordAlert(Answer):
    """One alert as it was in the incident."""

    fingerprint: str
    severity: Severity
    status: str
    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: AwareDatetime
    ends_at: AwareDatetime | None


class RecordDelivery(Answer):
    """Who was told."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    id: int
    channel: str
    to: str
    """A person, or a target of the channel."""
    notice: Notice
    class_: DeliveryClass = Field(alias="class")
    state: DeliveryState
    created_at: AwareDatetime
    sent_at: AwareDatetime | None
    why: str | None


class RecordDeployment(Answer):
    """A deployment of its service near it."""

    id: str
    service: str
    environment: str
    version: str
    status: DeploymentStatus | None
    started_at: AwareDatetime
    finished_at: AwareDatetime | None
    offset_seconds: float
    """Its end, or its start while it runs, counted from the opening of the incident; below 0 before it."""
    blamed: bool
    """The timeline says that it may be to blame."""


class StepOutput(Answer):
    """What a machine printed, or what a person said, as a step moved."""

    at: AwareDatetime
    actor: str
    text: str


class RecordStep(Answer):
    """One step of the runbook."""

    number: int
    text: str
    automated: bool
    state: StepState
    actor: str | None
    at: AwareDatetime | None
    comment: str
    output: list[StepOutput]


class RecordRunbook(Answer):
    """The runbook as it was when the incident opened."""

    name: str
    title: str
    reason: str
    hash: str
    steps: list[RecordStep]


class RecordDebit(Answer):
    """What it took from an error budget."""

    slo: str
    seconds: float
    share: float


class RecordAction(Answer):
    """One action item."""

    id: int
    title: str
    owner: str | None
    due: date | None
    state: ItemState
    overdue: bool
    comment: str


class Postmortem(Answer):
    """What is known of an incident."""

    incident: RecordIncident
    written_at: AwareDatetime
    truncated: bool
    """There is more than is in it: 2000 entries, 500 alerts, 500 deliveries."""
    figures: RecordFigures
    phases: list[Phase]
    timeline: list[RecordEntry]
    alerts: list[RecordAlert]
    deliveries: list[RecordDelivery]
    deployments: list[RecordDeployment]
    runbook: RecordRunbook | None
    runbook_url: str | None
    budget_debits: list[RecordDebit]
    actions: list[RecordAction]


async def postmortem(call: Call) -> web.Response:
    """All that is known of one incident, read in one snapshot."""
    query: PostmortemQuery = call.query
    number, context = incident_id(call), call.desk.context
    rules, now = context.rules, context.clock.now()
    document: dict[str, Any] = record(await context.store.read(lambda tx: recorded(tx, number, rules, now)))
    if query.format is Format.JSON:
        return call.answer(document)
    headers = call.desk.headers(call.request_id, CONTENT_TYPES[query.format])
    if query.format is Format.HTML:
        headers["Content-Security-Policy"] = PAGE_POLICY
    return web.Response(body=rendered(document, query.format).encode(), headers=headers)


OPS: Final = (
    Op(
        ("GET",),
        "/api/v1/incidents/{id}/postmortem",
        postmortem,
        Scope.READ,
        "What is known of an incident, to write its postmortem; `format` md and html answer text of that kind",
        query=PostmortemQuery,
        returns=Postmortem,
        refusals=(404,),
    ),
)
"""How a postmortem is read."""
