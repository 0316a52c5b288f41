"""Slack's rules of what a message may hold, documented and measured, and the budgets incidentd keeps below them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

_TEXT_LIMITS = {"header": 150, "section": 3000, "field": 2000, "context": 3000, "button": 75}
_CONFIRM_LIMITS = {"title": 100, "text": 300, "confirm": 30, "deny": 30}
_PLAIN = {"header", "button", *_CONFIRM_LIMITS}
_BARE = re.compile(r"&(?!amp;|lt;|gt;)")
_SPECIAL = re.compile(r"<([^>]*)>?")


def judge_post(body: dict[str, Any]) -> Iterator[str]:
    """The rules of chat.postMessage that `body` breaks."""
    yield from judge_hook_post(body)
    if not body.get("metadata", {}).get("event_payload", {}).get("delivery_id"):
        yield "no delivery_id in the metadata"
    if body.get("reply_broadcast") and "thread_ts" not in body:
        yield "reply_broadcast without a thread"


def judge_hook_post(body: dict[str, Any]) -> Iterator[str]:
    """The rules of a post into an incoming webhook that `body` breaks."""
    yield from judge_content(body)
    if body.get("unfurl_links") is not False or body.get("unfurl_media") is not False:
        yield "links unfurl"


def judge_update(body: dict[str, Any]) -> Iterator[str]:
    """The rules of chat.update that `body` breaks."""
    yield from judge_content(body)
    if body.get("parse") != "none":
        yield "an update parses the text as a client would, unless told not to"
    if "blocks" not in body:
        yield "an update that does not mention blocks may leave the old ones"
    if surplus := body.keys() - {"channel", "ts", "text", "blocks", "parse"}:
        yield f"an update has no {sorted(surplus)}"


def judge_content(body: dict[str, Any]) -> Iterator[str]:
    """The rules for text and blocks that `body` breaks."""
    blocks = body.get("blocks", [])
    if not body.get("text"):
        yield "no_text"
    if len(body.get("text", "").encode()) > 3500:
        yield "text over 3,500 bytes"
    if len(blocks) > 40:
        yield "over 40 blocks"
    texts = [found for block in blocks for found in _texts(block)]
    if sum(len(text["text"]) for _, text in texts) > 10_000:
        yield "over 10,000 characters in all blocks"
    if "link_names" in body or body.get("parse") == "full":
        yield "names in texts call people"
    for block in blocks:
        yield from _judge_block(block)
    for place, text in texts:
        yield from _judge_text(place, text)
    yield from _judge_ids(blocks)
    yield from _judge_mrkdwn("text", body.get("text", ""))


def _texts(block: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if "text" in block:
        yield block["type"], block["text"]
    for text in block.get("fields", []):
        yield "field", text
    for element in block.get("elements", []):
        if element["type"] == "button":
            yield "button", element["text"]
            yield from element.get("confirm", {}).items()
        else:
            yield block["type"], element


def _judge_block(block: dict[str, Any]) -> Iterator[str]:
    count = len(block.get("elements", []))
    match block["type"]:
        case "header":
            pass
        case "section":
            if "text" not in block and not 0 < len(block.get("fields", [])) <= 10:
                yield "section: neither text nor up to 10 fields"
        case "context" if not 0 < count <= 10:
            yield f"context: {count} elements"
        case "context":
            pass
        case "actions" if not 0 < count <= 25:
            yield f"actions: {count} elements"
        case "actions":
            for element in block["elements"]:
                yield from _judge_button(element)
        case other:
            yield f"unknown block {other}"


def _judge_button(button: dict[str, Any]) -> Iterator[str]:
    if button["type"] != "button":
        yield f"unknown element {button['type']}"
    if not 0 < len(button.get("action_id", "")) <= 255:
        yield "button: action_id"
    if len(button.get("value", "")) > 2000:
        yield "button: value over 2,000 characters"
    if "url" in button and not re.fullmatch(r"https?://\S{1,2990}", button["url"]):
        yield "button: url"
    if button.get("style", "primary") not in {"primary", "danger"}:
        yield "button: style"
    if "confirm" in button and button["confirm"].keys() != _CONFIRM_LIMITS.keys():
        yield "button: confirm"


def _judge_ids(blocks: list[dict[str, Any]]) -> Iterator[str]:
    elements = [element for block in blocks for element in block.get("elements", [])]
    for name, owners in {"block_id": blocks, "action_id": elements}.items():
        ids = Counter(owner[name] for owner in owners if name in owner)
        yield from (f"{name} {value} is there {count} times" for value, count in ids.items() if count > 1)
        yield from (f"{name} over 255 characters" for value in ids if len(value) > 255)


def _judge_text(place: str, text: dict[str, Any]) -> Iterator[str]:
    limit = (_CONFIRM_LIMITS | _TEXT_LIMITS)[place]
    if not 0 < len(text["text"]) <= limit:
        yield f"{place}: {len(text['text'])} characters"
    if (text["type"] == "plain_text") != (place in _PLAIN):
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
