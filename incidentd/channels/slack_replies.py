"""Answers that only the person who clicked sees, and the addresses that may be called because Slack named them.

Both the address of an answer and that of a Socket Mode connection arrive at run time, so they count only if they lead
to Slack, or to the place that the configuration names instead of it with `base_url`.
"""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import SplitResult, urlsplit

import orjson
import structlog

from incidentd.channels.base import Http, HttpFailure

log = structlog.get_logger()

_SLACK: Final = "slack.com"
_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_SECURE: Final = {"http": ("ws", "wss"), "https": ("wss",)}
_AT_ONCE: Final = 64
"""Answers under way: a vendor that hangs must not make them pile up."""
_OK: Final = range(200, 300)


def may_answer_at(url: str, base_url: str) -> bool:
    """True if a person's answer may be posted to `url`, which a request of the app behind `base_url` named."""
    parts, base = _split(url), _split(base_url)
    if parts is None or base is None:
        return False
    places = {("https", f"hooks.{_SLACK}", 443), ("https", f"hooks.{base.hostname}", 443)}
    if base.hostname != _SLACK:
        places.add(_place(base))
    return _place(parts) in places


def may_connect_to(url: str, base_url: str) -> bool:
    """True if a Socket Mode connection may be opened to `url`, which `base_url` answered."""
    parts, base = _split(url), _split(base_url)
    if parts is None or base is None:
        return False
    host, home = parts.hostname or "", base.hostname or ""
    there = host == home or host.endswith((f".{home}", f".{_SLACK}"))
    return there and parts.scheme in _SECURE[base.scheme]


def _split(url: str) -> SplitResult | None:
    """The parts of an address; None if it has none to rely on, or a user in it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    plain = (
        url.isascii() and url.isprintable() and " " not in url and "\\" not in url and "@" not in parts.netloc
    )
    return parts if plain and parts.hostname and parts.scheme in _PORTS and port != 0 else None


def _place(parts: SplitResult) -> tuple[str, str, int]:
    return parts.scheme, parts.hostname or "", parts.port or _PORTS[parts.scheme]


class Whispers:
    """Answers on their way to the people who asked. Losing one loses no act: those are committed before."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._under_way: set[asyncio.Task[None]] = set()

    def say(self, url: str, text: str, base_url: str) -> None:
        """Answer `text`, mrkdwn, in the background."""
        if not may_answer_at(url, base_url):
            log.warning("slack_answer_refused", why="the response_url is not Slack's")
        elif len(self._under_way) >= _AT_ONCE:
            log.warning("slack_answer_left_out", why="too many are under way")
        else:
            # The place that the configuration names may be private, what merely looks like Slack's may not.
            guarded = urlsplit(url).netloc != urlsplit(base_url).netloc
            task = asyncio.create_task(self._post(url, text, guarded=guarded), name="slack answer")
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _post(self, url: str, text: str, *, guarded: bool) -> None:
        body = orjson.dumps({"response_type": "ephemeral", "replace_original": False, "text": text})
        headers = {"content-type": "application/json; charset=utf-8"}
        try:
            answer = await self._http.request("POST", url, headers, body, guarded=guarded)
        except HttpFailure as failure:
            log.warning("slack_answer_lost", error=failure.code)
            return
        if answer.status not in _OK:
            log.warning("slack_answer_lost", error=f"http_{answer.status}")

    async def close(self) -> None:
        """Wait for what is under way; each of them has its own bound."""
        while self._under_way:
            await asyncio.wait(self._under_way)
