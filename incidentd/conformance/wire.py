"""Posts as Alertmanager does: no redirect followed, 5xx and silence repeated with growing pauses, nothing else.

On the standard library's http.client, for the cases say themselves how a body is framed; nothing may be put right on
the way.
"""

from __future__ import annotations

import gzip
import http.client
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from incidentd.conformance.model import Coding
from incidentd.conformance.timing import Timing

LIMIT_SECONDS = 10.0
"""Alertmanager's shortest time-out: what answers later is posted again."""
GIVE_UP_SECONDS = 30.0
"""How long 5xx and silence are met with another attempt."""
_FIRST_PAUSE_SECONDS = 0.5
_GROWTH = 1.5
_CHUNK = 16 * 1024
_BODY_LIMIT = 64 * 1024 * 1024
_TOGETHER = 64
"""Posts at the same moment."""


class NoAnswerError(Exception):
    """Nothing, or no HTTP, came back: refused, timed out or broken off. The text says which."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as it is to be sent."""

    method: str
    url: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    coding: Coding = Coding.PLAIN


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `seconds` from the first byte sent to the last one read."""

    status: int
    body: bytes
    seconds: float
    headers: Mapping[str, str]


def address(url: str) -> SplitResult:
    """The parts of an http or https address. Raises ValueError if it is none."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.fragment:
        raise ValueError(f"{url!r} is not an address; accepted: http://HOST:PORT/PATH")
    _ = parts.port  # raises ValueError for what is no port
    return parts


class Wire:
    """Sends requests, each on a connection of its own, as Alertmanager's groups do."""

    def __init__(
        self, timing: Timing, limit: float = LIMIT_SECONDS, give_up: float = GIVE_UP_SECONDS
    ) -> None:
        self._timing = timing
        self._limit = limit
        self._give_up = give_up

    def send(self, request: Request) -> Answer:
        """One attempt. Raises NoAnswerError."""
        parts = address(request.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=self._limit)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers, body = _framed(request)
        started = self._timing.monotonic()
        try:
            connection.request(
                request.method, target, body, headers, encode_chunked=request.coding is Coding.CHUNKED
            )
            response = connection.getresponse()
            content = response.read(_BODY_LIMIT)
        except TimeoutError:
            raise NoAnswerError(f"no answer within {self._limit:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswerError(
                getattr(error, "strerror", None) or str(error) or type(error).__name__
            ) from None
        finally:
            connection.close()
        seconds = self._timing.monotonic() - started
        return Answer(response.status, content, seconds, {k.lower(): v for k, v in response.getheaders()})

    def deliver(self, request: Request) -> Answer:
        """The answer after as many attempts as Alertmanager would make. Raises NoAnswerError."""
        deadline, pause = self._timing.monotonic() + self._give_up, _FIRST_PAUSE_SECONDS
        while True:
            over = self._timing.monotonic() + pause >= deadline
            try:
                answer = self.send(request)
            except NoAnswerError:
                if over:
                    raise
            else:
                if answer.status < http.HTTPStatus.INTERNAL_SERVER_ERROR or over:
                    return answer
            self._timing.sleep(pause)
            pause *= _GROWTH

    def together(self, requests: list[Request]) -> list[Answer]:
        """The answers to requests that are delivered at the same moment. Raises NoAnswerError."""
        if len(requests) == 1:
            return [self.deliver(requests[0])]
        with ThreadPoolExecutor(max_workers=min(_TOGETHER, len(requests))) as pool:
            return list(pool.map(self.deliver, requests))


def _framed(request: Request) -> tuple[dict[str, str], bytes | Iterator[bytes] | None]:
    """Headers, and the body as it travels."""
    headers = {"User-Agent": "incidentd-conformance", "Connection": "close", **request.headers}
    if request.coding is Coding.CHUNKED:
        pieces = (request.body[at : at + _CHUNK] for at in range(0, len(request.body), _CHUNK))
        return {**headers, "Transfer-Encoding": "chunked"}, pieces
    if request.coding is Coding.GZIP:
        return {**headers, "Content-Encoding": "gzip"}, gzip.compress(request.body)
    return headers, request.body if request.method in ("POST", "PUT") else None
