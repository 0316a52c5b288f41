"""The HTTP client of the CLI: standard library only, imported when the first call is made.

Bounded in time and size, follows no redirect, and uses no proxy for a server on this machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import click

from incidentd.cli.output import clean

if TYPE_CHECKING:
    import urllib.request

TIMEOUT_SECONDS = 10.0
# The event stream is quiet between two keep-alives, so silence there is judged later.
STREAM_TIMEOUT_SECONDS = 60.0
MAX_BODY_BYTES = 256 * 1024 * 1024
MAX_LINE_BYTES = 1024 * 1024

Query = Mapping[str, str | int | None]


class CtlError(click.ClickException):
    """A failure for the user: what happened, what to do about it, and the exit code."""

    def __init__(self, message: str, remedy: str = "", *, code: int = 1) -> None:
        super().__init__(message)
        self.remedy = remedy
        # click declares it on the class and reads it from the instance.
        self.exit_code = code  # type: ignore[misc]

    def format_message(self) -> str:
        """Return message and remedy as text that is safe on a terminal."""
        parts = [clean(self.message, lines=True)]
        if self.remedy:
            parts.append(f"  {clean(self.remedy)}")
        return "\n".join(parts)


class UnreachableError(CtlError):
    """No answer: refused, timed out, broken off, or not HTTP. Exit code 3."""

    def __init__(self, url: str, reason: object) -> None:
        super().__init__(
            f"cannot reach {url}: {reason}",
            "is the daemon running (incidentd serve)? another address: --url or INCIDENTD_URL",
            code=3,
        )


class RefusedError(CtlError):
    """The server answered with an error status; `status` and the problem's members are kept."""

    def __init__(self, status: int, body: bytes, retry_after: str | None = None) -> None:
        self.status = status
        self.body = body
        self.problem = _problem(body)
        super().__init__(
            _describe(status, self.problem), _remedy(status, self.problem, retry_after), code=_code(status)
        )


@dataclass(frozen=True)
class Answer:
    """A successful answer: the bytes as received and what they mean."""

    status: int
    body: bytes
    data: Any
    date: str | None = None
    """The server's clock, from the Date header; whole seconds."""

    @property
    def items(self) -> list[dict[str, Any]]:
        """The objects of a list answer; raises CtlError when it is none."""
        items = self.data.get("items") if isinstance(self.data, dict) else None
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise CtlError("the server's answer is not a list: is the URL that of incidentd?")
        return items

    @property
    def object(self) -> dict[str, Any]:
        """The object answered; raises CtlError when it is none."""
        if not isinstance(self.data, dict):
            raise CtlError("the server's answer is not an object: is the URL that of incidentd?")
        return self.data


@dataclass(frozen=True)
class Event:
    """One server-sent event. `retry_ms` is the server's wish for the next reconnect."""

    id: str | None
    name: str
    data: str
    retry_ms: int | None = None


class Client:
    """Calls one incidentd. Raises UnreachableError and RefusedError."""

    def __init__(self, url: str, token: str | None = None, user: str | None = None) -> None:
        self.url = url
        self._token = token
        self._user = user
        self._cached: urllib.request.OpenerDirector | None = None

    def get(self, path: str, query: Query | None = None) -> Answer:
        """GET `path` (below the base URL); parameters that are None are left out."""
        given = {key: value for key, value in (query or {}).items() if value is not None}
        return self._call("GET", path + (f"?{urlencode(given)}" if given else ""), None)

    def post(self, path: str, body: object) -> Answer:
        """POST `body` as JSON."""
        return self._call("POST", path, json.dumps(body).encode())

    def delete(self, path: str) -> Answer:
        """DELETE `path`."""
        return self._call("DELETE", path, None)

    def stream(self, path: str, last_event_id: str | None) -> Iterator[Event]:
        """Open an event stream and return its events; the iterator ends when the connection does."""
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-cache"}
        if last_event_id:
            headers["Last-Event-ID"] = last_event_id
        response = self._open("GET", path, None, headers, STREAM_TIMEOUT_SECONDS)
        return parse_events(_lines(response))

    def _call(self, method: str, path: str, body: bytes | None) -> Answer:
        import http.client

        headers = {"Accept": "application/json"} | ({"Content-Type": "application/json"} if body else {})
        with self._open(method, path, body, headers, TIMEOUT_SECONDS) as response:
            try:
                content: bytes = response.read(MAX_BODY_BYTES + 1)
            except (OSError, http.client.HTTPException) as error:
                raise UnreachableError(self.url, _reason(error)) from None
            status: int = response.status
            date: str | None = response.headers.get("Date")
        if len(content) > MAX_BODY_BYTES:
            raise CtlError("the server's answer is too large", "ask for less: --limit")
        try:
            data = json.loads(content) if content.strip() else None
        except (ValueError, RecursionError):
            raise CtlError(f"{self.url} did not answer with JSON", "is the URL that of incidentd?") from None
        return Answer(status, content, data, date)

    def _open(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], timeout: float
    ) -> Any:
        import http.client
        import urllib.error
        import urllib.request

        # check_url let only http and https through.
        request = urllib.request.Request(self.url + path, data=body, headers=headers, method=method)  # noqa: S310
        request.add_header("User-Agent", "incidentctl")
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        elif self._user and self._user.isascii() and self._user.isprintable():
            request.add_header("X-Incidentd-User", self._user)
        try:
            return self._opener().open(request, timeout=timeout)
        except urllib.error.HTTPError as error:
            with error:
                raise RefusedError(error.code, _body_of(error), error.headers.get("Retry-After")) from None
        except urllib.error.URLError as error:
            raise UnreachableError(self.url, _reason(error.reason)) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise UnreachableError(self.url, _reason(error)) from None

    def _opener(self) -> urllib.request.OpenerDirector:
        import urllib.request

        class NoRedirect(urllib.request.HTTPRedirectHandler):
            # urllib would carry the Authorization header to whatever host Location names.
            def redirect_request(self, *_: object) -> None:
                return None

        if self._cached is None:
            direct = [urllib.request.ProxyHandler({})] if _is_loopback(self.url) else []
            self._cached = urllib.request.build_opener(NoRedirect, *direct)
        return self._cached


def parse_events(lines: Iterable[bytes]) -> Iterator[Event]:
    """Read server-sent events (WHATWG HTML, "event stream interpretation") from lines."""
    last_id: str | None = None
    name, data, retry = "", list[str](), None
    for raw in lines:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if not line:
            if data:
                yield Event(last_id, name or "message", "\n".join(data), retry)
            name, data = "", []
            continue
        key, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if key == "data":
            data.append(value)
        elif key == "event":
            name = value
        elif key == "id" and value.isascii() and value.isprintable():
            last_id = value
        elif key == "retry" and value.isascii() and value.isdigit():
            retry = int(value)


def _lines(response: IO[bytes]) -> Iterator[bytes]:
    import http.client

    with response:
        while True:
            try:
                line = response.readline(MAX_LINE_BYTES)
            except (OSError, http.client.HTTPException):
                return
            if not line:
                return
            yield line


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or host.endswith(".localhost") or host.startswith("127.")


def _reason(error: object) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _body_of(response: IO[bytes]) -> bytes:
    import http.client

    try:
        return response.read(MAX_LINE_BYTES)
    except (OSError, http.client.HTTPException):
        return b""


def _problem(body: bytes) -> dict[str, Any]:
    try:
        problem = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return problem if isinstance(problem, dict) else {}


def _describe(status: int, problem: Mapping[str, Any]) -> str:
    known = status in HTTPStatus.__members__.values()
    title = problem.get("title") or (HTTPStatus(status).phrase if known else f"status {status}")
    return f"{title}: {problem['detail']}" if problem.get("detail") else str(title)


def _remedy(status: int, problem: Mapping[str, Any], retry_after: str | None) -> str:
    said = " ".join(str(problem.get(key)) for key in ("code", "type", "reason", "title", "detail"))
    if status == HTTPStatus.CONFLICT and "still_firing" in said.replace(" ", "_").replace("-", "_").lower():
        return "alerts are still firing; use --force"
    if status == HTTPStatus.CONFLICT and problem.get("state"):
        return f"it is {problem['state']} now"
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return "the server redirects, which is not followed: set the final URL with --url or INCIDENTD_URL"
    if status in (429, 503):
        return f"try again in {retry_after} s" if retry_after else "try again shortly"
    return {
        401: "set a token: INCIDENTD_TOKEN, --token, or a profile (incidentctl config shows what is used)",
        403: "the token lacks the scope for this (read, respond, ingest or admin)",
        404: "see what exists: incidentctl list",
    }.get(status, "")


def _code(status: int) -> int:
    return {404: 5, 401: 4, 403: 4}.get(status, 1)
