"""Series of what is worked out rather than counted: budgets, and how far the figures can be believed."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge


class FigureMetrics:
    """Gauges that every replica reads from the database, or from its configuration, for each scrape."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.budget_left = Gauge(
            "incidentd_slo_error_budget_left_ratio",
            "Share of the error budget that is left; below 0 if more was spent.",
            ["slo"],
            registry=registry,
        )
        self.burn_rate = Gauge(
            "incidentd_slo_burn_rate",
            "Speed of spending; 1 is exactly as fast as it may be.",
            ["slo", "window"],
            registry=registry,
        )
        self.slo_target = Gauge("incidentd_slo_target_ratio", "What is promised.", ["slo"], registry=registry)
        self.environments = Gauge(
            "incidentd_figures_environment",
            "1: deployments there make the DORA figures (figures.environments).",
            ["environment"],
            registry=registry,
        )
        self.database_up = Gauge(
            "incidentd_metrics_database_up",
            "1: gauges that only the database knows were read for this scrape. 0: they are of an earlier one.",
            registry=registry,
        )
