"""Around every request: its id, its errors as problem details, its metrics and its line in the log."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any, Final

import orjson
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from incidentd.clock import random_id
from incidentd.config import Scope
from incidentd.log import bound
from incidentd.refusals import ASKING
from incidentd.security_events import SecurityEvent
from incidentd.web import access
from incidentd.web.auth import ANYBODY
from incidentd.web.clients import certificate_of, client_of, local, network_of
from incidentd.web.desk import ACTOR, REQUEST_ID, SOURCE, Desk
from incidentd.web.headers import PROBLEM
from incidentd.web.inputs import read_json, read_query
from incidentd.web.op import Call, Op
from incidentd.web.places import sign_in_first
from incidentd.web.probes import probes
from incidentd.web.problems import Problem, problem_of
from incidentd.web.spans import begin, incident_of

log = structlog.get_logger()

UNMATCHED: Final = "unmatched"
"""The route label of paths that are not in the table: a label from a path would grow without end."""
_CLIENT_LEFT: Final = 499
_REFUSED: Final = frozenset({401, 403, 421, 429})
_ID_LENGTH: Final = 64
_ID_PUNCTUATION: Final = str.maketrans("", "", "-_.:")


def outer(desk: Desk, ops: Mapping[web.AbstractRoute, Op]) -> Middleware:
    """The one middleware."""
    monotonic = desk.context.clock.monotonic
    http, tracer = desk.http, desk.context.telemetry.tracer

    @web.middleware
    async def serve(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = monotonic()
        request[REQUEST_ID] = request_id(request)
        ASKING.set(functools.partial(_asking, desk, request))
        op = ops.get(request.match_info.route)
        route = op.path if op else UNMATCHED
        _look(desk, request, route)
        status = _CLIENT_LEFT
        http.in_flight += 1
        span = begin(tracer, request, route) if tracer is not None and op is not None else None
        with bound(request_id=request[REQUEST_ID], incident=incident_of(request, route)):
            try:
                response = await _answered(desk, request, handler, route)
                status = response.status
                return response
            finally:
                http.in_flight -= 1
                seconds = monotonic() - started
                http.answered(request.method, route, status, seconds)
                _note(desk, request, op, status, seconds)
                if span is not None:
                    span.end(request, status)

    return serve


def _asking(desk: Desk, request: web.Request) -> tuple[str, str]:
    return client_of(request, desk.context.config.server), request[REQUEST_ID]


def _look(desk: Desk, request: web.Request, route: str) -> None:
    """Count what scanners try. Nothing is refused for it, and nothing of it is ever in an answer."""
    for kind in probes(request.raw_path):
        desk.context.metrics.suspicious(kind)
        client = client_of(request, desk.context.config.server)
        path = loggable(request.raw_path)
        # A name for each kind, for one line of each kind in ten seconds is enough.
        desk.seldom.warn(
            f"probe_{kind}", client=client, route=route, path=path, request_id=request[REQUEST_ID]
        )


async def _answered(desk: Desk, request: web.Request, handler: Handler, route: str) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        problem = _of_http(error)
    except ConnectionError:
        raise
    except Exception as error:  # noqa: BLE001 - the last resort: a bug must answer without telling about itself
        problem = problem_of(error) or _bug(request, route, error)
    desk.http.refused(route, problem)
    return refuse(desk, request[REQUEST_ID], problem)


def _bug(request: web.Request, route: str, error: Exception) -> Problem:
    actor = request.get(ACTOR)
    log.error("request_failed", method=request.method[:16], route=route, actor=actor, exc_info=error)
    return Problem(500, "something went wrong here; the log has the details under the request id")


def refuse(desk: Desk, request_id_: str, problem: Problem) -> web.Response:
    """The answer that tells of a problem."""
    headers = desk.headers(request_id_, PROBLEM)
    headers.update(problem.headers)
    return web.Response(
        body=orjson.dumps(problem.document(request_id_)), status=problem.status, headers=headers
    )


def _of_http(error: web.HTTPException) -> Problem:
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return Problem(405, f"accepted here: {allowed}", headers={"Allow": allowed})
    return Problem(error.status, "there is nothing here" if error.status == 404 else "")


def _note(desk: Desk, request: web.Request, op: Op | None, status: int, seconds: float) -> None:
    if op is not None and op.webhook:
        desk.http.webhook(request.get(SOURCE, "unknown"), status)
        if status < 400:
            # Thousands a second of these are normal; the metrics count them.
            return
    path = op.path if op else loggable(request.path)
    values: dict[str, Any] = {"method": request.method[:16], "path": path, "status": status}
    values |= {"ms": round(seconds * 1000, 1), "request_id": request[REQUEST_ID], "actor": request.get(ACTOR)}
    if status in _REFUSED:
        values["client"] = client_of(request, desk.context.config.server)
    if op is None or status in {401, 429, 503}:
        desk.seldom.warn(f"http_{status}", **values)
    elif status < 400 and request.method in {"GET", "HEAD"}:
        # Reading changes nothing: dashboards and scrapes would bury what does.
        log.debug("http_request", **values)
    else:
        log.info("http_request", **values)


def loggable(path: str) -> str:
    """`path` without the token of a link, which is a credential even where the rest was mistyped."""
    for link in ("/ack/", "/calendars/", "/subscriptions/", "/login/callback?"):
        before, found, _ = path.partition(link)
        if found:
            return f"{before}{link}***"[:200]
    return path[:200]


def request_id(request: web.Request) -> str:
    """The sender's ``X-Request-ID`` if it is harmless in a log and short, else a new one."""
    given = request.headers.get("X-Request-ID")
    if given and len(given) <= _ID_LENGTH and given.isascii() and given.translate(_ID_PUNCTUATION).isalnum():
        return given
    return random_id()


def enter(desk: Desk, op: Op) -> Handler:
    """The way into an operation: credentials first, then the input, then its handler."""

    async def handle(request: web.Request) -> web.StreamResponse:
        identity = ANYBODY
        if op.limited:
            _not_too_often(desk, request, op)
        if isinstance(op.access, Scope) and not (op.open_if is not None and op.open_if(desk.context.config)):
            if await _signs_in_first(desk, request):
                return _to_sign_in(desk, request)
            identity = await desk.auth.admit(request, op.access)
            request[ACTOR] = identity.actor
        call = Call(desk, request, identity, None, None)
        await access.check(call, op)
        call.query = None if op.query is None else read_query(op.query, request)
        call.body = None if op.body is None or not op.reads_body else await read_json(op.body, request)
        return await op.handler(call)

    return handle


def _not_too_often(desk: Desk, request: web.Request, op: Op) -> None:
    client = client_of(request, desk.context.config.server)
    if local(client):
        return  # a proxy that nobody has named would be one client for everybody
    wait = desk.rates.wait(network_of(client))
    if wait:
        desk.context.metrics.rate_limit_hits.labels(op.path).inc()
        desk.context.metrics.security_event(SecurityEvent.RATE_LIMITED)
        headers = {"Retry-After": str(math.ceil(wait))}
        raise Problem(429, "too many requests from your network; come again in a moment", headers=headers)


async def _signs_in_first(desk: Desk, request: web.Request) -> bool:
    """True for a person who follows a link in a browser and is not signed in. No program is ever sent elsewhere."""
    headers = request.headers
    if request.method != "GET" or headers.get("Sec-Fetch-Mode") != "navigate" or "Authorization" in headers:
        return False
    await desk.auth.refreshed()
    config = desk.context.config
    if not (desk.auth.accounts or config.auth.oidc) or certificate_of(request, config) is not None:
        return False
    secret = desk.auth.sessions.secret_of(request)
    return secret is None or await desk.auth.sessions.find(secret, request) is None


def _to_sign_in(desk: Desk, request: web.Request) -> web.Response:
    headers = desk.headers(request[REQUEST_ID], "text/plain; charset=utf-8")
    headers["Location"] = sign_in_first(request)
    return web.Response(status=303, headers=headers)
