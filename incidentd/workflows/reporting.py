"""The report of a window, read in one snapshot of the database: what happened, what it cost, how deployments went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from incidentd.config import Config
from incidentd.domain import dora, figures, toil
from incidentd.domain.dora import Dora
from incidentd.domain.figures import Report
from incidentd.domain.runbook import Runbook
from incidentd.domain.runbook_figures import RunbookReport, runbook_report
from incidentd.domain.toil import Breach, Load, Toil
from incidentd.store import deployments
from incidentd.store import figures as figure_store
from incidentd.store.engine import Tx

_MENDING = timedelta(days=30)
"""Deployments so long before a window may still be mended in it; ones after it mend those in it."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """All figures of one window."""

    window: timedelta
    service: str | None
    """None: of all."""
    report: Report
    toil: Toil
    load: tuple[Load, ...]
    breaches: tuple[Breach, ...]
    objective: timedelta
    """What MTTR should be at most."""
    dora: Dora
    runbooks: RunbookReport


def compiled(
    tx: Tx,
    config: Config,
    books: Sequence[Runbook],
    until: datetime,
    window: timedelta,
    service: str | None,
) -> Compiled:
    """The figures of the `window` up to `until`, of one service or of all; `books` are the runbooks in force."""
    rules, since = config.figures, until - window
    facts = figure_store.facts_since(tx, since, service, rules.counting)
    services = None if service is None else {service}
    outages = figure_store.outages(tx, since - _MENDING, services)
    deployed = deployments.ended_since(tx, since, service)
    worked = figure_store.worked(tx, since, until, service)
    pages = figure_store.pages(tx, since, until, service)
    return Compiled(
        window=window,
        service=service,
        report=figures.report(facts, until, window),
        toil=toil.toil(facts, since, until),
        load=tuple(toil.load(pages, since, until, rules.time_zone)),
        breaches=tuple(toil.breaches(facts, since, until, rules.mttr_objective)),
        objective=rules.mttr_objective,
        dora=dora.dora(deployed, outages, until, window, rules.blame),
        # Which of those that nobody needed are for this service, their matchers do not tell.
        runbooks=runbook_report(facts, worked, books, until, window, idle=service is None),
    )
