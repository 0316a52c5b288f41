"""Sees what a receiver made of the posts: the port, and any adapter that speaks the protocol over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ValidationError

from incidentd.conformance.bodies import LABEL
from incidentd.conformance.view import Capabilities, View
from incidentd.conformance.wire import Answer, NoAnswerError, Request, Wire

M = TypeVar("M", bound=BaseModel)
_OK = range(200, 300)


class AdapterError(Exception):
    """The adapter cannot be used: what it answered, and what would be accepted.

    `status`: of its answer; 0 without one; None if the answer itself is not understood.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Adapter(Protocol):
    """The receiver's view. Every method raises AdapterError."""

    def capabilities(self) -> Capabilities:
        """Who answers, and what is shown."""
        ...

    def view(self, token: str) -> View:
        """The incidents with an alert whose label `conformance` is `token`."""
        ...

    def acknowledge(self, incident: int | str) -> None:
        """Acknowledge an incident."""
        ...


class HttpAdapter:
    """Any adapter that speaks the protocol."""

    def __init__(self, url: str, headers: Mapping[str, str], wire: Wire) -> None:
        self._url = url.rstrip("/")
        self._headers = headers
        self._wire = wire

    def capabilities(self) -> Capabilities:
        """Who answers, and what is shown."""
        url = f"{self._url}/capabilities"
        # Once: whoever starts the suite wants to hear at once that nobody is there.
        answer = ask(self._wire, Request("GET", url, headers=self._headers), once=True)
        return parsed(Capabilities, answer.body, url)

    def view(self, token: str) -> View:
        """The incidents with an alert whose label `conformance` is `token`."""
        path = "/incidents?" + urlencode({"label": f"{LABEL}={token}"})
        return parsed(View, self._get(path), self._url + path)

    def acknowledge(self, incident: int | str) -> None:
        """Acknowledge an incident."""
        path = f"/incidents/{quote(str(incident), safe='')}/acknowledge"
        ask(self._wire, Request("POST", self._url + path, b"{}", json_headers(self._headers)))

    def _get(self, path: str) -> bytes:
        return ask(self._wire, Request("GET", self._url + path, headers=self._headers)).body


def json_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The same for a request with a JSON body."""
    return {**headers, "Content-Type": "application/json"}


def ask(wire: Wire, request: Request, *, once: bool = False) -> Answer:
    """The answer, which is a 2xx; `once`: without trying again. Raises AdapterError."""
    place = f"{request.method} {request.url}"
    try:
        answer = wire.send(request) if once else wire.deliver(request)
    except NoAnswerError as failure:
        raise AdapterError(f"{place}: {failure}", 0) from None
    if answer.status not in _OK:
        raise AdapterError(f"{place} answered {answer.status}, expected is 2xx", answer.status)
    return answer


def parsed(model: type[M], body: bytes, place: str) -> M:
    """An answer of the protocol. Raises AdapterError that names what is wrong."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise AdapterError(f"{place} is not as docs/conformance.md has it: {where}: {first['msg']}") from None
