"""The attributes of automated steps: one model for each kind, checked when the file is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from incidentd.config.schema import schema_of
from incidentd.config.section import MatcherField, PositiveDuration, Section
from incidentd.domain.duration import format_duration
from incidentd.domain.runbook import DEFAULT_TIMEOUT, LONGEST_TIMEOUT, Action, Kind, Run
from incidentd.domain.runbook_query import check_query
from incidentd.fields import Duration, HttpUrl, PlaceholderText, Slug
from incidentd.runbooks.front import Severities

_MANY = 20


def _query(value: str) -> str:
    if not value.strip():
        raise ValueError("is empty; accepted: an expression of PromQL")
    check_query(value)
    return value.strip()


def _one_or_more(value: object) -> object:
    return [value] if isinstance(value, int) and not isinstance(value, bool) else value


class StepAttributes(Section):
    """What every automated step takes."""

    run: Run = Run.MANUAL
    """`auto`: when the incident opens; `approve`: when a person agrees; `manual`: when a person asks."""
    timeout: Annotated[PositiveDuration, Field(le=LONGEST_TIMEOUT)] = DEFAULT_TIMEOUT
    """When it is ended; at most 10m."""
    when: Severities = ()
    """Severities of the incident for which it may run; without it: all."""
    retries: Annotated[int, Field(ge=0, le=5)] = 0
    """Further attempts after a failure."""
    stop_on_resolve: bool = False
    """End it when the incident is resolved meanwhile."""

    @property
    def changes(self) -> str:
        """What it changes, so that no incident may set it going by itself; empty if it only looks or tells."""
        return ""

    @model_validator(mode="after")
    def _gated(self) -> Self:
        if self.changes and self.run is Run.AUTO:
            raise ValueError(f"run: auto is for looking, and {self.changes}; accepted: approve, manual")
        if self.changes and self.retries:
            raise ValueError(f"retries are for looking, and {self.changes}; accepted: 0")
        return self


class Http(StepAttributes):
    """Ask an HTTP server; its answer's status and the head of its body are kept."""

    url: HttpUrl
    """Its host must be allowed by the configuration."""
    method: Literal["GET", "POST"] = "GET"
    body: Annotated[str, Field(max_length=10_000)] | None = None
    """Sent with a POST."""
    content_type: Annotated[str, Field(pattern=r"^[\w.+-]+/[\w.+-]+(; ?charset=[\w-]+)?$")] = (
        "application/json"
    )
    """What the body is."""
    expect: Annotated[tuple[Annotated[int, Field(ge=100, le=599)], ...], BeforeValidator(_one_or_more)] = ()
    """Statuses that mean success; without it: 200 to 299."""

    @property
    def changes(self) -> str:
        """A POST may change something."""
        return "a POST may change something" if self.method == "POST" else ""

    @model_validator(mode="after")
    def _body_goes_with_post(self) -> Self:
        if self.body is not None and self.method == "GET":
            raise ValueError("a body is sent with method: POST only")
        return self


class Promql(StepAttributes):
    """Ask a Prometheus."""

    query: Annotated[str, Field(max_length=4000), AfterValidator(_query)]
    """PromQL. `$NAME` inside the quotes of a label matcher is the incident's label NAME."""
    source: Slug | None = None
    """Which of the configured ones; without it: the first."""
    range: PositiveDuration | None = None
    """How much of the past to draw; without it: the present value alone."""


class Command(StepAttributes):
    """Run a command of the configuration."""

    command: Slug
    """Its name there. What it runs is written there alone."""


class Silence(StepAttributes):
    """Silence the incident's alerts in Alertmanager."""

    duration: Annotated[Duration, Field(le=LONGEST_TIMEOUT * 6 * 24)]
    """For how long; at most 1d."""
    matchers: tuple[MatcherField, ...] = ()
    """Which alerts; without it: those with the labels of the incident."""
    comment: Annotated[str, Field(max_length=500)] = ""

    @property
    def changes(self) -> str:
        """Alerts that nobody hears of."""
        return "a silence hides alerts"


class Notify(StepAttributes):
    """Tell channels of the incident."""

    channels: Annotated[tuple[Slug, ...], Field(min_length=1, max_length=_MANY)]
    message: PlaceholderText
    """What to say, with placeholders as in `texts` of channels."""


class StatusDraft(StepAttributes):
    """Write a draft for the status page; nothing is public before a person publishes it."""

    message: Annotated[str, Field(min_length=1, max_length=2000)]
    """What customers would read, as it is: it has no placeholders."""
    state: Literal["investigating", "identified", "monitoring", "resolved"] = "investigating"
    components: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(max_length=_MANY)] = ()
    """Names of components of the status page."""


MODELS: Mapping[Kind, type[StepAttributes]] = {
    Kind.HTTP: Http,
    Kind.PROMQL: Promql,
    Kind.COMMAND: Command,
    Kind.SILENCE: Silence,
    Kind.NOTIFY: Notify,
    Kind.STATUS_DRAFT: StatusDraft,
}
"""The model of each kind."""


def action_of(kind: Kind, given: StepAttributes) -> Action:
    """The same for the domain."""
    common = StepAttributes.model_fields
    own = {name: getattr(given, name) for name in type(given).model_fields if name not in common}
    return Action(
        kind=kind,
        run=given.run,
        timeout=given.timeout,
        when=given.when,
        retries=given.retries,
        stop_on_resolve=given.stop_on_resolve,
        attributes={name: _plain(value) for name, value in own.items()},
    )


def _plain(value: Any) -> object:  # noqa: ANN401 - whatever a model holds
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if hasattr(value, "total_seconds"):
        return format_duration(value)
    return value if isinstance(value, str | int | None) else str(value)


def step_schema(kind: Kind) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the attributes of a kind of step."""
    return {**schema_of(MODELS[kind]), "title": f"incidentd runbook step {kind}"}
