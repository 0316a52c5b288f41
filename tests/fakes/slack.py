"""A fake Slack that keeps channels and their messages, and judges every post by Slack's limits."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.fakes.http import Answer, HttpFake, Received

_TEXT_LIMITS = {"header": 150, "section": 3000, "field": 2000, "context": 3000}
_BARE = re.compile(r"&(?!amp;|lt;|gt;)")
_SPECIAL = re.compile(r"<([^>]*)>?")


class SlackFake(HttpFake):
    """`base_url` is `url`. `messages` holds what was posted, in order, with its `ts`."""

    def __init__(self, token: str = "xoxb-fake", channels: tuple[str, ...] = ("C012345",)) -> None:
        super().__init__()
        self.token = token
        self.channels = set(channels)
        self.messages: list[dict[str, Any]] = []

    @property
    def roots(self) -> list[dict[str, Any]]:
        """The messages that started a thread."""
        return [message for message in self.messages if "thread_ts" not in message]

    def forget(self) -> None:
        """Somebody deleted every message: threads are gone."""
        self.messages.clear()

    async def answer(self, received: Received) -> Answer:
        if received.headers.get("authorization") != f"Bearer {self.token}":
            return Answer(body={"ok": False, "error": "invalid_auth"})
        if received.headers.get("content-type") != "application/json; charset=utf-8":
            self.violations.append("content-type")
        if received.path == "/auth.test":
            return Answer(body={"ok": True, "user_id": "U0BOT"})
        if received.path != "/chat.postMessage":
            return Answer(body={"ok": False, "error": "unknown_method"})
        return self._post(json.loads(received.body))

    def _post(self, body: dict[str, Any]) -> Answer:
        broken = list(judge_message(body))
        self.violations += broken
        if broken:
            return Answer(body={"ok": False, "error": "invalid_blocks", "errors": broken})
        if body["channel"] not in self.channels:
            return Answer(body={"ok": False, "error": "channel_not_found"})
        thread = body.get("thread_ts")
        if thread is not None and thread not in {root["ts"] for root in self.roots}:
            if any(message["ts"] == thread for message in self.messages):
                self.violations.append("reply to a reply")
            return Answer(body={"ok": False, "error": "thread_not_found"})
        ts = f"1700000000.{len(self.messages) + 1:06d}"
        self.messages.append({**body, "ts": ts})
        return Answer(body={"ok": True, "channel": body["channel"], "ts": ts})


def judge_message(body: dict[str, Any]) -> Iterator[str]:
    """The rules of Slack, documented and measured, that `body` breaks."""
    blocks = body.get("blocks", [])
    if not body.get("text"):
        yield "no_text"
    if len(body.get("text", "").encode()) > 3500:
        yield "text over 3,500 bytes"
    if len(blocks) > 40:
        yield "over 40 blocks"
    texts = list(_texts(blocks))
    if sum(len(text["text"]) for _, text in texts) > 10_000:
        yield "over 10,000 characters in all blocks"
    if body.get("unfurl_links") is not False or body.get("unfurl_media") is not False:
        yield "links unfurl"
    if "link_names" in body or body.get("parse") == "full":
        yield "names in texts call people"
    if not body.get("metadata", {}).get("event_payload", {}).get("delivery_id"):
        yield "no delivery_id in the metadata"
    for place, text in texts:
        yield from _judge_text(place, text)
    yield from _judge_mrkdwn("text", body.get("text", ""))


def _texts(blocks: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for block in blocks:
        if "text" in block:
            yield block["type"], block["text"]
        for text in block.get("fields", []):
            yield "field", text
        for text in block.get("elements", []):
            yield block["type"], text


def _judge_text(place: str, text: dict[str, Any]) -> Iterator[str]:
    if not 0 < len(text["text"]) <= _TEXT_LIMITS[place]:
        yield f"{place}: {len(text['text'])} characters"
    if (text["type"] == "plain_text") != (place == "header"):
        yield f"{place}: {text['type']}"
    if text["type"] == "mrkdwn":
        yield from _judge_mrkdwn(place, text["text"])


def _judge_mrkdwn(place: str, text: str) -> Iterator[str]:
    if _BARE.search(text):
        yield f"{place}: & is not escaped"
    if re.search(r"[\x00-\x08\x0b-\x1f\u202a-\u202e\ud800-\udfff]", text):
        yield f"{place}: control characters"
    for special in _SPECIAL.findall(text):
        if not re.fullmatch(r"https?://[^|<>\s]+\|[^|<>]+", special):
            yield f"{place}: <{special[:40]}> is not a plain link"
    if ">" in _SPECIAL.sub("", text):
        yield f"{place}: > is not escaped"
