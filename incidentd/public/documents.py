"""All documents of a page: what is served, under which path, with which headers."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Final

import orjson

from incidentd.domain.status_page.page import PublicPage
from incidentd.public import badge, calendar, feeds, html, statuspage

JSON: Final = "application/json; charset=utf-8"
HTML: Final = "text/html; charset=utf-8"
CACHE_CONTROL: Final = "public, max-age=10, stale-while-revalidate=60, stale-if-error=86400"
BADGE_CACHE: Final = "public, max-age=60, stale-while-revalidate=60, stale-if-error=86400"
PRIVATE_CACHE: Final = "private, max-age=10"
_WORTH_PACKING: Final = 1000
"""Bytes: below it, packing saves nothing that a network packet would notice."""


@dataclass(frozen=True)
class Document:
    """One answer, complete."""

    body: bytes
    media: str
    cache_control: str = CACHE_CONTROL
    policy: str = ""
    """Its Content-Security-Policy; empty: the usual one."""
    private: bool = False
    """Only for those who may read the page."""

    @cached_property
    def etag(self) -> str:
        """Strong: of these very bytes."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'

    @property
    def packed_etag(self) -> str:
        """Of the packed bytes."""
        return f'{self.etag[:-1]}-gzip"'

    @cached_property
    def packed(self) -> bytes | None:
        """The body with gzip; None if it is too short to be worth it."""
        return gzip.compress(self.body, 6, mtime=0) if len(self.body) >= _WORTH_PACKING else None


class Tree(Mapping[str, Document]):
    """Path -> document. What is asked for often is made at once, pages of the past when somebody asks."""

    def __init__(self) -> None:
        self._makers: dict[str, Callable[[], Document]] = {}
        self._made: dict[str, Document] = {}

    def add(self, path: str, make: Callable[[], Document]) -> None:
        """`make` it when it is asked for."""
        self._makers[path] = make

    def make_all(self) -> None:
        """Make what was added so far: it will be asked for."""
        for path in self._makers:
            found = self[path]
            found.etag, found.packed  # noqa: B018 - both are kept

    def __getitem__(self, path: str) -> Document:
        found = self._made.get(path)
        if found is None:
            found = self._made[path] = self._makers[path]()
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def render(page: PublicPage) -> Tree:
    """The documents of `page`."""
    cache = PRIVATE_CACHE if page.look.private else CACHE_CONTROL
    badge_cache = PRIVATE_CACHE if page.look.private else BADGE_CACHE
    tree = Tree()

    def add(path: str, make: Callable[[], bytes], media: str, cached: str = cache) -> None:
        policy = html.policy(page.look) if media is HTML else ""
        tree.add(path, lambda: Document(make(), media, cached, policy, page.look.private))

    for name, body in statuspage.bodies(page).items():
        add(f"/api/v2/{name}.json", partial(orjson.dumps, body), JSON)
    add("/api/status/uptime.json", lambda: orjson.dumps(statuspage.uptime(page)), JSON)
    add("/history.atom", partial(feeds.atom, page), "application/atom+xml; charset=utf-8")
    add("/history.rss", partial(feeds.rss, page), "application/rss+xml; charset=utf-8")
    add("/", partial(html.home, page), HTML)
    for path, picture in badge.badges(page).items():
        add(path, partial(bytes, picture), "image/svg+xml; charset=utf-8", badge_cache)
    tree.make_all()
    _add_past(page, add)
    return tree


def _add_past(page: PublicPage, add: Callable[[str, Callable[[], bytes], str], Any]) -> None:
    for event in page.events:
        add(f"/incidents/{event.id}", partial(html.event, page, event), HTML)
        if event.maintenance:
            make = partial(calendar.maintenance, page, event)
            add(f"/maintenance/{event.id}.ics", make, "text/calendar; charset=utf-8")
    months = list(html.months(page))
    add("/history", partial(html.history, page, months[0]), HTML)
    for month in months:
        add(f"/history/{month}", partial(html.history, page, month), HTML)
