"""`sources`, `severity`, `grouping`: what is made of the alerts that come in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from incidentd.config.alertmanagers import Alertmanager, Reconcile
from incidentd.config.heartbeats import Heartbeat
from incidentd.config.section import PositiveDuration, Section
from incidentd.domain.contact import Urgency
from incidentd.domain.flapping import Flapping
from incidentd.domain.matcher import parse_matcher
from incidentd.domain.severity import Severity, SeverityRules
from incidentd.fields import Duration

EVERY_LABEL = "..."
"""Alertmanager's word for grouping by all labels: one incident per alert."""


def _watchdog() -> tuple[Heartbeat, ...]:
    return (Heartbeat(matchers=(parse_matcher('alertname="Watchdog"'),), every=timedelta(minutes=5)),)


class Source(Section):
    """One sender of alerts: a pair of highly available Alertmanagers is one source."""

    alertmanagers: tuple[Alertmanager, ...] = ()
    """All of its Alertmanagers, by address or with credentials: they are asked what fires (`reconcile`), and messages
    link to the first one's form for silences."""
    reconcile: Reconcile = Reconcile()
    """Comparing incidents with what its Alertmanagers hold."""
    heartbeats: tuple[Heartbeat, ...] = Field(
        default_factory=_watchdog,
        json_schema_extra={"default": [{"matchers": ['alertname="Watchdog"'], "every": "5m"}]},
    )
    """Alerts that always fire: they are recorded and open nothing. That one stops arriving is an incident, but only of
    those that are written here: how often the default one comes is not known. An empty list: every alert can open an
    incident."""
    mass_resolve: int = Field(default=5, ge=0)
    """While a heartbeat of this source is missing, more incidents than this that resolve within a minute are not
    believed to be over until it is back."""

    @property
    def reconciled(self) -> bool:
        """True if its Alertmanagers are to be asked."""
        return bool(self.alertmanagers) and self.reconcile.enabled

    @property
    def watched(self) -> tuple[Heartbeat, ...]:
        """Those whose absence is an incident."""
        return self.heartbeats if "heartbeats" in self.model_fields_set else ()


class SeverityMap(Section):
    """How an alert's label says how bad it is."""

    label: str = Field(default="severity", min_length=1)
    """The label that carries the severity."""
    map: Mapping[str, Severity] = {}
    """Further values of that label and what they mean; `critical`, `warning` and `info` mean themselves."""
    default: Severity = Severity.WARNING
    """What a missing or unknown value means."""
    urgency: Mapping[Severity, Urgency] = {}
    """Which severities interrupt people: `high` does, `low` waits for the end of their quiet hours, with `none` no
    escalation starts. Unless given, `critical` is `high`, `warning` is `low`, `info` is `none`."""

    @property
    def rules(self) -> SeverityRules:
        """The same for the domain."""
        return SeverityRules(label=self.label, default=self.default, map=self.map)


def _labels(names: tuple[str, ...]) -> tuple[str, ...]:
    if EVERY_LABEL in names and len(names) > 1:
        raise ValueError("'...' means every label and must stand alone; accepted: ['...'] or label names")
    if not all(names):
        raise ValueError("has an empty label name; accepted: label names such as alertname, or ['...'] alone")
    if len(set(names)) < len(names):
        raise ValueError("names a label twice; accepted: each label once")
    return names


class FlappingGroups(Section):
    """When an incident comes and goes too often to tell of it each time."""

    refires: int = Field(default=5, ge=1)
    """It flaps when it has been reopened by its source more often than this within `window`."""
    window: PositiveDuration = timedelta(hours=1)
    """How far back the times are counted."""
    hold: PositiveDuration = timedelta(minutes=15)
    """How long a flapping incident must be quiet before it is resolved."""

    @property
    def rules(self) -> Flapping:
        """The same for the domain."""
        return Flapping(self.refires, self.window, self.hold)


class Grouping(Section):
    """Which alerts make one incident, and when a new firing belongs to an old one."""

    by: Annotated[tuple[str, ...], AfterValidator(_labels)] = ("alertname", "cluster", "service")
    """Labels whose values name the incident; `['...']` makes one incident per alert, `[]` one of all."""
    reopen_window: Duration = timedelta(minutes=10)
    """An alert that fires again within this time after the resolve reopens the same incident."""
    reopen_hold: Duration = timedelta(minutes=5)
    """If it fires with its old start (maybe a stale post), nobody is told before it has lasted this long."""
    flapping: FlappingGroups = FlappingGroups()
    """When an incident comes and goes too often to tell of it each time."""
