"""The Slack message in Block Kit, within Slack's limits. Pure.

Limits: a message takes 50 blocks, a header 150 characters, a section 3,000, a field 2,000. Undocumented but
measured: about 13,200 characters over all blocks, and about 4,000 bytes of `text`. We stay below all of them.
"""

from __future__ import annotations

from typing import Any

import orjson

from incidentd.channels.words import (
    AlertLine,
    Link,
    alert_lines,
    cut_bytes,
    facts,
    headline,
    links,
    more_alerts,
    plain,
    state_line,
)
from incidentd.domain.notification import Message

MAX_BLOCKS = 40
MAX_CHARACTERS = 10_000
"""Of all blocks together, counted as JSON, which is more than Slack counts."""
MAX_TEXT_BYTES = 3500
_HEADER = 150
_FIELDS = 10
_FIELD_VALUE = 150
_STATE_LINE = 500
_ALERTS_SHOWN = 20
_ALERT_WIDTH = 300
_LINK_ESCAPES = str.maketrans({"|": "%7C", "<": "%3C", ">": "%3E"})

Block = dict[str, Any]

_EMOJI = {
    "resolved": ":large_green_circle:",
    "acknowledged": ":eyes:",
    "critical": ":red_circle:",
    "warning": ":large_orange_circle:",
    "info": ":large_blue_circle:",
}


def escape(text: str) -> str:
    """`text` in mrkdwn, where ``<!channel>`` in a label would call everybody. Cut it before, not after."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def root_blocks(message: Message) -> list[Block]:
    """The incident as a whole: how it stands, what is known, its alerts as far as there is room."""
    header = {"type": "plain_text", "text": headline(message, _HEADER), "emoji": False}
    blocks: list[Block] = [{"type": "header", "text": header}, _section(_state(message))]
    fields = [_mrkdwn(f"*{fact.name}*\n{escape(fact.value[:_FIELD_VALUE])}") for fact in facts(message)]
    blocks.append({"type": "section", "fields": fields[:_FIELDS]})
    lines = alert_lines(message, _ALERTS_SHOWN, _ALERT_WIDTH)
    end = _end(message, 0)  # its longest form: the count of what is left out only shrinks
    room = MAX_CHARACTERS - sum(map(_size, (*blocks, *end)))
    shown = 0
    for line in lines:
        block = _section(_alert(line))
        room -= _size(block)
        if room < 0 or len(blocks) + len(end) >= MAX_BLOCKS:
            break
        blocks.append(block)
        shown += 1
    return blocks + _end(message, shown)


def reply_blocks(message: Message) -> list[Block]:
    """What changed, for the thread below the incident."""
    return [_section(_state(message)), *_end(message, message.incident.alerts_total)]


def fallback(message: Message) -> str:
    """The `text` of the message: what notifications and screen readers say. It is mrkdwn too."""
    # Escaping makes at most five bytes of one, so this fits: 600 characters are 3,000 bytes at worst.
    return escape(cut_bytes(plain(message, 600), MAX_TEXT_BYTES))


def _state(message: Message) -> str:
    incident = message.incident
    emoji = _EMOJI.get(incident.state) or _EMOJI[incident.severity]
    return f"{emoji} {escape(state_line(message)[:_STATE_LINE])}"


def _alert(line: AlertLine) -> str:
    mark = ":small_red_triangle:" if line.firing else ":white_check_mark:"
    source = f" {_anchor(line.link)}" if line.link is not None else ""
    return f"{mark} *{escape(line.name)}* {escape(line.summary)} _{line.since}_{source}"


def _end(message: Message, shown: int) -> list[Block]:
    parts = [_anchor(link) for link in links(message)]
    if more := more_alerts(message, shown):
        parts.insert(0, more)
    return [{"type": "context", "elements": [_mrkdwn(part) for part in parts]}] if parts else []


def _anchor(link: Link) -> str:
    return f"<{escape(link.href.translate(_LINK_ESCAPES))}|{escape(link.text)}>"


def _section(text: str) -> Block:
    return {"type": "section", "text": _mrkdwn(text)}


def _mrkdwn(text: str) -> Block:
    # verbatim: Slack is not to look for channel names and addresses in what alerts say.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _size(block: Block) -> int:
    return len(orjson.dumps(block).decode())
