"""The public status page and its documents, served from memory."""

from __future__ import annotations

import hmac
from typing import Final

from aiohttp import web
from multidict import CIMultiDict

from incidentd.config import Scope
from incidentd.domain.status_page.layout import MAIN
from incidentd.public.documents import Document
from incidentd.web.auth import secret_of
from incidentd.web.desk import Desk
from incidentd.web.op import PUBLIC, Call, Op
from incidentd.web.problems import Problem, not_found


async def serve(call: Call) -> web.Response:
    """One document of a page."""
    desk, request = call.desk, call.request
    key, path = await _asked(call)
    # First: whoever is not let in shall not learn what there is either.
    await _admit(call, key)
    found = await desk.status.document(key, path)
    if found is None:
        raise not_found()
    given, packed = request.headers.get("If-None-Match"), _reads_gzip(request)
    headers, body = answer(desk, call.request_id, found, packed=packed)
    if given is not None and _knows(given, (found.etag, found.packed_etag)):
        headers.popall("Content-Encoding", None)
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, headers=headers)


def answer(desk: Desk, request_id: str, found: Document, *, packed: bool) -> tuple[CIMultiDict[str], bytes]:
    """The headers and the body of the answer with a document; `packed` for who reads gzip."""
    headers = desk.headers(request_id, found.media)
    headers["Cache-Control"] = found.cache_control
    headers["ETag"] = found.etag
    if found.policy:
        headers["Content-Security-Policy"] = found.policy
    if found.private:
        headers["X-Robots-Tag"] = "noindex, nofollow"
    else:
        # Public by intent and without credentials: status widgets on other sites read it.
        headers["Access-Control-Allow-Origin"] = "*"
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    small = found.packed
    if small is None:
        return headers, found.body
    headers["Vary"] = "Accept-Encoding"
    if not packed:
        return headers, found.body
    headers["Content-Encoding"] = "gzip"
    headers["ETag"] = found.packed_etag
    return headers, small


async def _asked(call: Call) -> tuple[str, str]:
    """Which page, and what of it."""
    path, key = call.request.path, call.request.match_info.get("page")
    if key is None:
        return await call.desk.status.key_of(call.request.host), path
    return (key, path.removeprefix(f"/pages/{key}") or "/") if key != MAIN else ("", path)


async def _admit(call: Call, key: str) -> None:
    """Let in who has a private page's token, or one that may read everything. Raises `Problem`."""
    page = call.desk.context.config.status_page.pages.get(key)
    if page is None or page.token is None:
        return
    own = page.token.get_secret_value().encode()
    if hmac.compare_digest(secret_of(call.request), own):
        return
    try:
        await call.desk.auth.admit(call.request, Scope.READ)
    except Problem as refused:
        if refused.status != 401:
            raise
        # Basic, so that a browser asks for it; feed readers know it too.
        challenge = {"WWW-Authenticate": f'Basic realm="{key}", charset="UTF-8"'}
        raise Problem(401, "this page is for those who have its token", headers=challenge) from None


def _reads_gzip(request: web.Request) -> bool:
    given = request.headers.get("Accept-Encoding", "")
    # `gzip;q=0` says no; nobody sends it, and who does gets what everybody can read.
    return "gzip" in given and "q=0" not in given.replace("q=0.", "")


def _knows(given: str, etags: tuple[str, ...]) -> bool:
    known = [tag.strip().removeprefix("W/") for tag in given.split(",")]
    return "*" in known or any([etag in known for etag in etags])


def _op(path: str, summary: str, media: str = "application/json", refusals: tuple[int, ...] = ()) -> Op:
    also = (f"/pages/{{page}}{path}", *(("/pages/{page}",) if path == "/" else ()))
    return Op(
        ("GET", "HEAD"),
        path,
        serve,
        PUBLIC,
        summary,
        media=media,
        limited=True,
        refusals=refusals,
        also=also,
    )


_SHAPE: Final = "in Statuspage's shape"
OPS: Final = (
    _op("/", "The public status page", "text/html"),
    _op("/history", "Incidents of the newest month, and all months", "text/html"),
    _op("/history/{month}", "Incidents of one month, such as 2026-11", "text/html", (404,)),
    _op("/maintenance/{id}.ics", "A scheduled maintenance as a calendar entry", "text/calendar", (404,)),
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
