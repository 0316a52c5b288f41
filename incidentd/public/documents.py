"""All documents of a page, made at once: what is served, under which path, with which headers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from incidentd.domain.status_page.page import PublicPage
from incidentd.public import badge, feeds, html, statuspage

JSON: Final = "application/json; charset=utf-8"
HTML: Final = "text/html; charset=utf-8"
CACHE_CONTROL: Final = "public, max-age=10, stale-while-revalidate=60, stale-if-error=86400"
BADGE_CACHE: Final = "public, max-age=60, stale-while-revalidate=60, stale-if-error=86400"


@dataclass(frozen=True, slots=True)
class Document:
    """One answer, complete."""

    body: bytes
    etag: str
    media: str
    cache_control: str = CACHE_CONTROL


def render(page: PublicPage) -> Mapping[str, Document]:
    """Path -> document."""
    made = {f"/api/v2/{name}.json": _json(body) for name, body in statuspage.bodies(page).items()}
    made["/api/status/uptime.json"] = _json(statuspage.uptime(page))
    made["/history.atom"] = _made(feeds.atom(page), "application/atom+xml; charset=utf-8")
    made["/history.rss"] = _made(feeds.rss(page), "application/rss+xml; charset=utf-8")
    made["/"] = _made(html.home(page), HTML)
    for event in page.events:
        made[f"/incidents/{event.id}"] = _made(html.event(page, event), HTML)
    for path, body in badge.badges(page).items():
        made[path] = _made(body, "image/svg+xml; charset=utf-8", BADGE_CACHE)
    return made


def _json(body: Mapping[str, Any]) -> Document:
    return _made(orjson.dumps(body), JSON)


def _made(body: bytes, media: str, cache_control: str = CACHE_CONTROL) -> Document:
    return Document(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"', media, cache_control)
