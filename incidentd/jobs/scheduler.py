"""The tick: the only module that imports APScheduler. What is due stands in the database, never in a job."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobExecutionEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do again and again. It must be safe to run late, twice, or on several replicas."""

    name: str
    every: timedelta
    run: Callable[[], Awaitable[object]]


class Scheduler:
    """Runs jobs one at a time each; a failure is logged and the next tick tries again."""

    def __init__(self, jobs: tuple[Job, ...]) -> None:
        self.jobs = jobs
        self._running: set[asyncio.Task[object]] = set()
        self._scheduler = AsyncIOScheduler(timezone="UTC")
        self._scheduler.add_listener(_report, EVENT_JOB_ERROR | EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)

    def start(self) -> None:
        """Begin to tick."""
        for job in self.jobs:
            self._scheduler.add_job(
                self._tracked,
                "interval",
                args=[job],
                seconds=job.every.total_seconds(),
                id=job.name,
                # A late tick still runs: by default APScheduler drops it after one second.
                misfire_grace_time=None,
                coalesce=True,
                max_instances=1,
            )
        self._scheduler.start()

    async def stop(self) -> None:
        """No further ticks; what runs now runs to its end, for the scheduler itself would cancel it."""
        if not self._scheduler.running:
            return
        self._scheduler.pause()
        while self._running:
            await asyncio.gather(*self._running, return_exceptions=True)
        self._scheduler.shutdown(wait=False)

    async def _tracked(self, job: Job) -> None:
        task = asyncio.ensure_future(job.run())
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        await asyncio.shield(task)


def _report(event: JobExecutionEvent) -> None:
    log.error(
        "job_failed",
        job=event.job_id,
        error=repr(getattr(event, "exception", None) or "missed or overlapping"),
    )
