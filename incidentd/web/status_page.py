"""The public documents in memory: made once for each change, served without a look at the database."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

import structlog

from incidentd.config import Config
from incidentd.domain.status_page.layout import MAIN
from incidentd.domain.status_page.page import PublicPage
from incidentd.public.documents import Document, Tree, render
from incidentd.store import publications
from incidentd.store.engine import StoreRejectedError, StoreUnavailableError, Tx
from incidentd.web.context import Context
from incidentd.web.problems import unavailable
from incidentd.workflows.public_page import Made, page

LOOK_SECONDS: Final = 0.5
"""How often the database is asked whether another replica has changed something."""
_GATHER_SECONDS: Final = 0.05
"""What happens within this time after a change is one look: a storm must not become a storm of questions."""
_OLDEST_SECONDS: Final = 60.0
"""Made anew after that, for uptime moves without any change."""
_WAIT_SECONDS: Final = 2.0

log = structlog.get_logger()


class StatusCache:
    """The newest documents of every page; kept while the database is away."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._pages: Mapping[str, PublicPage] = {}
        self._trees: Mapping[str, Tree] | None = None
        self._hosts: Mapping[str, str] = {}
        self._config: Config | None = None
        self._version = ""
        self._until: datetime | None = None
        self._made_at = 0.0
        self._wake = asyncio.Event()
        self._first = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._following: asyncio.Task[None] | None = None

    async def document(self, key: str, path: str) -> Document | None:
        """What stands under `path` of a page; None: nothing does. Raises 503 only if there never was anything."""
        tree = (await self._made()).get(key)
        return None if tree is None else tree.get(path)

    async def page(self, key: str = MAIN) -> PublicPage:
        """A page as it was last made. Raises 503 as above, KeyError if there is no such page."""
        await self._made()
        return self._pages[key]

    async def _made(self) -> Mapping[str, Tree]:
        if self._trees is None:
            try:
                async with asyncio.timeout(_WAIT_SECONDS):
                    await self._first.wait()
            except TimeoutError:
                raise unavailable("the status cannot be determined now") from None
        assert self._trees is not None  # noqa: S101 - for the type checker: set before the event
        return self._trees

    async def key_of(self, host: str) -> str:
        """The page that a request for this host, perhaps with a port, means. Raises 503 as above."""
        await self._made()
        return self._hosts.get(host.lower(), MAIN) if self._hosts else MAIN

    @property
    def quick_tree(self) -> Tree | None:
        """The main page's documents if a request's path alone says which of them it means."""
        return None if self._hosts or self._trees is None else self._trees.get(MAIN)

    def start(self) -> None:
        """Begin to follow what changes."""
        self._context.noted.heed(self._ring)
        self._following = asyncio.create_task(self._follow(), name="status page")

    async def close(self) -> None:
        """Stop following."""
        self._context.noted.ignore(self._ring)
        if self._timer is not None:
            self._timer.cancel()
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait({self._following})

    def _ring(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_GATHER_SECONDS, self._rung)

    def _rung(self) -> None:
        self._timer = None
        self._wake.set()

    async def _follow(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self._look()
            except (StoreUnavailableError, StoreRejectedError):
                pass  # what was made last is served on: a page that is old says more than none
            except Exception:  # one bad page must not end the following of all later ones
                log.exception("status_page_failed")
            await self._context.clock.wait(self._wake, LOOK_SECONDS)

    async def _look(self) -> None:
        context, now = self._context, self._context.clock.now()
        config, layout = context.config, context.rules.layout
        changed = await context.store.read_now(publications.version) != self._version
        if self._trees is not None and not changed and config is self._config and not self._over(now):
            return
        made: Made = await context.store.read_now(lambda tx: _page(tx, context, now))
        # In a thread: requests are answered meanwhile.
        trees = await asyncio.to_thread(_rendered, made)
        self._pages, self._trees, self._version, self._until = made.pages, trees, made.version, made.until
        self._hosts = _hosts(config)
        self._config = config if layout is context.rules.layout else None
        self._made_at = context.clock.monotonic()
        self._first.set()

    def _over(self, now: datetime) -> bool:
        old = self._context.clock.monotonic() - self._made_at >= _OLDEST_SECONDS
        return old or (self._until is not None and now >= self._until)


def _page(tx: Tx, context: Context, now: datetime) -> Made:
    return page(tx, context.rules.layout, now)


def _rendered(made: Made) -> Mapping[str, Tree]:
    return {key: render(each) for key, each in made.pages.items()}


def _hosts(config: Config) -> Mapping[str, str]:
    """Host, as requests name it -> page."""
    pages = config.status_page.pages
    return {urlsplit(each.url).netloc.lower(): key for key, each in pages.items() if each.url is not None}
