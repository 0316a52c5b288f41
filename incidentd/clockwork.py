"""What works by the clock, put together: what each part needs, and the order in which they stop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from incidentd.channels.base import ChannelEnv
from incidentd.channels.http import HttpClient
from incidentd.jobs.auditing import Auditing
from incidentd.jobs.automation import Automation
from incidentd.jobs.calendars import CalendarReader
from incidentd.jobs.chores import Chores
from incidentd.jobs.exporting import Exporting
from incidentd.jobs.journaling import Journaling
from incidentd.jobs.monthly import Mailing
from incidentd.jobs.objectives import Watching
from incidentd.jobs.reconciler import Reconciler
from incidentd.jobs.scheduler import Scheduler
from incidentd.jobs.silencer import Silencer
from incidentd.jobs.status_pages import StatusPages
from incidentd.jobs.telling import Telling
from incidentd.lifecycle import Lifecycle
from incidentd.sources.members import Members
from incidentd.store.ballast import Ballast
from incidentd.web.context import Context
from incidentd.workflows.intake import GroupCommit


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the jobs need besides the daemon's context."""

    intake: GroupCommit
    members: Members
    http: HttpClient
    env: ChannelEnv
    ballast: Ballast | None
    auditing: Auditing
    take_calendars: Callable[[], Awaitable[None]]
    read_runbooks: Callable[[], Awaitable[None]]


class Clockwork:
    """All jobs of one daemon, ready to start; `lifecycle` stops them."""

    def __init__(self, context: Context, parts: Parts, lifecycle: Lifecycle) -> None:
        store, clock, metrics = context.store, context.clock, context.metrics
        self.chores = Chores(
            store=store,
            clock=clock,
            rules=lambda: context.rules,
            config=lambda: context.config,
            changed=context.changed,
            stopping=context.stopping,
            ballast=parts.ballast,
            metrics=metrics,
            http=context.http,
            read_runbooks=parts.read_runbooks,
        )
        asking = (store, clock, lambda: context.rules, lambda: parts.members.of)
        reconciler = Reconciler(*asking, parts.intake, context.changed, metrics, context.heard)
        lifecycle.started("reconciler", lambda _: reconciler.stop())
        silencer = Silencer(*asking, context.changed)
        lifecycle.started("silences", silencer.stop)
        self.automation = _automation(context)
        lifecycle.started("steps of runbooks", self.automation.stop)
        kept = Journaling(store, clock, context.journal, lambda: context.config, context.stopping)
        lifecycle.started("journal", kept.stop)
        self.calendars = CalendarReader(
            store, clock, parts.http, lambda: context.config, metrics, parts.take_calendars
        )
        self.pages = _pages(context)
        self.watching = _watching(context)
        self.mailing = _mailing(context, parts.env)
        figures = (*self.watching.jobs, *self.mailing.jobs)
        acting = (reconciler.job, silencer.job, self.automation.job, *kept.jobs)
        regular = (*self.chores.jobs, *acting, *self.calendars.jobs)
        self.telling = _telling(context, parts)
        self.exporting = _exporting(context, parts)
        public = (*self.pages.jobs, *self.telling.jobs, *self.exporting.jobs)
        jobs = (*regular, *public, *figures, *parts.auditing.jobs)
        lifecycle.started("posts to subscribers", self.telling.stop)
        self._scheduler = Scheduler(jobs)
        lifecycle.started("clockwork", lambda _: self._scheduler.stop())

    def start(self) -> None:
        """Begin to tick."""
        self._scheduler.start()


def _automation(context: Context) -> Automation:
    return Automation(
        context.store,
        context.clock,
        lambda: context.config,
        lambda: context.rules,
        context.changed,
        context.metrics,
    )


def _pages(context: Context) -> StatusPages:
    return StatusPages(
        context.store, context.clock, lambda: context.rules, context.changed, context.stopping.is_set
    )


def _telling(context: Context, parts: Parts) -> Telling:
    return Telling(
        store=context.store,
        clock=context.clock,
        http=parts.http,
        env=parts.env,
        config=lambda: context.config,
        rules=lambda: context.rules,
        metrics=context.metrics,
        stopping=context.stopping.is_set,
    )


def _exporting(context: Context, parts: Parts) -> Exporting:
    return Exporting(
        store=context.store,
        clock=context.clock,
        http=parts.http,
        export=lambda: context.config.status_page.export,
        rules=lambda: context.rules,
        metrics=context.metrics,
        stopping=context.stopping.is_set,
    )


def _mailing(context: Context, env: ChannelEnv) -> Mailing:
    return Mailing(
        context.store, context.clock, lambda: context.config, env, lambda: context.rules.runbooks.runbooks
    )


def _watching(context: Context) -> Watching:
    return Watching(
        context.store,
        context.clock,
        context.http,
        lambda: context.rules,
        lambda: context.config,
        context.board,
        context.changed,
    )
