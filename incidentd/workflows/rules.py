"""What the configuration says, in the form the workflows decide with: plain values, replaced whole at a reload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from incidentd.config import Config
from incidentd.config.heartbeats import expected_of
from incidentd.domain.alert import Alert
from incidentd.domain.automation import Policy as Automation
from incidentd.domain.dora import Blame
from incidentd.domain.drill import Plan
from incidentd.domain.figures import Counting
from incidentd.domain.flapping import Flapping
from incidentd.domain.heartbeat import Heartbeat
from incidentd.domain.incident import OURSELVES, Incident
from incidentd.domain.maintenance import Calendar, Window
from incidentd.domain.matcher import Matcher
from incidentd.domain.notification import DeliveryClass, Notice
from incidentd.domain.reconcile import Policy
from incidentd.domain.routing import Route, RoutingDecision, decide
from incidentd.domain.runbook_match import Choice, Shelf
from incidentd.domain.severity import Severity, SeverityRules
from incidentd.domain.silence import Policy as Silencing
from incidentd.domain.slo import Objective
from incidentd.domain.status_page.layout import NO_PAGE, Layout
from incidentd.store.outbox import NewDelivery
from incidentd.workflows.paging import Paging, paging_of

UPDATE_DELAY = timedelta(seconds=30)
"""How long an `updated` notice waits, so that a growing group is told once and not member by member."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The frozen rules of one configuration."""

    route: Route
    targets: Mapping[str, tuple[str, ...]]
    """Channel name -> whom it reaches: each gets a delivery of its own."""
    severity: SeverityRules = field(default_factory=SeverityRules)
    grouping: tuple[str, ...] = ("alertname", "cluster", "service")
    reopen_window: timedelta = timedelta(minutes=10)
    reopen_hold: timedelta = timedelta(minutes=5)
    heartbeats: Mapping[str, tuple[tuple[Matcher, ...], ...]] = field(default_factory=dict)
    """Source name -> matcher sets; an alert that fits one is a sign of life and opens nothing."""
    expected: Mapping[str, Heartbeat] = field(default_factory=dict)
    """By name, the heartbeats whose absence is an incident."""
    mass_resolve: Mapping[str, int] = field(default_factory=dict)
    """Source name -> how many incidents may resolve within a minute while a heartbeat of it is missing."""
    paging: Paging = field(default_factory=Paging)
    """Escalation."""
    maintenance: tuple[Window, ...] = ()
    """Those of the configuration."""
    calendar: Calendar = field(default_factory=Calendar, compare=False)
    flapping: Flapping = field(default_factory=Flapping)
    reconcile: Mapping[str, Policy] = field(default_factory=dict)
    """By name, the sources whose Alertmanagers are asked."""
    drills: tuple[Plan, ...] = ()
    """Those that come by plan."""
    silencing: Silencing = field(default_factory=Silencing)
    alertmanagers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Source name -> the addresses of its Alertmanagers; only of sources that have some."""
    runbooks: Shelf = field(default_factory=Shelf)
    automation: Automation = field(default_factory=Automation)
    """What machines may do in the steps of runbooks."""
    layout: Layout = NO_PAGE
    """The public status page."""
    blame: Blame = field(default_factory=Blame)
    """Which deployments count, and when one is blamed for an incident."""
    counting: Counting = field(default_factory=Counting)
    """Which incidents are outages."""
    objectives: tuple[Objective, ...] = ()

    def is_heartbeat(self, alert: Alert) -> bool:
        """True for a dead-man's switch such as Watchdog."""
        sets = self.heartbeats.get(alert.source, ())
        return any([all([m.matches(alert.labels) for m in matchers]) for matchers in sets])

    def route_of(self, labels: Mapping[str, str], severity: Severity) -> RoutingDecision:
        """Who is told. Matchers see the severity as mapped, under the label it is read from."""
        return decide(self.route, {**labels, self.severity.label: severity.value})

    def runbook_of(self, incident: Incident) -> Choice:
        """The runbook it gets as it opens. Matchers see the severity as they do in routes."""
        labels = {**incident.labels, self.severity.label: incident.severity.value}
        return self.runbooks.choose(labels, incident.service, incident.severity)

    def paged(self, severity: Severity) -> set[str]:
        """The channels that alerts of this severity may be told over, whatever their other labels."""
        return _channels_for(self.route, self.severity.label, severity.value)

    def deliveries(
        self, incident: Incident, notice: Notice, actor: str, comment: str, now: datetime
    ) -> list[NewDelivery]:
        """One outbox row for each target of each channel of the incident."""
        not_before = now + UPDATE_DELAY if notice is Notice.UPDATED else now
        return [
            NewDelivery(
                incident.id,
                channel,
                target,
                notice,
                incident.episode,
                actor,
                comment,
                now,
                not_before,
                incident.severity,
                meta=incident.source == OURSELVES,
            )
            for channel in self._told(incident, notice)
            for target in self.targets.get(channel, (channel,))
        ]

    def _told(self, incident: Incident, notice: Notice) -> tuple[str, ...]:
        """The channels frozen on the incident; for a page those of today's route if none of them exists any more."""
        gone = incident.notify and not any([name in self.targets for name in incident.notify])
        if not gone or notice.delivery_class is not DeliveryClass.PAGE:
            return incident.notify
        return self.route_of(incident.labels, incident.severity).notify or incident.notify


def _channels_for(route: Route, label: str, value: str) -> set[str]:
    if any(matcher.name == label and not matcher.matches({label: value}) for matcher in route.matchers):
        return set()
    return set(route.notify or ()).union(*[_channels_for(child, label, value) for child in route.routes])


def rules_of(config: Config, targets: Mapping[str, tuple[str, ...]], runbooks: Shelf | None = None) -> Rules:
    """The rules a configuration means; `targets` by channel name, `runbooks` as found in its folder."""
    return Rules(
        route=config.route.tree,
        targets=targets,
        severity=config.severity.rules,
        grouping=config.grouping.by,
        reopen_window=config.grouping.reopen_window,
        reopen_hold=config.grouping.reopen_hold,
        heartbeats={name: tuple([h.matchers for h in s.heartbeats]) for name, s in config.sources.items()},
        expected={heartbeat.name: heartbeat for heartbeat in expected_of(config)},
        mass_resolve={name: source.mass_resolve for name, source in config.sources.items()},
        flapping=config.grouping.flapping.rules,
        maintenance=tuple([each.window for each in config.maintenance]),
        paging=paging_of(config, targets),
        reconcile={name: s.reconcile.policy for name, s in config.sources.items() if s.reconciled},
        drills=tuple([each.plan(name) for name, each in config.drills.items()]),
        silencing=config.silences.policy,
        alertmanagers={
            name: tuple([member.url for member in s.alertmanagers])
            for name, s in config.sources.items()
            if s.alertmanagers
        },
        runbooks=runbooks or Shelf(),
        automation=config.automation.policy,
        layout=config.status_page.layout(
            config.server.public_url, [user.name for user in config.users.values()]
        ),
        blame=config.figures.blame,
        counting=config.figures.counting,
        objectives=tuple([each.objective for each in config.slo]),
    )


def readable(decision: RoutingDecision) -> str:
    """The route as the timeline and the API show it."""
    return ", ".join(decision.path)
