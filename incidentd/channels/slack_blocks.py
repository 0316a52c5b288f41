"""The Slack message in Block Kit, within Slack's limits. Pure.

Limits: a message takes 50 blocks, a header 150 characters, a section 3,000, a field 2,000. Undocumented but
measured: about 13,200 characters over all blocks, and about 4,000 bytes of `text`. We stay below all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import orjson

from incidentd.channels.words import (
    AlertLine,
    Link,
    StepLine,
    alert_lines,
    body_text,
    cut_bytes,
    facts,
    headline,
    links,
    more_alerts,
    next_steps,
    plain,
    runbook_of,
    runbook_title,
    state_line,
    tidy,
    web_link,
)
from incidentd.domain.notification import Message, Notice

MAX_BLOCKS = 40
MAX_CHARACTERS = 10_000
"""Of all blocks together, counted as JSON, which is more than Slack counts."""
MAX_TEXT_BYTES = 3500
ACKNOWLEDGE = "incidentd_acknowledge"
RESOLVE = "incidentd_resolve"
SNOOZE = "incidentd_snooze"
"""The `action_id` of the buttons, whose `value` is the incident's id as text."""
RUN_STEP = "incidentd_run_step"
"""The button that has a machine take a step; its `value` is the incident's id, a slash, and the step's number."""
RUNBOOK = "incidentd_runbook"
"""The button that is a link. Slack reports a click on it all the same; it asks for nothing."""

_HEADER = 150
_FIELDS = 10
_FIELD_VALUE = 150
_STATE_LINE = 500
_OWN_WORDS = 2500
_ALERTS_SHOWN = 20
_ALERT_WIDTH = 300
_LINKS = 2500
_STEPS_SHOWN = 3
_STEP = 100
_ALERT_LINK = 700
"""Characters of an alert's own link: its section takes 3,000, and the next alerts want room too."""
_LINK_ESCAPES = str.maketrans({"|": "%7C", "<": "%3C", ">": "%3E"})
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})

Block = dict[str, Any]

_EMOJI = {
    "resolved": ":large_green_circle:",
    "acknowledged": ":eyes:",
    "critical": ":red_circle:",
    "warning": ":large_orange_circle:",
    "info": ":large_blue_circle:",
}
_SAYS = {
    "triggered": frozenset({Notice.TRIGGERED, Notice.UNACKNOWLEDGED, Notice.ESCALATED, Notice.REOPENED}),
    "acknowledged": frozenset({Notice.ACKNOWLEDGED}),
    "resolved": frozenset({Notice.RESOLVED}),
}
"""State -> the notices that say the same of the incident as it does."""


def escape(text: str) -> str:
    """`text` in mrkdwn, where ``<!channel>`` in a label would call everybody. Cut it before, not after."""
    return text.translate(_ENTITIES)


def standing(message: Message) -> Message:
    """`message` as the incident's own message shows it when it is brought up to date: how things stand now.

    A notice that has been overtaken, or a note, is told in the thread; the message on top must not go back to it.
    """
    incident = message.incident
    if message.notice in _SAYS.get(incident.state, ()):
        return message
    if incident.state == "resolved":
        return replace(message, notice=Notice.RESOLVED, actor=incident.resolved_by or "", comment="")
    if incident.state == "acknowledged":
        return replace(message, notice=Notice.ACKNOWLEDGED, actor=incident.acknowledged_by or "", comment="")
    return replace(message, notice=Notice.TRIGGERED, actor="source", comment="")


def root_blocks(message: Message, *, buttons: bool) -> list[Block]:
    """The incident as a whole: how it stands, what is known, its alerts as far as there is room, buttons.

    Of a storm its incidents, without buttons: one click must not act on the first of many.
    """
    acting = _actions(message) if buttons and not message.bundle else []
    blocks = [_header(message), *_state(message)]
    fields = [_mrkdwn(f"*{fact.name}*\n{escape(fact.value[:_FIELD_VALUE])}") for fact in facts(message)]
    blocks.append({"type": "section", "fields": fields[:_FIELDS]})
    blocks += _steps(message)
    end = _end(message, 0)  # its longest form: the count of what is left out only shrinks
    room = MAX_CHARACTERS - sum(map(_size, (*blocks, *acting, *end)))
    shown = 0
    for line in alert_lines(message, _ALERTS_SHOWN, _ALERT_WIDTH):
        block = _section(_alert(line))
        room -= _size(block)
        if room < 0 or len(blocks) + len(acting) + len(end) >= MAX_BLOCKS:
            break
        blocks.append(block)
        shown += 1
    return blocks + acting + _end(message, shown)


def reply_blocks(message: Message) -> list[Block]:
    """What changed, for the thread below the incident."""
    return [*_state(message), *_end(message, None)]


def notice_blocks(message: Message) -> list[Block]:
    """What changed, and of what incident: for where there are no threads."""
    return [_header(message), *reply_blocks(message)]


def fallback(message: Message) -> str:
    """The `text` of the message: what notifications and screen readers say. It is mrkdwn too."""
    # Escaping makes at most five bytes of one, so this fits: 600 characters are 3,000 bytes at worst.
    return escape(cut_bytes(plain(message, 600), MAX_TEXT_BYTES))


def _header(message: Message) -> Block:
    return {
        "type": "header",
        "text": {"type": "plain_text", "text": headline(message, _HEADER), "emoji": False},
    }


def _state(message: Message) -> list[Block]:
    incident = message.incident
    emoji = _EMOJI.get(incident.state) or _EMOJI[incident.severity]
    if message.texts is None or not message.texts.body:
        return [_section(f"{emoji} {escape(state_line(message)[:_STATE_LINE])}")]
    # The operator's words may have several lines: they get a place of their own.
    happened = state_line(replace(message, texts=None))[:_STATE_LINE]
    own = _escaped(body_text(message), _OWN_WORDS)
    return [_section(f"{emoji} {escape(happened)}"), *([_section(own)] if own else [])]


def _actions(message: Message) -> list[Block]:
    incident = message.incident
    if incident.state == "resolved":
        return []
    resolve = _button("Resolve", RESOLVE, value=str(incident.id))
    resolve["confirm"] = {
        "title": _plain(f"Resolve {incident.ref}?"),
        "text": _plain("It ends for everybody who was told of it."),
        "confirm": _plain("Resolve"),
        "deny": _plain("Cancel"),
    }
    buttons = [resolve, _button("Snooze 1h", SNOOZE, value=str(incident.id))]
    if incident.state == "triggered":
        buttons.insert(0, _button("Acknowledge", ACKNOWLEDGE, value=str(incident.id), style="primary"))
    buttons += _offer(message)
    buttons += [_button(link.text, RUNBOOK, url=link.href) for link in links(message) if _is_runbook(link)]
    return [{"type": "actions", "elements": buttons}]


def _offer(message: Message) -> list[Block]:
    """The next step that a machine takes if a person agrees. The step is named: a click on an old message is not meant
    for the one after it.
    """
    book = runbook_of(message)
    offer = book.offer if book is not None else None
    if offer is None:
        return []
    what = f"{'Agree to' if offer.asked_by else 'Run'} step {offer.number}"
    button = _button(what, RUN_STEP, value=f"{message.incident.id}/{offer.number}")
    asked = f" Asked for by {tidy(offer.asked_by, 60)}." if offer.asked_by else ""
    button["confirm"] = {
        "title": _plain(f"{what}?"),
        "text": _plain(f"{tidy(offer.text, 200)}{asked}"),
        "confirm": _plain("Run"),
        "deny": _plain("Cancel"),
    }
    return [button]


def _steps(message: Message) -> list[Block]:
    """The runbook and the next steps of it."""
    book = runbook_of(message)
    if book is None:
        return []
    found = web_link("All steps", book.url)
    lines = [
        f"*{escape(runbook_title(message))}*",
        *[_step(line) for line in next_steps(message, _STEPS_SHOWN, _STEP)],
    ]
    return [_section("\n".join([*lines, *_fitting([found] if found else [], _ALERT_LINK)]))]


def _step(line: StepLine) -> str:
    said = f" _{line.state}_" if line.state != "pending" else ""
    return f"{line.number}. {escape(line.text)}{said}"


def _is_runbook(link: Link) -> bool:
    return link.text == "Runbook"


def _button(text: str, action: str, **more: str) -> Block:
    return {"type": "button", "action_id": action, "text": _plain(text), **more}


def _alert(line: AlertLine) -> str:
    mark = ":small_red_triangle:" if line.firing else ":white_check_mark:"
    source = _fitting([line.link] if line.link is not None else [], _ALERT_LINK)
    return " ".join(
        [mark, f"*{escape(line.name)}*", escape(line.summary), f"_{escape(line.since)}_", *source]
    )


def _end(message: Message, shown: int | None) -> list[Block]:
    parts = _fitting(links(message), _LINKS)
    if shown is not None and (more := more_alerts(message, shown)):
        parts.insert(0, more)
    return [{"type": "context", "elements": [_mrkdwn(part) for part in parts]}] if parts else []


def _fitting(found: Iterable[Link], room: int) -> list[str]:
    """The links that fit into `room` characters together; a long one is left out and the next may fit."""
    anchors = []
    for anchor in map(_anchor, found):
        if len(anchor) <= room:
            room -= len(anchor)
            anchors.append(anchor)
    return anchors


def _anchor(link: Link) -> str:
    return f"<{escape(link.href.translate(_LINK_ESCAPES))}|{escape(link.text)}>"


def _escaped(text: str, limit: int) -> str:
    """`text` in mrkdwn of at most `limit` characters, never cut inside an entity."""
    room = limit - 1
    for place, character in enumerate(text):
        room -= len(escape(character))
        if room < 0:
            return escape(text[:place].rstrip()) + "\u2026"
    return escape(text)


def _section(text: str) -> Block:
    return {"type": "section", "text": _mrkdwn(text)}


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text}


def _mrkdwn(text: str) -> Block:
    # verbatim: Slack is not to look for channel names and addresses in what alerts say.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _size(block: Block) -> int:
    return len(orjson.dumps(block).decode())
