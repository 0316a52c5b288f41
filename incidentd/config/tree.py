"""The root of the configuration tree."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AfterValidator, Field, PrivateAttr, model_validator

from incidentd.channels.base import ChannelConfig, discover
from incidentd.config.access import Auth
from incidentd.config.alerts import Grouping, SeverityMap, Source
from incidentd.config.audit import Audit
from incidentd.config.automation import Automation
from incidentd.config.calendars import asked
from incidentd.config.database import Database
from incidentd.config.digest import EMAIL, Digest
from incidentd.config.drills import DrillPlan
from incidentd.config.escalation import Acknowledgement, Escalation, SelfCheck
from incidentd.config.heartbeats import Ping
from incidentd.config.journal import Journal
from incidentd.config.leave import Asked, Said
from incidentd.config.maintenance import MaintenanceWindow
from incidentd.config.people import Retention, Runbooks, User
from incidentd.config.route import RootRoute
from incidentd.config.schedules import Schedule
from incidentd.config.section import Section
from incidentd.config.server import Server
from incidentd.config.silences import Silences
from incidentd.config.slo import FigureRules, ServiceLevel, named_once
from incidentd.config.status_page import StatusPage
from incidentd.config.telemetry import Telemetry
from incidentd.domain import schedule as on_call
from incidentd.fields import Slug

CONSOLE = "console"
"""Kind and name of the channel that is there when none is configured."""

if TYPE_CHECKING:
    AnyChannel = ChannelConfig
else:
    # Made of the files that are there: a new channel is accepted, and in the JSON Schema, by being found.
    _MODELS = [channel.config_model for channel in discover().values()]
    AnyChannel = functools.reduce(operator.or_, _MODELS)
    if len(_MODELS) > 1:
        AnyChannel = Annotated[AnyChannel, Field(discriminator="kind")]


class Config(Section):
    """Everything a configuration file says, with its defaults. Frozen; it prints no secret."""

    server: Server = Server()
    """The daemon's own HTTP door, its log and its end."""
    database: Database = Database()
    """Where incidents are kept."""
    auth: Auth = Auth()
    """Who may talk to the daemon."""
    sources: Mapping[Slug, Source] = Field(
        default={"main": Source()}, min_length=1, json_schema_extra={"default": {"main": {}}}
    )
    """Who sends alerts, by name. A body whose token names no source belongs to the first."""
    heartbeats: Mapping[Slug, Ping] = {}
    """Signs of life that are pinged, by name; those that come as alerts stand with their source."""
    maintenance: tuple[MaintenanceWindow, ...] = ()
    """Planned times in which matching alerts are recorded and tell nobody."""
    silences: Silences = Silences()
    """Silences that people make from incidents."""
    severity: SeverityMap = SeverityMap()
    """How an alert's label says how bad it is."""
    grouping: Grouping = Grouping()
    """Which alerts make one incident."""
    channels: Mapping[Slug, AnyChannel] = Field(
        default_factory=lambda: {CONSOLE: discover()[CONSOLE].config_model(kind=CONSOLE)},
        min_length=1,
        json_schema_extra={"default": {CONSOLE: {"kind": CONSOLE}}},
    )
    """Ways to tell people, by name; `kind` says which keys a channel has."""
    route: RootRoute = RootRoute()
    """Who is told of what."""
    users: Mapping[Slug, User] = {}
    """People, by name."""
    schedules: Mapping[Slug, Schedule] = {}
    """Who is on duty when, by name."""
    escalation: Mapping[Slug, Escalation] = {}
    """What happens while nobody answers, by name."""
    digest: Digest | None = None
    """When what interrupts nobody is mailed, all together. Absent: it is mailed at once."""
    acknowledgement: Acknowledgement = Acknowledgement()
    """How long an acknowledgement holds, and when who holds it is reminded."""
    drills: Mapping[Slug, DrillPlan] = {}
    """Pages that are tried by plan, by name."""
    self_check: SelfCheck = SelfCheck()
    """How others see that incidentd does its work."""
    runbooks: Runbooks = Runbooks()
    """Where runbooks are kept."""
    automation: Automation = Automation()
    """What machines may do in the steps of runbooks: nothing, unless it is switched on."""
    status_page: StatusPage = StatusPage()
    """What the public sees."""
    slo: Annotated[tuple[ServiceLevel, ...], AfterValidator(named_once)] = ()
    """What services promise: objectives with an error budget."""
    figures: FigureRules = FigureRules()
    """How reports are made."""
    retention: Retention = Retention()
    """How long things are kept."""
    journal: Journal = Journal()
    """The bodies of webhooks, kept for `incidentd replay`."""
    _said: Said = PrivateAttr(default_factory=dict)
    audit: Audit = Audit()
    """The log of who changed what, and what proves it."""
    telemetry: Telemetry = Telemetry()
    """Where the daemon's own log, traces and errors go."""

    @model_validator(mode="before")
    @classmethod
    def _root_notifies_somebody(cls, data: Any) -> Any:  # noqa: ANN401 - whatever the file holds
        """Fill in whom the root route tells, which depends on the channels that are configured."""
        if not isinstance(data, Mapping):
            return data
        channels, route = data.get("channels"), data.get("route", {})
        if not isinstance(channels, Mapping) or not isinstance(route, Mapping) or "notify" in route:
            return data
        return {**data, "route": {**route, "notify": _console_else_all(channels)}}

    @functools.cached_property
    def plans(self) -> Mapping[str, on_call.Schedule]:
        """The schedules by name, as the domain reads them, with holidays and the leave of their users."""
        leave = {name: user.leave for name, user in self.users.items() if user.leave is not None}
        return {name: each.plan(name, leave, self._said) for name, each in self.schedules.items()}

    @functools.cached_property
    def calendars(self) -> tuple[Asked, ...]:
        """The addresses of calendars that are asked."""
        return asked(self.users, self.schedules)

    def with_calendars(self, said: Said) -> Self:
        """The same with what the addresses in it said."""
        copy = self.model_copy()
        copy.__dict__.pop("plans", None)  # made of what they said before
        copy._said = said  # noqa: SLF001 - its own
        return copy

    @property
    def mail_channels(self) -> tuple[str, ...]:
        """Names of the e-mail channels."""
        return tuple([name for name, channel in self.channels.items() if channel.kind == EMAIL])

    @property
    def default_source(self) -> str:
        """The source of a body whose token names none: the first configured one."""
        return next(iter(self.sources))


def _console_else_all(channels: Mapping[Any, Any]) -> list[Any]:
    consoles = [name for name, raw in channels.items() if _kind(raw) == CONSOLE]
    return consoles or list(channels)


def _kind(channel: object) -> object:
    return channel.get("kind") if isinstance(channel, Mapping) else getattr(channel, "kind", None)
