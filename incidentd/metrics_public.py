"""Series of what the public is told: subscribers, and copies of the page. `metrics.Metrics` has them."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class PublicMetrics:
    """The daemon's figures about its public page."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.deliveries = Counter(
            "incidentd_subscriber_deliveries",
            "Attempts to tell a subscriber of the status page, and endings.",
            ["kind", "outcome"],
            registry=registry,
        )
        self.subscribers = Gauge(
            "incidentd_subscribers",
            "Subscribers of the status page.",
            ["kind", "standing"],
            registry=registry,
        )
        self.oldest = Gauge(
            "incidentd_subscriber_oldest_pending_seconds",
            "Age of the oldest notice to a subscriber that has not left.",
            registry=registry,
        )
        self.exported = Gauge(
            "incidentd_status_export_last_success_timestamp_seconds",
            "When the copy of the status page was last complete and up to date; 0: never.",
            ["target"],
            registry=registry,
        )
        self.export_failures = Counter(
            "incidentd_status_export_failures",
            "Copies of the status page that could not be made.",
            ["target"],
            registry=registry,
        )
        self.export_seconds = Histogram(
            "incidentd_status_export_seconds",
            "How long making a copy of the status page took.",
            ["target"],
            buckets=_SECONDS,
            registry=registry,
        )
