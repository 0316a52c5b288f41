"""The one HTTP client: no other module may import httpx.

Calls are bounded per host and not over all hosts together: any common limit can be used up by a few hosts that
hang, and then nobody else is reached. The sum stays bounded, for all hosts stand in the configuration.

httpcore loses track of a connection when a request is cancelled while it connects (encode/httpcore#1093). So
every call runs in a task that nobody outside cancels, and a client that may have lost one is replaced.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import ssl
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx

from incidentd.channels.base import HttpAnswer, HttpFailure
from incidentd.channels.guard import ForbiddenAddressError, Guard
from incidentd.channels.tasks import LateError, Tasks
from incidentd.domain.notification import Verdict

MOST_READ = 64 * 1024
"""Bytes of an answer that are read where nobody asks for more: what vendors answer is short."""


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bounds of every call; times in seconds."""

    connect: float = 5
    read: float = 10
    total: float = 10
    """The longest a caller waits, queueing included."""
    grace: float = 15
    """What an abandoned call gets to end by itself before it is cut off."""
    per_host: int = 8
    """Calls to one host at once; an abandoned one keeps its place until it has really ended."""
    body: int = MOST_READ
    """Bytes of an answer that are read, where a call asks for no other number."""


@dataclass(eq=False)
class _Call:
    """One call: what is asked, and how far it got."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes
    host: str
    guard: Guard
    guarded: bool = False
    most: int = MOST_READ
    sent: bool = False
    """The first byte of the request may have left: no answer no longer means nothing happened."""
    abandoned: bool = False
    """Nobody waits any more: it must not start now."""

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        self.sent = self.sent or event.endswith("send_request_headers.started")
        if event.endswith("connect_tcp.complete"):
            stream = info["return_value"]
            peer = str((stream.get_extra_info("server_addr") or ("",))[0])
            # A name must not lead there; who writes the address itself into the configuration means it.
            if self.guard.metadata(peer) and not self.guard.metadata(self.host):
                await stream.aclose()
                raise ForbiddenAddressError("a metadata service")

    def failure(self, code: str) -> HttpFailure:
        verdict = Verdict.AMBIGUOUS if self.sent else Verdict.RETRY
        if code == _NOT_TRUSTED:
            verdict = Verdict.DESTINATION_BROKEN  # it will not be by trying again
        return HttpFailure(verdict, code, f"{self.host}: {_WORDS[code]}")


@dataclass(eq=False)
class _Pool:
    """An httpx client and the number of calls that are using it."""

    client: httpx.AsyncClient
    calls: int = 0
    retired: bool = field(default=False)


class HttpClient:
    """Sends HTTP requests to addresses of the configuration: the `Http` that channels use."""

    def __init__(
        self,
        limits: HttpLimits | None = None,
        guard: Guard | None = None,
        tls: ssl.SSLContext | None = None,
        blocked: Callable[[], None] = lambda: None,
    ) -> None:
        """`tls`: whose certificates are trusted instead of the machine's. `blocked`: a request went where none may."""
        self._tls = tls
        self._blocked = blocked
        self._limits = limits or HttpLimits()
        self._guard = guard or Guard()
        self._hosts: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(self._limits.per_host)
        )
        self._tasks = Tasks()
        self._closing = False
        self._pool = self._new_pool()
        for name in ("httpx", "httpcore"):  # they log addresses, which may hold secrets
            logging.getLogger(name).setLevel(logging.WARNING)

    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes = b"",
        *,
        guarded: bool = False,
        most: int | None = None,
    ) -> HttpAnswer:
        """The answer, with at most `most` (or `HttpLimits.body`) bytes of its body. Redirects are not followed.

        `guarded`: the address came from outside, so it may lead to the public internet only.
        Raises `HttpFailure`: `RETRY` if nothing was sent, `AMBIGUOUS` if something was, `DESTINATION_BROKEN`
        if no request can be made of this address or these headers, none may go there, or its certificate is not
        trusted.
        """
        call = _Call(
            method, url, headers, content, _host(url), self._guard, guarded, most or self._limits.body
        )
        if self._closing:
            raise call.failure("closing")
        try:
            return await self._tasks.run(self._run(call), self._limits.total, self._limits.grace)
        except LateError:
            raise call.failure("timeout" if call.sent else "busy") from None
        finally:
            call.abandoned = True

    async def aclose(self, seconds: float | None = None) -> None:
        """Wait for what is under way, `seconds` or at most the total time of a call, then close all connections."""
        self._closing = True
        await self._tasks.drain(self._limits.total if seconds is None else seconds)
        await self._pool.client.aclose()

    def _new_pool(self) -> _Pool:
        tls = self._tls or trusted()
        limits = self._limits
        return _Pool(
            httpx.AsyncClient(
                headers={"User-Agent": "incidentd"},
                verify=tls,
                trust_env=False,
                follow_redirects=False,
                timeout=httpx.Timeout(limits.read, connect=limits.connect),
                # No common limit, see above: the places per host are below it whatever hangs.
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=limits.per_host),
            )
        )

    async def _run(self, call: _Call) -> HttpAnswer:
        async with self._hosts[call.host]:
            if call.abandoned:
                raise call.failure("busy")
            pool = self._pool
            pool.calls += 1
            try:
                return await self._send(pool.client, call)
            except asyncio.CancelledError:
                self._retire(pool)  # cut off while connecting, it may have lost a connection
                raise
            except (httpx.HTTPError, OSError) as error:
                raise call.failure(_code(error)) from None
            except ForbiddenAddressError as refused:
                self._blocked()
                detail = f"{call.host} leads where no request may go: {refused}"
                raise HttpFailure(Verdict.DESTINATION_BROKEN, "address_refused", detail) from None
            except (httpx.InvalidURL, ValueError):
                detail = f"{call.host}: no request can be made of the configured address or credentials"
                raise HttpFailure(Verdict.DESTINATION_BROKEN, "bad_request", detail) from None
            finally:
                await self._release(pool)

    async def _send(self, client: httpx.AsyncClient, call: _Call) -> HttpAnswer:
        deadline = asyncio.get_running_loop().time() + self._limits.total
        request = await self._request(client, call)
        response = await client.send(request, stream=True)
        body = bytearray()
        try:
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) >= call.most or asyncio.get_running_loop().time() > deadline:
                    break
        finally:
            await response.aclose()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return HttpAnswer(response.status_code, headers, bytes(body[: call.most]))

    async def _request(self, client: httpx.AsyncClient, call: _Call) -> httpx.Request:
        url = httpx.URL(call.url)
        # Raw and cut by us: a compressed answer could unpack to anything.
        headers = {**call.headers, "Accept-Encoding": "identity"}
        extensions: dict[str, Any] = {"trace": call.trace}
        if call.guarded:
            if url.scheme not in _PORTS:
                raise ForbiddenAddressError("neither http nor https")
            host = url.raw_host.decode()
            address = await self._guard.checked(host, url.port or _PORTS[url.scheme])
            # Dialled as it was checked, while TLS and the receiver still see the name. Not kept open: the pool
            # would lend the connection to another name at the same address.
            headers |= {"Host": url.netloc.decode(), "Connection": "close"}
            extensions["sni_hostname"] = host
            url = url.copy_with(host=address)
        return client.build_request(
            call.method, url, headers=headers, content=call.content, extensions=extensions
        )

    def _retire(self, pool: _Pool) -> None:
        pool.retired = True
        if pool is self._pool and not self._closing:
            self._pool = self._new_pool()

    async def _release(self, pool: _Pool) -> None:
        pool.calls -= 1
        if pool.retired and not pool.calls and pool is not self._pool:
            with contextlib.suppress(httpx.HTTPError, OSError):
                await pool.client.aclose()


def trusted() -> ssl.SSLContext:
    """Whose TLS certificates are believed: read once, for it takes the loop's time. Nobody changes it."""
    return _read_trusted(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@cache
def _read_trusted(_file: str | None, _directory: str | None) -> ssl.SSLContext:
    # Both read the variables themselves, so those are what an answer is kept for.
    tls = httpx.create_ssl_context()
    tls.load_default_certs()  # beside certifi's: a company's own authority is installed in the machine
    return tls


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "?"
    except ValueError:
        return "?"


def _code(error: Exception) -> str:
    for kind, code in _CODES.items():
        if isinstance(error, kind):
            return _tls_code(str(error)) or code if code == "connect_error" else code
    return "network_error"


def _tls_code(said: str) -> str | None:
    """What OpenSSL says is all that is left of its error; None if it is not one."""
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return _NOT_TRUSTED
    return "tls_error" if "SSL" in said else None


_PORTS = {"http": 80, "https": 443}
_NOT_TRUSTED = "certificate_refused"
_CODES: Mapping[type[Exception], str] = {
    httpx.ConnectTimeout: "connect_timeout",
    httpx.ConnectError: "connect_error",
    httpx.TimeoutException: "timeout",
    httpx.RemoteProtocolError: "connection_lost",
    httpx.ReadError: "connection_lost",
    httpx.WriteError: "connection_lost",
}
_WORDS = {
    "busy": "no free connection in time",
    "closing": "shutting down",
    "connect_error": "cannot connect",
    "connect_timeout": "no connection in time",
    "connection_lost": "the connection ended without an answer",
    "network_error": "the network failed",
    "timeout": "no answer in time",
    "tls_error": "no TLS connection",
    _NOT_TRUSTED: "its TLS certificate is not trusted: check the address, or install its authority",
}
