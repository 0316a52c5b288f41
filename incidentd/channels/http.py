"""The one HTTP client: no other module may import httpx.

httpcore loses a pool slot when a request is cancelled while it connects (encode/httpcore#1093), until no slot
is left. So every call runs in a task that nobody outside cancels, fewer calls than the pool has slots run at
once, and a client that may have lost a slot is replaced.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from incidentd.channels.base import HttpAnswer, HttpFailure
from incidentd.channels.tasks import LateError, Tasks
from incidentd.domain.notification import Verdict


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bounds of every call; times in seconds."""

    connect: float = 5
    read: float = 10
    total: float = 10
    """The longest a caller waits, queueing included."""
    grace: float = 15
    """What an abandoned call gets to end by itself before it is cut off."""
    connections: int = 40
    per_host: int = 8
    """Calls to one host at once: a host that hangs leaves the other slots alone."""
    body: int = 64 * 1024
    """Bytes of an answer that are read."""


@dataclass(eq=False)
class _Call:
    """One call: what is asked, and how far it got."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes
    host: str
    sent: bool = False
    """The first byte of the request may have left: no answer no longer means nothing happened."""
    abandoned: bool = False
    """Nobody waits any more: it must not start now."""

    async def trace(self, event: str, _info: Mapping[str, Any]) -> None:
        self.sent = self.sent or event.endswith("send_request_headers.started")

    def failure(self, code: str) -> HttpFailure:
        verdict = Verdict.AMBIGUOUS if self.sent else Verdict.RETRY
        return HttpFailure(verdict, code, f"{self.host}: {_WORDS[code]}")


@dataclass(eq=False)
class _Pool:
    """An httpx client and the number of calls that are using it."""

    client: httpx.AsyncClient
    calls: int = 0
    retired: bool = field(default=False)


class HttpClient:
    """Sends HTTP requests to addresses of the configuration: the `Http` that channels use."""

    def __init__(self, limits: HttpLimits | None = None) -> None:
        self._limits = limits or HttpLimits()
        # Below the pool size: an abandoned call keeps its place here until it has really ended.
        self._slots = asyncio.Semaphore(max(1, self._limits.connections * 3 // 4))
        self._hosts: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(self._limits.per_host)
        )
        self._tasks = Tasks()
        self._closing = False
        self._pool = self._new_pool()
        for name in ("httpx", "httpcore"):  # they log addresses, which may hold secrets
            logging.getLogger(name).setLevel(logging.WARNING)

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes = b""
    ) -> HttpAnswer:
        """The answer, with at most `HttpLimits.body` bytes of its body. Redirects are not followed.

        Raises `HttpFailure`: `RETRY` if nothing was sent, `AMBIGUOUS` if something was, `DESTINATION_BROKEN`
        if no request can be made of this address or these headers.
        """
        call = _Call(method, url, headers, content, _host(url))
        if self._closing:
            raise call.failure("closing")
        try:
            return await self._tasks.run(self._run(call), self._limits.total, self._limits.grace)
        except LateError:
            raise call.failure("timeout" if call.sent else "busy") from None
        finally:
            call.abandoned = True

    async def aclose(self) -> None:
        """Wait for what is under way, at most the total time of a call, then close all connections."""
        self._closing = True
        await self._tasks.drain(self._limits.total)
        await self._pool.client.aclose()

    def _new_pool(self) -> _Pool:
        tls = httpx.create_ssl_context()
        tls.load_default_certs()  # beside certifi's: a company's own authority is installed in the machine
        limits = self._limits
        return _Pool(
            httpx.AsyncClient(
                headers={"User-Agent": "incidentd"},
                verify=tls,
                trust_env=False,
                follow_redirects=False,
                timeout=httpx.Timeout(limits.read, connect=limits.connect),
                limits=httpx.Limits(
                    max_connections=limits.connections, max_keepalive_connections=limits.per_host
                ),
            )
        )

    async def _run(self, call: _Call) -> HttpAnswer:
        async with self._hosts[call.host], self._slots:
            if call.abandoned:
                raise call.failure("busy")
            pool = self._pool
            pool.calls += 1
            try:
                return await self._send(pool.client, call)
            except asyncio.CancelledError:
                self._retire(pool)  # cut off while connecting, it may have lost a slot
                raise
            except httpx.PoolTimeout:
                self._retire(pool)
                raise call.failure("pool_timeout") from None
            except (httpx.HTTPError, OSError) as error:
                raise call.failure(_code(error)) from None
            except (httpx.InvalidURL, ValueError):
                detail = f"{call.host}: no request can be made of the configured address or credentials"
                raise HttpFailure(Verdict.DESTINATION_BROKEN, "bad_request", detail) from None
            finally:
                await self._release(pool)

    async def _send(self, client: httpx.AsyncClient, call: _Call) -> HttpAnswer:
        deadline = asyncio.get_running_loop().time() + self._limits.total
        request = client.build_request(
            call.method,
            call.url,
            # Raw and cut by us: a compressed answer could unpack to anything.
            headers={**call.headers, "Accept-Encoding": "identity"},
            content=call.content,
            extensions={"trace": call.trace},
        )
        response = await client.send(request, stream=True)
        body = bytearray()
        try:
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) >= self._limits.body or asyncio.get_running_loop().time() > deadline:
                    break
        finally:
            await response.aclose()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return HttpAnswer(response.status_code, headers, bytes(body[: self._limits.body]))

    def _retire(self, pool: _Pool) -> None:
        pool.retired = True
        if pool is self._pool and not self._closing:
            self._pool = self._new_pool()

    async def _release(self, pool: _Pool) -> None:
        pool.calls -= 1
        if pool.retired and not pool.calls and pool is not self._pool:
            with contextlib.suppress(httpx.HTTPError, OSError):
                await pool.client.aclose()


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "?"
    except ValueError:
        return "?"


def _code(error: Exception) -> str:
    for kind, code in _CODES.items():
        if isinstance(error, kind):
            return "tls_error" if code == "connect_error" and "SSL" in str(error) else code
    return "network_error"


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
    "pool_timeout": "no free connection in time",
    "timeout": "no answer in time",
    "tls_error": "no trusted TLS connection",
}
