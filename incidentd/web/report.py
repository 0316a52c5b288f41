"""The figures: how many incidents, how fast they were acknowledged and repaired, what they cost, how deployments go."""

from __future__ import annotations

from datetime import date

from aiohttp import web
from pydantic import AwareDatetime, ConfigDict, Field

from incidentd.domain.dora import Band
from incidentd.domain.runbook import Guidance
from incidentd.rendering.document import document
from incidentd.rendering.formats import CONTENT_TYPES, PAGE_POLICY, Format, rendered
from incidentd.web.answers import Answer
from incidentd.web.models import ReportQuery
from incidentd.web.op import Call
from incidentd.workflows.reporting import compiled


class Durations(Answer):
    """What a set of durations looks like."""

    count: int
    mean_seconds: float | None
    p50_seconds: float | None
    p90_seconds: float | None
    p95_seconds: float | None


class Figures(Answer):
    """The figures of one group of incidents."""

    opened: int
    resolved: int
    mtta: Durations
    mttr: Durations
    mttd: Durations


class SeverityFigures(Figures):
    """The figures of one severity."""

    severity: str


class ServiceFigures(Figures):
    """The figures of one service."""

    service: str


class AlertFigures(Figures):
    """The figures of one alert, by its name."""

    alertname: str


class Step(Answer):
    """What happened in one step of the window: an hour, a day or a week."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    from_: AwareDatetime = Field(alias="from")
    to: AwareDatetime
    opened: int
    resolved: int
    mttr_seconds: float | None
    """The mean."""


class Responder(Answer):
    """How often one person was paged."""

    person: str
    pages: int
    night: int
    weekend: int


class Noise(Answer):
    """How often one alert made an incident, or brought one back."""

    alertname: str
    opened: int
    reopened: int
    flapping: int


class Listed(Answer):
    """An incident in a list."""

    id: int
    ref: str
    title: str
    severity: str
    service: str
    opened_at: AwareDatetime


class Unacknowledged(Answer):
    """Incidents that ended without anybody."""

    count: int
    items: list[Listed]


class Breach(Listed):
    """An incident that took, or takes, longer than it should."""

    seconds: float
    over: bool


class RepairObjective(Answer):
    """Whether repairs are as quick as they should be."""

    objective_seconds: float
    breaches: int
    items: list[Breach]


class Classed(Answer):
    """A figure with its class by the bands of DORA."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    class_: Band | None = Field(alias="class")


class Frequency(Classed):
    """How often something was deployed."""

    per_day: float


class LeadTime(Durations, Classed):
    """From commit to the end of its deployment."""


class FailureRate(Classed):
    """How many deployments failed, and why."""

    ratio: float | None
    failure: int
    rolled_back: int
    incident: int


class Recovery(Durations, Classed):
    """How long failures lasted."""

    unrecovered: int


class DoraFigures(Classed):
    """The four figures of a set of deployments."""

    deployments: int
    successful: int
    deployment_frequency: Frequency
    lead_time: LeadTime
    change_failure_rate: FailureRate
    recovery_time: Recovery


class ServiceDora(DoraFigures):
    """The same of one service."""

    service: str


class DoraAnswer(DoraFigures):
    """The same of all, and of each service."""

    by_service: list[ServiceDora]


class GuidanceFigures(Figures):
    """The figures of incidents that said in this way what to do."""

    guidance: Guidance


class StepFigures(Answer):
    """How many steps stand where."""

    total: int
    pending: int
    running: int
    done: int
    skipped: int
    failed: int


class RunbookUse(Figures):
    """One runbook, and what happened with it."""

    name: str
    title: str
    in_force: bool
    """False: there is no such file any more."""
    owner: str | None
    version: str | None
    tested: date | None
    """As its file says now."""
    last_used_at: AwareDatetime | None
    steps: StepFigures


class RunbookFigures(Answer):
    """Which runbooks were used, and what they were good for."""

    by_guidance: list[GuidanceFigures]
    steps: StepFigures
    items: list[RunbookUse]


class Report(Answer):
    """The figures of a window."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    window: str
    from_: AwareDatetime = Field(alias="from")
    to: AwareDatetime
    total: Figures
    by_severity: list[SeverityFigures]
    by_service: list[ServiceFigures]
    service: str | None
    by_alertname: list[AlertFigures]
    over_time: list[Step]
    responders: list[Responder]
    noisiest: list[Noise]
    flappers: list[Noise]
    never_acknowledged: Unacknowledged
    without_runbook: list[Noise]
    mttr_objective: RepairObjective
    runbooks: RunbookFigures
    dora: DoraAnswer


async def report(call: Call) -> web.Response:
    """What happened in a window up to now, as JSON, CSV, Markdown or a stand-alone page."""
    query: ReportQuery = call.query
    context = call.desk.context
    config, now, books = context.config, context.clock.now(), context.rules.runbooks.runbooks
    made = await context.store.read(lambda tx: compiled(tx, config, books, now, query.window, query.service))
    answer = document(made)
    if query.format is Format.JSON:
        return call.answer(answer)
    headers = call.desk.headers(call.request_id, CONTENT_TYPES[query.format])
    if query.format is Format.HTML:
        headers["Content-Security-Policy"] = PAGE_POLICY
    return web.Response(body=rendered(answer, query.format).encode(), headers=headers)
