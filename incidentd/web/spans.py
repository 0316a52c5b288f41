"""Requests as spans: named by the template of their route, never by a path, which may hold a token."""

from __future__ import annotations

from contextvars import Token
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from incidentd import tracing
from incidentd.tracing import CURRENT, Kind, Span, Tracer
from incidentd.web.desk import ACTOR, REQUEST_ID, SOURCE

_OF_INCIDENTS: Final = "/api/v1/incidents/{id}"
_UNTRACED: Final = ("/health", "/metrics", "/api/v1/events")
"""What machines ask all day, and streams, which never end."""


@dataclass(frozen=True, slots=True)
class RequestSpan:
    """A request that is traced."""

    span: Span
    token: Token[str | None]

    def end(self, request: web.Request, status: int) -> None:
        """It was answered."""
        known = {"incidentd.source": request.get(SOURCE), "incidentd.actor": request.get(ACTOR)}
        attributes: dict[str, str | int] = {name: value for name, value in known.items() if value}
        attributes["http.response.status_code"] = status
        self.span.end(attributes, f"http_{status}" if status >= 500 else None)
        CURRENT.reset(self.token)


def begin(tracer: Tracer, request: web.Request, route: str) -> RequestSpan | None:
    """Begin the request's span and make it what everything inside belongs to; None: this route is not traced."""
    if route.startswith(_UNTRACED):
        return None
    attributes: dict[str, str | int] = {
        "http.request.method": request.method[:16],
        "http.route": route,
        "incidentd.request_id": request[REQUEST_ID],
    }
    if (incident := incident_of(request, route)) is not None:
        attributes["incidentd.incident"] = incident
    parent = tracing.valid(request.headers.get("traceparent"))
    span = tracer.begin(f"{request.method[:16]} {route}", Kind.SERVER, parent, attributes)
    return RequestSpan(span, CURRENT.set(span.context))


def incident_of(request: web.Request, route: str) -> int | None:
    """The number of the incident that the address names."""
    if not route.startswith(_OF_INCIDENTS):
        return None
    number = request.match_info["id"].upper().removeprefix("INC-")
    return int(number) if number.isdecimal() and len(number) < 19 else None
