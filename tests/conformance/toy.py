"""A small receiver that gets everything right, unless it is told to make a mistake that real ones make."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import web

from incidentd.conformance.bodies import LABEL
from incidentd.conformance.view import Capabilities, View, ViewedAlert, ViewedIncident

KNOWN = {
    *("receiver", "status", "alerts", "groupLabels", "commonLabels", "commonAnnotations", "externalURL"),
    *("version", "groupKey", "truncatedAlerts"),
}


class Mistake(enum.StrEnum):
    """What a receiver may get wrong."""

    APPENDS = "every firing alert of a post opens a ticket"
    DEAF = "resolved is ignored"
    BODY_STATUS = "the body's status counts for all its alerts"
    ABSENCE = "what is missing from a body of its group is over"
    HASTY = "whatever fires after its end pages"
    DULL = "what once ended never opens again"
    SUMMARY = "the summary is the identity"
    RECEIVER = "the receiver is part of the identity"
    ORPHANS = "a resolve that nothing fired for opens a ticket"
    LATE = "any resolve closes"
    YEAR_ONE = "an end in the past is an end"
    STRICT = "unknown fields and missing labels are refused"
    NAIVE_ZONES = "the zone of a time is dropped"
    FIRST_ERROR = "one bad alert refuses the body"
    NO_NUL = "a NUL is an error of the server"
    LIMIT = "429 after a few posts"
    REDIRECT = "a slash at the end is redirected"
    POST_ONLY = "PUT is refused"
    GULLIBLE = "everything is answered 200"
    SILENT_CUT = "truncatedAlerts is ignored"
    FORGETFUL = "everything is in memory"


@dataclass
class Ticket:
    """What people work on."""

    number: int
    labels: dict[str, str]
    fingerprint: str
    starts: datetime
    over: bool = False
    group: str = ""
    notified: int = 1
    incomplete: bool = False


class _RefusedError(Exception):
    pass


@dataclass
class Toy:
    """One ticket for each occurrence of an alert."""

    mistake: Mistake | None = None
    tickets: list[Ticket] = field(default_factory=list)
    posts: int = 0
    url: str = ""

    def post(self, body: dict[str, Any]) -> None:
        """Take a webhook body in."""
        if self.mistake is Mistake.STRICT and set(body) - KNOWN:
            raise _RefusedError
        taken = [self._one(alert, body) for alert in body["alerts"]]
        if self.mistake is Mistake.ABSENCE and taken:
            for ticket in self.tickets:
                gone = ticket.group == body["groupKey"] and ticket.labels not in taken
                ticket.over = ticket.over or gone

    def _one(self, alert: Any, body: dict[str, Any]) -> dict[str, str] | None:
        try:
            labels = dict(alert["labels"])
            starts = datetime.fromisoformat(alert["startsAt"])
            ends = alert["endsAt"]
            fires = {"firing": True, "resolved": False}[alert["status"]]
        except (KeyError, TypeError, ValueError):
            if self.mistake is Mistake.FIRST_ERROR:
                raise _RefusedError from None
            return None
        self._check(labels, alert)
        if self.mistake is Mistake.NAIVE_ZONES:
            starts = datetime.fromisoformat(f"{alert['startsAt'][:19]}+00:00")
        if self.mistake is Mistake.BODY_STATUS:
            fires = body["status"] == "firing"
        if self.mistake is Mistake.YEAR_ONE and ends < starts.isoformat():
            fires = False
        self._sight(self._identity(alert, body), labels, starts, ends, fires, body)
        return labels

    def _check(self, labels: dict[str, str], alert: dict[str, Any]) -> None:
        if self.mistake is Mistake.STRICT and not {"alertname", "severity"} <= set(labels):
            raise _RefusedError
        texts = [*labels.values(), *alert["annotations"].values()]
        if self.mistake is Mistake.NO_NUL and "\0" in "".join(texts):
            raise web.HTTPInternalServerError

    def _identity(self, alert: dict[str, Any], body: dict[str, Any]) -> str:
        if self.mistake is Mistake.SUMMARY:
            return f"{alert['labels'].get(LABEL)} {alert['annotations']['summary']}"
        if self.mistake is Mistake.RECEIVER:
            return f"{alert['fingerprint']} {body['receiver']}"
        return str(alert["fingerprint"])

    def _sight(
        self, key: str, labels: dict[str, str], starts: datetime, ends: str, fires: bool, body: dict[str, Any]
    ) -> None:
        known = next((t for t in reversed(self.tickets) if t.fingerprint == key), None)
        if fires:
            self._firing(known, Ticket(len(self.tickets), labels, key, starts), body)
        elif known is not None:
            older = datetime.fromisoformat(ends) < known.starts and self.mistake is not Mistake.LATE
            known.over = known.over or not (older or self.mistake is Mistake.DEAF)
        elif self.mistake is Mistake.ORPHANS:
            self.tickets.append(Ticket(len(self.tickets), labels, key, starts))

    def _firing(self, known: Ticket | None, new: Ticket, body: dict[str, Any]) -> None:
        if self.mistake is Mistake.APPENDS or known is None:
            known = new
            self.tickets.append(new)
        elif known.over and self.mistake is not Mistake.DULL:
            stale = new.starts <= known.starts and self.mistake is not Mistake.HASTY
            new.notified = 0 if stale else 1
            known = new
            self.tickets.append(new)
        known.group = body["groupKey"]
        known.starts = max(known.starts, new.starts)
        known.incomplete = body["truncatedAlerts"] > 0 and self.mistake is not Mistake.SILENT_CUT

    def restart(self) -> None:
        """As after a kill."""
        if self.mistake is Mistake.FORGETFUL:
            self.tickets.clear()

    def wanted(self, token: str) -> Iterator[Ticket]:
        """The tickets of one case."""
        # A copy, for the suite looks from another thread.
        return (ticket for ticket in list(self.tickets) if ticket.labels.get(LABEL) == token)


class ToyAdapter:
    """Looks into the toy directly."""

    def __init__(self, toy: Toy) -> None:
        self.toy = toy

    def capabilities(self) -> Capabilities:
        return Capabilities(protocol=1, name="toy", pages=True, truncated=True, settle_seconds=0)

    def view(self, token: str) -> View:
        return View(incidents=[_incident(ticket) for ticket in self.toy.wanted(token)])

    def acknowledge(self, incident: int | str) -> None:
        raise NotImplementedError


def _incident(ticket: Ticket) -> ViewedIncident:
    fingerprint = ticket.fingerprint.split(" ")[0]
    status: Any = "resolved" if ticket.over else "firing"
    alert = ViewedAlert(fingerprint=fingerprint, status=status, starts_at=ticket.starts)
    return ViewedIncident(
        id=ticket.number,
        open=not ticket.over,
        alerts=[alert],
        pages=ticket.notified,
        truncated=ticket.incomplete,
    )


def _shown(ticket: Ticket) -> dict[str, Any]:
    return {
        "number": ticket.number,
        "closed": ticket.over,
        "notified": ticket.notified,
        "incomplete": ticket.incomplete,
        "alerts": [{"id": ticket.fingerprint, "over": ticket.over, "labels": ticket.labels}],
    }


class _Door:
    """The toy's HTTP."""

    def __init__(self, toy: Toy) -> None:
        self.toy = toy

    async def hook(self, request: web.Request) -> web.Response:
        toy = self.toy
        toy.posts += 1
        if toy.mistake is Mistake.LIMIT and toy.posts > 20:
            return web.Response(status=429)
        if toy.mistake is Mistake.REDIRECT and request.path.endswith("/"):
            raise web.HTTPMovedPermanently("/hook")
        if toy.mistake is Mistake.POST_ONLY and request.method != "POST":
            return web.Response(status=405)
        try:
            body = await request.json()
            toy.post(body)
        except (ValueError, TypeError, KeyError, _RefusedError):
            return web.Response(status=200 if toy.mistake is Mistake.GULLIBLE else 400)
        return web.Response()

    async def tickets(self, request: web.Request) -> web.Response:
        return web.json_response([_shown(ticket) for ticket in self.toy.wanted(request.query["search"])])


@asynccontextmanager
async def running(mistake: Mistake | None = None) -> AsyncIterator[Toy]:
    """A toy at `url`/hook, its own API at `url`/tickets."""
    toy = Toy(mistake)
    door = _Door(toy)
    app = web.Application(client_max_size=64 * 1024 * 1024)
    for path in ("/hook", "/hook/"):
        app.router.add_route("*", path, door.hook)
    app.router.add_get("/tickets", door.tickets)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=256).start()
    toy.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield toy
    finally:
        await runner.cleanup()
