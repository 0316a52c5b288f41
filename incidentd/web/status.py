"""The public status page and its documents, served from the cache."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from incidentd.web.headers import JSON
from incidentd.web.op import Call

_CACHE_CONTROL: Final = "public, max-age=10, stale-while-revalidate=60, stale-if-error=86400"


async def html_page(call: Call) -> web.Response:
    """The page, for people."""
    return await _serve(call, "html", "text/html; charset=utf-8")


async def summary(call: Call) -> web.Response:
    """Everything, in the shape of Statuspage's summary.json."""
    return await _serve(call, "summary", JSON)


async def status(call: Call) -> web.Response:
    """The page's status alone."""
    return await _serve(call, "status", JSON)


async def _serve(call: Call, name: str, content_type: str) -> web.Response:
    body, etag = (await call.desk.status.page()).documents[name]
    headers = call.desk.headers(call.request_id, content_type)
    headers["Cache-Control"] = _CACHE_CONTROL
    headers["ETag"] = etag
    if content_type == JSON:
        # Public by intent and without credentials: status widgets on other sites read it.
        headers["Access-Control-Allow-Origin"] = "*"
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    known = [
        tag.strip().removeprefix("W/") for tag in call.request.headers.get("If-None-Match", "").split(",")
    ]
    if etag in known or "*" in known:
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, headers=headers)
