"""The public status page and its documents, served from memory."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from incidentd.web.op import PUBLIC, Call, Op
from incidentd.web.problems import not_found


async def serve(call: Call) -> web.Response:
    """One public document."""
    found = await call.desk.status.document(call.request.path)
    if found is None:
        raise not_found()
    headers = call.desk.headers(call.request_id, found.media)
    headers["Cache-Control"] = found.cache_control
    headers["ETag"] = found.etag
    # Public by intent and without credentials: status widgets on other sites read it.
    headers["Access-Control-Allow-Origin"] = "*"
    headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    given = call.request.headers.get("If-None-Match")
    if given is not None and _knows(given, found.etag):
        return web.Response(status=304, headers=headers)
    return web.Response(body=found.body, headers=headers)


def _knows(given: str, etag: str) -> bool:
    known = [tag.strip().removeprefix("W/") for tag in given.split(",")]
    return etag in known or "*" in known


def _op(path: str, summary: str, media: str = "application/json", refusals: tuple[int, ...] = ()) -> Op:
    return Op(("GET", "HEAD"), path, serve, PUBLIC, summary, media=media, limited=True, refusals=refusals)


_SHAPE: Final = "in Statuspage's shape"
OPS: Final = (
    _op("/", "The public status page", "text/html"),
    _op("/incidents/{id}", "One public incident or maintenance, for good", "text/html", (404,)),
    _op("/api/v2/summary.json", f"Everything that is going on, {_SHAPE}"),
    _op("/api/v2/status.json", f"Overall status, {_SHAPE}"),
    _op("/api/v2/components.json", f"Components and groups, {_SHAPE}"),
    _op("/api/v2/incidents.json", f"The 50 newest incidents, {_SHAPE}"),
    _op("/api/v2/incidents/unresolved.json", f"Incidents that are not over, {_SHAPE}"),
    _op("/api/v2/scheduled-maintenances.json", f"The 50 newest maintenances, {_SHAPE}"),
    _op("/api/v2/scheduled-maintenances/upcoming.json", f"Maintenances to come, {_SHAPE}"),
    _op("/api/v2/scheduled-maintenances/active.json", f"Maintenances under way, {_SHAPE}"),
    _op("/api/status/uptime.json", "Uptime of each component over 1, 30 and 90 days, and its days"),
    _op("/history.atom", "Incidents and maintenances as an Atom feed", "application/atom+xml"),
    _op("/history.rss", "Incidents and maintenances as an RSS feed", "application/rss+xml"),
    _op("/badge.svg", "The page's state as a badge", "image/svg+xml"),
    _op("/badge/{id}.svg", "A component's or group's state as a badge", "image/svg+xml", (404,)),
)
