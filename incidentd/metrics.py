"""Every Prometheus series, declared once with its labels. No label ever carries free text, an address or a person.

One `Metrics` belongs to one daemon, so several can live in one process.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.process_collector import ProcessCollector

from incidentd.metrics_figures import FigureMetrics
from incidentd.metrics_public import PublicMetrics
from incidentd.refusals import Refusals
from incidentd.security_events import EVENT_OF, EVENT_SEVERITY, Activity, SecurityEvent

MAX_SERVICES = 200
"""Distinct `service` values before further ones are counted as ``other``: services come from alert labels."""
MAX_ENVIRONMENTS = 30
"""The same for `environment`, which pipelines name."""

_UNPLAIN = re.compile(r"[^A-Za-z0-9_./-]")
_INTAKE = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_DELIVERY = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
_LEAD = (900.0, 3600.0, 14400.0, 28800.0, 86400.0, 259200.0, 604800.0, 1209600.0, 2592000.0)
_RESPONSE = (60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0, 86400.0)


class Metrics:
    """The daemon's own figures."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self.registry)
        self._services: set[str] = set()
        self._environments: set[str] = set()
        self._intake()
        self._incidents()
        self._runbooks()
        self._deployments()
        self._deliveries()
        self._http()
        self._calendars()
        self._security()
        self._reconciling()
        self.figures = FigureMetrics(self.registry)
        self.public = PublicMetrics(self.registry)

    def _counter(self, name: str, text: str, labels: Sequence[str] = ()) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, labels: Sequence[str] = ()) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _histogram(
        self, name: str, text: str, buckets: Sequence[float], labels: Sequence[str] = ()
    ) -> Histogram:
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)

    def _intake(self) -> None:
        self.webhook_requests = self._counter(
            "incidentd_webhook_requests", "Webhook posts answered, by answer.", ["source", "code"]
        )
        self.alerts_received = self._counter(
            "incidentd_alerts_received", "Alerts committed, as the sender told them.", ["source", "status"]
        )
        self.alerts_sighted = self._counter(
            "incidentd_alerts_sighted", "Alerts committed, by what they meant.", ["source", "sighting"]
        )
        self.alerts_quarantined = self._counter(
            "incidentd_alerts_quarantined",
            "Alerts set aside because they could not be understood.",
            ["source", "reason"],
        )
        self.journal_dropped = self._counter(
            "incidentd_journal_dropped", "Webhook bodies that the journal had no room in memory for."
        )
        self.ingest_seconds = self._histogram("incidentd_ingest_seconds", "Request to commit.", _INTAKE)
        self.intake_queued = self._gauge("incidentd_intake_queued_alerts", "Alerts waiting for their commit.")
        self.intake_batch = self._histogram(
            "incidentd_intake_batch_alerts",
            "Alerts per commit.",
            (1, 2, 5, 10, 50, 100, 500, 1000, 5000, 10000),
        )
        self.config_reloads = self._counter("incidentd_config_reloads", "Configuration reloads.", ["outcome"])

    def _incidents(self) -> None:
        self.incidents_open = self._gauge(
            "incidentd_incidents_open", "Open incidents.", ["severity", "state"]
        )
        self.incidents_opened = self._counter(
            "incidentd_incidents_opened", "Incidents opened.", ["severity", "service"]
        )
        self.heartbeat_missing = self._gauge(
            "incidentd_heartbeat_missing", "1 while an expected heartbeat is missing.", ["heartbeat"]
        )
        self.acknowledge_seconds = self._histogram(
            "incidentd_incident_acknowledge_seconds",
            "Alert start to first acknowledgement.",
            _RESPONSE,
            ["severity"],
        )
        self.resolve_seconds = self._histogram(
            "incidentd_incident_resolve_seconds", "Alert start to end.", _RESPONSE, ["severity"]
        )
        self.escalations = self._counter(
            "incidentd_escalations", "Steps of escalations that ran.", ["policy", "step"]
        )
        self.escalations_exhausted = self._counter(
            "incidentd_escalations_exhausted", "Escalations that told everybody in vain.", ["policy"]
        )
        self.escalation_stuck = self._gauge(
            "incidentd_escalation_stuck",
            "Incidents whose escalation stands still, by the last self-audit. Not zero: a fault in incidentd.",
        )
        self.actions = self._gauge(
            "incidentd_actions", "Action items that are open; those of them that are overdue.", ["state"]
        )
        # A name that dashboards know. Severity is the one kind of incident with a bounded number of values.
        self.mttr_seconds = self._histogram(
            "mttr_seconds", "Alert start to end; the type is the severity.", _RESPONSE, ["incident_type"]
        )

    def _runbooks(self) -> None:
        self.runbooks = self._gauge("incidentd_runbooks", "Runbooks in force.")
        self.runbook_errors = self._gauge("incidentd_runbook_errors", "Runbook files that are refused now.")
        self.runbook_attached = self._counter(
            "incidentd_runbook_attached", "Incidents that opened with a runbook.", ["runbook"]
        )
        self.without_runbook = self._counter(
            "incidentd_incidents_without_runbook",
            "Incidents that opened with neither a runbook nor a runbook_url.",
            ["severity"],
        )
        self.guided_acknowledge, self.guided_resolve = [
            self._histogram(f"incidentd_guided_{name}_seconds", words, _RESPONSE, ["guidance"])
            for name, words in (
                ("acknowledge", "Alert start to first acknowledgement, by what told people what to do."),
                ("resolve", "Alert start to end, by what told people what to do."),
            )
        ]
        self.runbook_tested = self._gauge(
            "incidentd_runbook_tested_timestamp_seconds",
            "The day on which somebody last went through the runbook; 0: never.",
            ["runbook"],
        )
        self.runbook_steps = self._counter("incidentd_runbook_steps", "Steps moved to a state.", ["state"])
        self.step_runs = self._counter(
            "incidentd_step_runs", "Steps that a machine took, by what came of it.", ["kind", "outcome"]
        )
        self.step_run_seconds = self._histogram(
            "incidentd_step_run_seconds", "How long they took.", _DELIVERY, ["kind"]
        )

    def _deployments(self) -> None:
        # A name that dashboards know.
        self.deployments = self._counter(
            "deployment_frequency", "Deployments that ended.", ["environment", "status"]
        )
        self.lead_time_seconds = self._histogram(
            "deployment_lead_time_seconds", "Commit to the end of its deployment.", _LEAD, ["environment"]
        )
        self.change_failures = self._counter(
            "change_failure_rate",
            "Deployments that failed, were rolled back, or were followed by an incident; each once.",
            ["environment", "failure_type"],
        )

    def _deliveries(self) -> None:
        self.deliveries = self._counter(
            "incidentd_deliveries", "Delivery attempts and endings.", ["channel", "class", "outcome"]
        )
        self.page_delivery_seconds = self._histogram(
            "incidentd_page_delivery_seconds",
            "Enqueue to the vendor's acceptance of a page.",
            _DELIVERY,
            ["channel"],
        )
        self.oldest_pending = self._gauge(
            "incidentd_delivery_oldest_pending_seconds", "Age of the oldest unsent delivery.", ["class"]
        )
        self.channel_up = self._gauge(
            "incidentd_channel_up", "1 if the last attempt of any replica was accepted.", ["channel"]
        )
        self.last_proven = self._gauge(
            "incidentd_last_proven_timestamp_seconds",
            "When the channel last accepted a page, of a drill or a real one.",
            ["channel"],
        )
        self.dead = self._gauge("incidentd_deliveries_dead", "Deliveries that were given up and not retried.")

    def _calendars(self) -> None:
        self.calendar_up = self._gauge(
            "incidentd_calendar_up", "1 if the calendar could be read when it was last asked.", ["calendar"]
        )
        self.calendar_reads = self._counter(
            "incidentd_calendar_reads", "Calendars asked by this process.", ["outcome"]
        )

    def _http(self) -> None:
        labels = ["method", "route", "status_code"]
        self.http_requests = self._counter("http_requests", "HTTP requests answered.", labels)
        self.http_seconds = self._histogram(
            "http_request_duration_seconds", "HTTP request duration.", _INTAKE, labels
        )
        self.loop_lag = self._gauge(
            "incidentd_event_loop_lag_seconds", "The event loop's worst delay in the last minute."
        )
        self.http_in_flight = self._gauge("http_requests_in_flight", "HTTP requests under way.")
        self.auth_attempts = self._counter("auth_attempts", "Credentials presented.", ["type", "status"])
        self.chat_asks = self._counter(
            "incidentd_chat_asks", "Buttons and commands from chat.", ["verb", "outcome"]
        )

    def _security(self) -> None:
        events = self._counter("security_events", "Requests refused for safety.", ["event_type", "severity"])
        activity = self._counter(
            "suspicious_activity", "Requests that an honest client does not send.", ["activity_type"]
        )
        # All of them from the start: an `increase()` over a series that begins at its first event misses it.
        self._events = {event: events.labels(event.value, level) for event, level in EVENT_SEVERITY.items()}
        self._activities = {kind: activity.labels(kind.value) for kind in Activity}
        self.refusals = Refusals()
        """Security events, for the audit log."""
        self.audit_head = self._gauge("incidentd_audit_head", "The audit log's newest signed entry.")
        self.audit_broken = self._gauge("incidentd_audit_broken", "1: the audit log was cut or rewritten.")
        self.audit_anchored = self._gauge(
            "incidentd_audit_anchored",
            "Number of the newest head that the place outside, or the file beside the key, was told.",
            ["place"],
        )
        self.audit_anchor_failures = self._counter(
            "incidentd_audit_anchor_failures", "Heads that a place outside did not take.", ["place"]
        )
        self.rate_limit_hits = self._counter(
            "rate_limit_hits", "Requests refused because a limit was reached.", ["endpoint"]
        )

    def _reconciling(self) -> None:
        self.reconcile_drift = self._counter(
            "incidentd_reconcile_drift",
            "Alerts, and incidents closed while theirs fire on, found to differ from their source.",
            ["source", "kind"],
        )
        self.reconcile_failures = self._counter(
            "incidentd_reconcile_failures", "Rounds that decided nothing.", ["source", "reason"]
        )
        self.reconcile_last_success = self._gauge(
            "incidentd_reconcile_last_success_timestamp_seconds",
            "When all Alertmanagers of a source last answered and were believed; 0: never.",
            ["source"],
        )
        self.silences = self._gauge(
            "incidentd_silences",
            "Silences made from incidents, at each Alertmanager, by how they stand.",
            ["source", "state"],
        )

    def security_event(self, event: SecurityEvent, name: str = "") -> None:
        """Count one. `name`: of the account that somebody tried to get into."""
        self._events[event].inc()
        self.refusals.add(event.value, name)

    def ssrf_blocked(self) -> None:
        """Count a request of ours that would have gone where none may."""
        self.security_event(SecurityEvent.SSRF_BLOCK)

    def suspicious(self, activity: Activity) -> None:
        """Count one, and the security event that it is."""
        self._activities[activity].inc()
        self.security_event(EVENT_OF[activity])

    def service(self, name: str) -> str:
        """`name` as a label value: bounded in number, cut in length."""
        return _bounded(self._services, name[:64] or "none", MAX_SERVICES)

    def environment(self, name: str) -> str:
        """The same for an environment; what no identifier has becomes ``_``."""
        return _bounded(self._environments, _UNPLAIN.sub("_", name[:64]) or "none", MAX_ENVIRONMENTS)


def _bounded(seen: set[str], name: str, most: int) -> str:
    if name not in seen and len(seen) >= most:
        return "other"
    seen.add(name)
    return name
