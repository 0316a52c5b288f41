"""The public status page: the page itself and the Statuspage-shaped documents, from configuration and open incidents.

Nothing of an incident gets here but its effect on a component: no title, no label, no name.
"""

from __future__ import annotations

import asyncio
import hashlib
import html
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from incidentd.config import Config
from incidentd.store.engine import StoreRejectedError, StoreUnavailableError
from incidentd.store.incidents import open_labels
from incidentd.web.components import Fare, fares, indicator
from incidentd.web.context import Context
from incidentd.web.problems import unavailable

_FRESH_SECONDS: Final = 5.0
_WAIT_SECONDS: Final = 2.0
_WORDS: Final = {
    "operational": "Operational",
    "degraded_performance": "Degraded performance",
    "partial_outage": "Partial outage",
    "major_outage": "Major outage",
}


@dataclass(frozen=True, slots=True)
class Page:
    """The documents of one moment, with their ETags."""

    documents: Mapping[str, tuple[bytes, str]]
    """Name -> (body, ETag)."""


class StatusCache:
    """The newest documents, made again at most every five seconds, and kept while the database is away."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._config: Config | None = None
        self._page: Page | None = None
        self._made_at = 0.0
        self._fares: tuple[Fare, ...] | None = None
        self._born = context.clock.now()
        self._changed = self._born
        self._making: asyncio.Task[None] | None = None

    async def page(self) -> Page:
        """The documents. Raises 503 only if there never were any."""
        context = self._context
        stale = context.clock.monotonic() - self._made_at >= _FRESH_SECONDS
        if self._page is None or stale or self._config is not context.config:
            await self._make_once()
        if self._page is None:
            raise unavailable("the status cannot be determined now")
        return self._page

    async def _make_once(self) -> None:
        if self._making is None or self._making.done():
            self._making = asyncio.create_task(self._make(), name="status page")
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                await asyncio.shield(self._making)
        except TimeoutError:
            return

    async def _make(self) -> None:
        context = self._context
        config = context.config
        # Before the read: a database that is away is asked once in five seconds, not by every visitor.
        self._made_at = context.clock.monotonic()
        try:
            incidents = await context.store.read(open_labels)
        except (StoreUnavailableError, StoreRejectedError):
            return
        label = context.rules.severity.label
        seen = [({**labels, label: severity.value}, severity) for labels, severity in incidents]
        now_fares = fares(config.status_page.components, seen)
        if now_fares != self._fares:
            self._changed = self._born if self._fares is None else context.clock.now()
            self._fares = now_fares
        self._config = config
        self._page = _documents(config, now_fares, self._born, self._changed)

    async def close(self) -> None:
        """Finish what is under way."""
        if self._making is not None:
            await self._making


def _documents(config: Config, found: tuple[Fare, ...], born: datetime, changed: datetime) -> Page:
    page = {
        "id": public_id("page", config.status_page.name),
        "name": config.status_page.name,
        "url": config.status_page.url or config.server.public_url,
        "time_zone": config.status_page.time_zone,
        "updated_at": stamp(changed),
    }
    level, words = indicator(found)
    status = {"indicator": level, "description": words}
    summary = {
        "page": page,
        "components": _components(found, page["id"], stamp(born), stamp(changed)),
        "incidents": [],
        "scheduled_maintenances": [],
        "status": status,
    }
    bodies = {
        "summary": orjson.dumps(summary),
        "status": orjson.dumps({"page": page, "status": status}),
        "html": _html(config.status_page.name, words, found),
    }
    return Page({name: (body, f'"{hashlib.sha256(body).hexdigest()[:32]}"') for name, body in bodies.items()})


def _components(found: tuple[Fare, ...], page_id: str, born: str, changed: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    groups: dict[str, list[Fare]] = {}
    top = 0
    for fare in found:
        name = fare.component.group
        common = {"page_id": page_id, "created_at": born, "updated_at": changed}
        if name is None:
            top += 1
            rows.append(_component(fare, None, top) | common)
            continue
        if name not in groups:
            top += 1
            groups[name] = [other for other in found if other.component.group == name]
            rows.append(_group(name, groups[name], top) | common)
        position = groups[name].index(fare) + 1
        rows.append(_component(fare, public_id("group", name), position) | common)
    return rows


def _component(fare: Fare, group_id: str | None, position: int) -> dict[str, Any]:
    component = fare.component
    return {
        "id": public_id("component", component.group or "", component.name),
        "name": component.name,
        "status": fare.effect.value,
        "position": position,
        "description": component.description or None,
        "showcase": False,
        "start_date": None,
        "group_id": group_id,
        "group": False,
        "only_show_if_degraded": False,
    }


def _group(name: str, members: list[Fare], position: int) -> dict[str, Any]:
    worst = max(members, key=lambda fare: fare.rank)
    return {
        "id": public_id("group", name),
        "name": name,
        "status": worst.effect.value,
        "position": position,
        "description": None,
        "showcase": False,
        "start_date": None,
        "group_id": None,
        "group": True,
        "only_show_if_degraded": False,
        "components": [public_id("component", name, fare.component.name) for fare in members],
    }


def public_id(*parts: str) -> str:
    """Twelve characters that stay the same while the names do; readers take ids as opaque."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def stamp(at: datetime) -> str:
    """An instant with exactly three fraction digits: some readers of the format fail without."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def _html(name: str, words: str, found: tuple[Fare, ...]) -> bytes:
    rows = "".join(
        f"<li>{html.escape(_named(fare))}: <strong>{_WORDS[fare.effect.value]}</strong></li>"
        for fare in found
    )
    listed = f"<h2>Components</h2><ul>{rows}</ul>" if rows else ""
    title = f"{html.escape(name)}: {words}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title></head><body><main><h1>{title}</h1>{listed}"
        '<p><a href="/api/v2/summary.json">The same as JSON</a></p></main></body></html>'
    ).encode()


def _named(fare: Fare) -> str:
    component = fare.component
    return f"{component.group} - {component.name}" if component.group else component.name
