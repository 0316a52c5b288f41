"""COMPOSITION ROOT: the one file that knows every part. Starts them in order, stops them in reverse."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import structlog

from incidentd import sockets
from incidentd.channels.base import ChannelEnv
from incidentd.channels.http import HttpClient
from incidentd.clock import Clock, SystemClock, random_id
from incidentd.clockwork import Clockwork, Parts
from incidentd.config import Config, ConfigError, load, secret_texts
from incidentd.delivery.worker import Worker
from incidentd.domain.ack_link import AckLinks
from incidentd.domain.incident import Change
from incidentd.doors import Doors
from incidentd.jobs.anchors import Anchors
from incidentd.jobs.auditing import Auditing
from incidentd.lifecycle import Lifecycle, StartError, at_once
from incidentd.masking import hide
from incidentd.metrics import Metrics
from incidentd.outlets import Outlets
from incidentd.protection import protected
from incidentd.restart_needed import with_kept
from incidentd.runbooks.library import Library
from incidentd.sources.members import Members
from incidentd.store import settings
from incidentd.store.ballast import Ballast
from incidentd.store.engine import Store, StoreUnavailableError
from incidentd.store.filelock import FileLock
from incidentd.store.migrate import migrate
from incidentd.tracing import Telemetry
from incidentd.web.context import Context
from incidentd.workflows import calendars
from incidentd.workflows.intake import GroupCommit
from incidentd.workflows.outcomes import Outcomes
from incidentd.workflows.receive import Reception
from incidentd.workflows.rules import rules_of
from incidentd.workflows.secrets import ack_secret, webhook_secrets

log = structlog.get_logger()


class Daemon:
    """One running incidentd. Several can live in one process: nothing is global but the log."""

    def __init__(
        self,
        config: Config,
        path: Path | None = None,
        *,
        clock: Clock | None = None,
        output: TextIO | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        """`path` is what a reload reads again; `output` is where the console channel writes."""
        self.config = config
        self.clock: Clock = clock or SystemClock()
        self.metrics = Metrics()
        self.telemetry = telemetry or Telemetry()
        self.library = Library(self.metrics, lambda: self.config.runbooks)
        self.url = ""
        self.protected = False
        """True if requests need a token."""
        self._path = path
        self._output = output or sys.stdout
        self._lifecycle = Lifecycle()
        self.doors = Doors(self._lifecycle)
        self._reloading = asyncio.Lock()
        self._ballast: Ballast | None = None

    async def start(self) -> None:
        """Return when alerts are accepted. Raises `StartError`, `StoreUnavailableError` and what migration raises."""
        try:
            await self._start()
        except BaseException:  # whatever it was, what has been started must end
            await self.stop()
            raise

    async def stop(self) -> bool:
        """Refuse new work, finish what is under way, hand back leases; True if `server.shutdown_timeout` sufficed."""
        if hasattr(self, "context"):
            self.context.stopping.set()
        return await self._lifecycle.stop(self._shutdown_seconds)

    @property
    def _shutdown_seconds(self) -> float:
        return self.config.server.shutdown_timeout.total_seconds()

    async def _start(self) -> None:
        self._take_port()
        await self._open_store()
        await self._look_for_tokens(self.config)
        known = await self.store.read(lambda tx: calendars.said(tx, self.config))
        self.config = self.config.with_calendars(known)
        self._http = http = HttpClient(blocked=self.metrics.ssrf_blocked)
        # Half: what has to be cut off then gets as long to end.
        self._lifecycle.started("http client", lambda seconds: http.aclose(seconds / 2))
        self._env = ChannelEnv(
            http=http,
            clock=self.clock,
            public_url=self.config.server.public_url,
            generated_secret=lambda name: self._secrets[name],
            output=self._output,
        )
        self._outlets = Outlets(self._env)
        self._outlets.take(self.config)
        await self.library.refresh()
        self._members = Members(self.clock)
        self._members.take(self.config)
        await self._audit(http)
        self._build_worker()
        self._build_intake()
        self._build_clockwork()
        await self.doors.open(self.context, self._shutdown_seconds)
        self.worker.start()
        self.clockwork.start()

    def _take_port(self) -> None:
        server, port = self.config.server, self.doors.take(self.config)
        self.config = self.config.model_copy(update={"server": server.at(port=port)})
        self.url = sockets.url_of(server.host, port)

    async def _open_store(self) -> None:
        url = self.config.database.url.get_secret_value()
        self.store = Store(url, on_full=lambda: self._ballast is not None and self._ballast.release())
        if self.store.path is not None:
            # Two daemons on one SQLite file would each believe to be the only sender. Locked first, released last:
            # whoever gets the lock finds nobody sending any more.
            lock = FileLock(self.store.path)
            lock.acquire()
            self._lifecycle.started("database lock", at_once(lock.release))
            self._ballast = Ballast(self.store.path)
            await asyncio.to_thread(self._ballast.ensure)
        self._lifecycle.started("database", lambda _: self.store.close())
        self._migrated = await migrate(url)
        self.instance = await self.store.write(
            lambda tx: settings.get_or_create(tx, "instance", lambda: random_id()[:8])
        )
        await self._generate_secrets(self.config)
        secret = await self.store.write(lambda tx: ack_secret(tx, self.clock.now()))
        self._ack_links = AckLinks(secret, self.config.server.public_url)

    async def _generate_secrets(self, config: Config) -> None:
        webhooks = [name for name, channel in config.channels.items() if channel.kind == "webhook"]
        self._secrets = await self.store.write(lambda tx: webhook_secrets(tx, webhooks, self.clock.now()))
        hide([*secret_texts(config), *self._secrets.values()])

    async def _look_for_tokens(self, config: Config) -> None:
        self.protected = await protected(self.store, config, self.config.server)

    async def _audit(self, http: HttpClient) -> None:
        anchors = Anchors(lambda: self.config.audit.anchor, lambda: self._outlets.senders, http, self.metrics)
        self.auditing = Auditing(self.store, self.clock, self.metrics, self.config, anchors, self._path)
        await self.auditing.start(self.instance, self._migrated)
        self._lifecycle.started("audit log", self.auditing.stop)

    def _build_worker(self) -> None:
        self.worker = Worker(
            store=self.store,
            senders=self._outlets.senders,
            traits=self._outlets.traits,
            clock=self.clock,
            metrics=self.metrics,
            owner=random_id("w-"),
            instance=self.instance,
            public_url=self.config.server.public_url,
            ack_links=self._ack_links,
            alertmanagers=self._outlets.alertmanagers,
            noted=lambda: self.context.noted.ring(),  # noqa: PLW0108 - the context is made later
            tracer=self.telemetry.tracer,
        )
        self._lifecycle.started("deliveries", self.worker.stop)

    def _build_intake(self) -> None:
        rules = rules_of(self.config, self._outlets.targets, self.library.shelf)
        environments = sorted(rules.blame.environments)
        self.outcomes = Outcomes(self.metrics, environments, lambda: self.context.rules.counting)
        self.intake = GroupCommit(
            self.store,
            self.clock,
            self.metrics,
            lambda: self.context.rules,
            self._received,
            self.config.server.queue.max_alerts,
            self.telemetry.tracer,
        )
        self.context = Context(
            config=self.config,
            rules=rules,
            store=self.store,
            intake=self.intake,
            clock=self.clock,
            metrics=self.metrics,
            http=self._env.http,
            changed=self._changed,
            channel_health=self.worker.health,
            reload=self.reload,
            started_at=self.clock.monotonic(),
            config_path=self._path,
            queued=lambda: self.intake.queued,
            ack_links=self._ack_links,
            library=self.library,
            audit_key=self.auditing.key,
            instance=self.instance,
            telemetry=self.telemetry,
        )
        self.intake.start()
        self._lifecycle.started("intake", lambda _: self.intake.stop())

    def _build_clockwork(self) -> None:
        parts = Parts(
            intake=self.intake,
            members=self._members,
            http=self._http,
            env=self._env,
            ballast=self._ballast,
            auditing=self.auditing,
            take_calendars=self._take_calendars,
            read_runbooks=self.read_runbooks,
        )
        self.clockwork = Clockwork(self.context, parts, self._lifecycle)

    def _received(self, reception: Reception) -> None:
        self.outcomes.count(reception.changes)
        if reception.telling:
            self.worker.wake()
        if reception.noted:
            self.context.noted.ring()

    def _changed(self, changes: tuple[Change, ...]) -> None:
        self.outcomes.count(changes)
        self.worker.wake()
        self.context.noted.ring()

    async def read_runbooks(self, *, again: bool = False) -> None:
        """Look whether runbooks have changed; with `again` read them all."""
        if await self.library.refresh(again=again):
            self.context.rules = replace(self.context.rules, runbooks=self.library.shelf)

    async def reload(self) -> list[str]:
        """Read the configuration again. The problems if it is bad: then the running one stays in force."""
        async with self._reloading:
            try:
                warnings = await self._reload()
            except (ConfigError, OSError, StartError, StoreUnavailableError) as error:
                self.metrics.config_reloads.labels("refused").inc()
                log.error("config_refused", problems=str(error).splitlines())  # noqa: TRY400 - they say it all
                return str(error).splitlines()
            self.metrics.config_reloads.labels("done").inc()
            log.info("config_reloaded", path=str(self._path), warnings=warnings)
            return []

    async def _reload(self) -> list[str]:
        """All of it is made first and put in force last, without a pause in between."""
        if self._path is None:
            raise StartError("this daemon was started without a configuration file")
        loaded = await asyncio.to_thread(load, self._path)
        config = with_kept(self.config, loaded.config)
        await self._look_for_tokens(config)
        await self._generate_secrets(config)
        await self._put_in_force(config)
        self.worker.replace_senders(self._outlets.senders, self._outlets.traits, self._outlets.alertmanagers)
        self.context.noted.ring()  # event streams look whether their tokens are still in force
        await self.read_runbooks(again=True)
        return list(loaded.warnings)

    async def _put_in_force(self, config: Config) -> None:
        config = config.with_calendars(await self.store.read(lambda tx: calendars.said(tx, config)))
        self._outlets.take(config)
        self._members.take(config)
        self.config = self.context.config = config
        self.context.rules = rules_of(config, self._outlets.targets, self.library.shelf)

    async def _take_calendars(self) -> None:
        """A calendar says something else, whichever replica has read it: who is on duty may have changed."""
        async with self._reloading:
            await self._put_in_force(self.config)
