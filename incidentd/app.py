"""COMPOSITION ROOT: the one file that knows every part. Starts them in order, stops them in reverse."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TextIO

import structlog
from aiohttp import web

from incidentd import sockets
from incidentd.channels.base import ChannelEnv, Sender, discover
from incidentd.channels.http import HttpClient
from incidentd.clock import Clock, SystemClock, random_id
from incidentd.config import Config, ConfigError, load
from incidentd.delivery.worker import Worker
from incidentd.domain.incident import Change
from incidentd.jobs.scheduler import Job, Scheduler
from incidentd.lifecycle import Lifecycle, StartError
from incidentd.metrics import Metrics
from incidentd.store import settings, tokens
from incidentd.store.ballast import Ballast
from incidentd.store.engine import Store, StoreUnavailableError
from incidentd.store.filelock import FileLock
from incidentd.store.migrate import migrate
from incidentd.web.context import Context
from incidentd.web.server import build, harden
from incidentd.workflows import housekeeping
from incidentd.workflows.intake import GroupCommit
from incidentd.workflows.outcomes import Outcomes
from incidentd.workflows.receive import Reception
from incidentd.workflows.respond import run_timers, timers_due
from incidentd.workflows.rules import rules_of
from incidentd.workflows.secrets import webhook_secrets

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
    ) -> None:
        """`path` is what a reload reads again; `output` is where the console channel writes."""
        self.config = config
        self.clock: Clock = clock or SystemClock()
        self.metrics = Metrics()
        self.url = ""
        self.protected = False
        """True if requests need a token."""
        self._path = path
        self._output = output or sys.stdout
        self._lifecycle = Lifecycle()
        self._noted = asyncio.Event()
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
        """Refuse new work, finish what is under way, hand back leases; True if all of it ended in time."""
        if hasattr(self, "context"):
            self.context.stopping.set()
        return await self._lifecycle.stop()

    async def _start(self) -> None:
        self._take_port()
        await self._open_store()
        await self._look_for_tokens(self.config)
        http = HttpClient()
        self._lifecycle.started("http client", http.aclose, 5)
        self._env = ChannelEnv(
            http=http,
            clock=self.clock,
            public_url=self.config.server.public_url,
            generated_secret=lambda name: self._secrets[name],
            output=self._output,
        )
        senders = self._senders(self.config)
        self._build_worker(senders)
        self._build_intake(senders)
        self._build_scheduler()
        await self._serve()
        self.worker.start()
        self.scheduler.start()

    def _take_port(self) -> None:
        server = self.config.server
        self._sockets = sockets.bind(server.host, server.port)
        self._lifecycle.started("port", self._give_port_back, 1)
        port = sockets.port_of(self._sockets)
        self.config = self.config.model_copy(update={"server": server.at(port=port)})
        self.url = sockets.url_of(server.host, port)

    async def _give_port_back(self) -> None:
        sockets.close(self._sockets)

    async def _open_store(self) -> None:
        url = self.config.database.url.get_secret_value()
        self.store = Store(url, on_full=self._make_room)
        if self.store.path is not None:
            # Locked first, released last: whoever gets the lock finds nobody sending any more.
            self._guard_file(self.store.path)
            self._ballast = Ballast(self.store.path)
            await asyncio.to_thread(self._ballast.ensure)
        self._lifecycle.started("database", self.store.close, 10)
        result = await migrate(url)
        if result.before != result.after:
            log.info(
                "schema_migrated", before=result.before, after=result.after, backup=str(result.backup or "")
            )
        self.instance = await self.store.write(
            lambda tx: settings.get_or_create(tx, "instance", lambda: random_id()[:8])
        )
        await self._generate_secrets(self.config)

    def _guard_file(self, path: Path) -> None:
        """Two daemons on one SQLite file would each believe to be the only sender."""
        lock = FileLock(path)
        lock.acquire()

        async def release() -> None:
            lock.release()

        self._lifecycle.started("database lock", release, 1)

    def _make_room(self) -> bool:
        return self._ballast is not None and self._ballast.release()

    async def _generate_secrets(self, config: Config) -> None:
        webhooks = [name for name, channel in config.channels.items() if channel.kind == "webhook"]
        self._secrets = await self.store.write(lambda tx: webhook_secrets(tx, webhooks))

    async def _look_for_tokens(self, config: Config) -> None:
        """Refuse to serve others without any token."""
        stored = await self.store.read(tokens.all_tokens)
        # A revoked token counts: revoking the last one must not open the door.
        self.protected = bool(config.auth.tokens or stored)
        server = self.config.server
        if not server.loopback and not self.protected:
            raise StartError(
                f"server.host is {server.host}, which others can reach, and there is no token: anybody could "
                "acknowledge incidents. Configure auth.tokens, or run `incidentd token create NAME --scope admin`, "
                "or listen on 127.0.0.1"
            )

    def _senders(self, config: Config) -> dict[str, Sender]:
        kinds = discover()
        return {
            name: kinds[channel.kind].open(channel, name, self._env)
            for name, channel in config.channels.items()
        }

    def _build_worker(self, senders: Mapping[str, Sender]) -> None:
        self.worker = Worker(
            store=self.store,
            senders=senders,
            clock=self.clock,
            metrics=self.metrics,
            owner=random_id("w-"),
            instance=self.instance,
            public_url=self.config.server.public_url,
            noted=self._noted.set,
        )
        bound = self.config.server.shutdown_timeout.total_seconds()
        self._lifecycle.started("deliveries", lambda: self.worker.stop(bound), bound + 5)

    def _build_intake(self, senders: Mapping[str, Sender]) -> None:
        rules = rules_of(self.config, {name: sender.target for name, sender in senders.items()})
        self.outcomes = Outcomes(self.metrics)
        self.intake = GroupCommit(
            self.store,
            self.clock,
            self.metrics,
            lambda: self.context.rules,
            self._received,
            self.config.server.queue.max_alerts,
        )
        self.context = Context(
            config=self.config,
            rules=rules,
            store=self.store,
            intake=self.intake,
            clock=self.clock,
            metrics=self.metrics,
            changed=self._changed,
            channel_health=self.worker.health,
            reload=self.reload,
            started_at=self.clock.monotonic(),
            config_path=self._path,
            queued=lambda: self.intake.queued,
        )
        self.intake.start()
        self._lifecycle.started("intake", self.intake.stop, 15)

    def _build_scheduler(self) -> None:
        self.scheduler = Scheduler(
            (
                Job("timers", timedelta(seconds=1), self.run_timers),
                Job("housekeeping", timedelta(minutes=10), self.housekeep),
            )
        )
        self._lifecycle.started("clockwork", self.scheduler.stop, 10)

    async def _serve(self) -> None:
        server = self.config.server
        bound = server.shutdown_timeout.total_seconds()
        runner = web.AppRunner(
            build(self.context), access_log=None, handle_signals=False, shutdown_timeout=bound / 2
        )
        await runner.setup()
        harden(runner)
        # Half the time for requests to end by themselves; aiohttp waits the same again after cancelling them.
        self._lifecycle.started("http server", runner.cleanup, bound + 1)
        for each in self._sockets:
            await web.SockSite(runner, each, backlog=1024).start()
        self._lifecycle.started("announcer", self._stop_announcing, 1)
        self._announcer = asyncio.create_task(self._announce(), name="announcer")

    def _received(self, reception: Reception) -> None:
        self.outcomes.count(reception.changes)
        if reception.telling:
            self.worker.wake()
        if reception.noted:
            self._noted.set()

    def _changed(self, changes: tuple[Change, ...]) -> None:
        self.outcomes.count(changes)
        self.worker.wake()
        self._noted.set()

    async def _announce(self) -> None:
        while True:
            await self._noted.wait()
            self._noted.clear()
            async with self.context.noted:
                self.context.noted.notify_all()

    async def _stop_announcing(self) -> None:
        self._announcer.cancel()
        await asyncio.wait({self._announcer})

    async def run_timers(self) -> None:
        """End the snoozes and holds that are due."""
        now = self.clock.now()
        if await self.store.read(lambda tx: timers_due(tx, now)):
            rules = self.context.rules
            self._changed(await self.store.write(lambda tx: run_timers(tx, rules, now)))

    async def housekeep(self) -> None:
        """Forget what is old, and keep the database's files small."""
        await housekeeping.housekeep(self.store, self.context.config.retention, self.clock.now())
        if self._ballast is not None:
            await asyncio.to_thread(self._ballast.ensure)

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
        server, config = self.config.server, loaded.config
        if config.server.at(server.host, server.port) != server or config.database != self.config.database:
            log.warning("config_needs_restart", sections=["server", "database"])
        config = config.model_copy(update={"server": server, "database": self.config.database})
        await self._look_for_tokens(config)
        await self._generate_secrets(config)
        senders = self._senders(config)
        self.config = self.context.config = config
        self.context.rules = rules_of(config, {name: sender.target for name, sender in senders.items()})
        self.worker.replace_senders(senders)
        return list(loaded.warnings)
