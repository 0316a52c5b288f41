"""Socket Mode: Slack's way in for a daemon without a public address. The second door beside `web.slack`.

We connect to Slack and it sends through that connection what it would have posted. An envelope is acknowledged only
once its act is committed: Slack shows a person whose envelope nobody acknowledges that it failed. Every replica has a
connection of its own, and Slack gives each envelope to one of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import aiohttp
import orjson
import structlog

from incidentd.channels.base import Http, HttpFailure, retry_after
from incidentd.channels.http import trusted
from incidentd.channels.slack import SlackConfig
from incidentd.channels.slack_replies import may_connect_to
from incidentd.clock import Clock, jitter
from incidentd.ingest.slack import Ask, clicked, commanded
from incidentd.web.slack_door import SlackDoor

log = structlog.get_logger()

SILENCE_SECONDS: Final = 20.0
"""Slack answers a ping within half of this, or the connection is dead."""
CONNECT_SECONDS: Final = 10.0
FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 60.0
STEADY_SECONDS: Final = 30.0
"""A connection that lasted this long was a good one: the next is opened at once."""
_MAX_MESSAGE: Final = 1024 * 1024


class NoConnectionError(Exception):
    """Slack gave no usable connection. `pause` is how long it asks to wait."""

    def __init__(self, why: str, pause: timedelta | None = None) -> None:
        super().__init__(why)
        self.pause = pause


@dataclass(frozen=True, slots=True)
class Line:
    """How a connection is doing."""

    channel: str
    up: bool
    detail: str
    """Why it is not up; empty if it is."""


class SlackSocket:
    """Keeps one connection for one app, and has what comes over it obeyed."""

    def __init__(
        self,
        channel: str,
        config: SlackConfig,
        door: SlackDoor,
        http: Http,
        clock: Clock,
        *,
        silence: float = SILENCE_SECONDS,
    ) -> None:
        """`channel` is the name under which its health is shown; `silence` in seconds."""
        self.line = Line(channel, up=False, detail="not connected yet")
        self._channel = channel
        self._config = config
        self._door = door
        self._http = http
        self._clock = clock
        self._silence = silence
        self._stopping = asyncio.Event()
        self._handling: set[asyncio.Task[None]] = set()
        self._ws: aiohttp.ClientWebSocketResponse | None = None

    async def run(self) -> None:
        """Stay connected until `stop`."""
        failures = 0
        # Only the address that Slack answers is dialled: no proxy of the environment, no cookies, no redirects.
        timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS)
        async with aiohttp.ClientSession(
            timeout=timeout, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
        ) as session:
            tls = trusted()
            while not self._stopping.is_set():
                began = self._clock.monotonic()
                pause = await self._once(session, tls)
                if self._stopping.is_set():
                    break
                steady = self._clock.monotonic() - began >= STEADY_SECONDS
                failures = 0 if steady else failures + 1
                seconds = max(_pause(failures), pause.total_seconds() if pause else 0.0)
                await self._clock.wait(self._stopping, seconds)

    async def stop(self) -> None:
        """Take nothing more; what was taken is finished and acknowledged before the connection ends."""
        self._stopping.set()
        if self._ws is not None:
            await self._finish(self._ws)

    async def _once(self, session: aiohttp.ClientSession, tls: ssl.SSLContext) -> timedelta | None:
        """One connection from its beginning to its end: how long Slack asks to stay away, if it does."""
        pause = None
        try:
            url = await self._address()
            async with session.ws_connect(
                url, heartbeat=self._silence, max_msg_size=_MAX_MESSAGE, ssl=tls
            ) as ws:
                self._ws = ws
                why = await self._listen(ws)
                await self._finish(ws)
        except NoConnectionError as error:
            why, pause = str(error), error.pause
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            # The address holds a ticket, and some of these errors print it.
            why = type(error).__name__
        except Exception:  # a bug must not leave us without a connection for good
            log.exception("slack_socket_failed", channel=self._channel)
            why = "a bug; the log has the details"
        finally:
            self._ws = None
        self.line = Line(self._channel, up=False, detail=why)
        log.info("slack_socket_ended", channel=self._channel, why=why)
        return pause

    async def _address(self) -> str:
        """Where to connect to. Raises `NoConnectionError`."""
        token = self._config.app_token.get_secret_value() if self._config.app_token else ""
        headers = {"authorization": f"Bearer {token}", "content-type": "application/x-www-form-urlencoded"}
        try:
            answer = await self._http.request(
                "POST", f"{self._config.base_url}/apps.connections.open", headers, b""
            )
        except HttpFailure as failure:
            raise NoConnectionError(f"apps.connections.open: {failure.code}") from None
        body = _json(answer.body)
        url = body.get("url")
        if body.get("ok") is not True or not isinstance(url, str):
            why = str(body.get("error") or f"http_{answer.status}")[:80]
            raise NoConnectionError(f"apps.connections.open: {why}", retry_after(answer, self._clock.now()))
        if not may_connect_to(url, self._config.base_url):
            raise NoConnectionError("apps.connections.open: the address is not Slack's")
        return url

    async def _listen(self, ws: aiohttp.ClientWebSocketResponse) -> str:
        """Take envelopes until the connection ends or is to end: why."""
        async for message in ws:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            envelope = _json(message.data)
            if envelope.get("type") == "disconnect":
                return f"Slack asked for it: {str(envelope.get('reason'))[:80]}"
            if envelope.get("type") == "hello":
                self.line = Line(self._channel, up=True, detail="")
                log.info("slack_socket_connected", channel=self._channel)
            elif isinstance(envelope.get("envelope_id"), str) and not self._stopping.is_set():
                # Each by itself: a slow commit must not hold up the next, nor the answers to pings.
                task = asyncio.create_task(self._handle(ws, envelope), name="slack envelope")
                self._handling.add(task)
                task.add_done_callback(self._handled)
        if self._stopping.is_set():
            return "stopped"
        return "no sign of life" if isinstance(ws.exception(), TimeoutError) else "the connection ended"

    def _handled(self, task: asyncio.Task[None]) -> None:
        self._handling.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("slack_envelope_failed", channel=self._channel, exc_info=error)

    async def _handle(self, ws: aiohttp.ClientWebSocketResponse, envelope: Mapping[str, Any]) -> None:
        answer: dict[str, Any] = {"envelope_id": envelope["envelope_id"]}
        ask = _asked(envelope)
        if ask is not None:
            reply = await self._door.obey(ask, self._config)
            if not reply.settled:
                self._door.whisper(ask, self._config, reply)
                return
            if not ask.button and envelope.get("accepts_response_payload") is True:
                answer["payload"] = {"response_type": "ephemeral", "text": reply.text}
            else:
                self._door.whisper(ask, self._config, reply)
        # If it is gone, Slack tells the person that it failed. The act is done all the same, and harmless twice.
        with contextlib.suppress(ConnectionError, RuntimeError):
            await ws.send_str(orjson.dumps(answer).decode())

    async def _finish(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        """Let what was taken be acknowledged over the connection it came by, then end that."""
        if self._handling:
            await asyncio.wait(set(self._handling))
        await ws.close()


def _asked(envelope: Mapping[str, Any]) -> Ask | None:
    """What an envelope asks for; None if nothing follows from it."""
    payload = envelope.get("payload")
    if not isinstance(payload, dict):
        return None
    if envelope.get("type") == "interactive":
        return clicked(payload)
    return commanded(payload) if envelope.get("type") == "slash_commands" else None


def _json(data: str | bytes) -> Mapping[str, Any]:
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _pause(failures: int) -> float:
    """Seconds until the next try. The first is at once, for Slack renews connections every few hours."""
    if failures <= 1:
        return 0.0
    longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 2, 16))
    return longest * (0.5 + jitter() / 2)
