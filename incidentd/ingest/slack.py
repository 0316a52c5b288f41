"""What Slack sends back: clicks on the buttons of our messages, and the slash command. Pure: bytes to values.

Every text in it was typed or can be changed by whoever has the app's token, so nothing here is believed beyond the
signature: the button's value is only a number to look up, and the member ID only a name to find among the users.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson

from incidentd.domain.duration import parse_duration
from incidentd.domain.response import SNOOZE_LIMIT
from incidentd.ingest.text import clean, cut
from incidentd.ingest.types import NotAWebhookError

SIGNATURE_HEADER: Final = "X-Slack-Signature"
TIMESTAMP_HEADER: Final = "X-Slack-Request-Timestamp"
WINDOW: Final = timedelta(seconds=300)
"""How far Slack's time stamp may be from now: an older request could be a recorded one."""
BUTTON_SNOOZE: Final = timedelta(hours=1)
_FIELDS_AT_MOST: Final = 64
_COMMENT_BYTES: Final = 4096
_WORD_SHOWN: Final = 32
_ID: Final = re.compile(r"[A-Z0-9]{1,32}")
_REFERENCE: Final = re.compile(r"(?:INC-)?([0-9]{1,18})", re.IGNORECASE)
_STEP: Final = re.compile(r"[0-9]{1,4}", re.ASCII)
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")
_FORCE: Final = frozenset({"--force", "-force", "\u2013force", "\u2014force"})
"""Keyboards of phones and Macs make one long dash of two."""


class Verb(enum.StrEnum):
    """What a person asks for."""

    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"
    SNOOZE = "snooze"
    SILENCE = "silence"
    RUN = "run"
    LIST = "list"
    SHOW = "show"
    ONCALL = "oncall"
    HELP = "help"


ACTS: Final = frozenset({Verb.ACKNOWLEDGE, Verb.RESOLVE, Verb.SNOOZE, Verb.SILENCE, Verb.RUN})
"""The verbs that change something."""
_BUTTONS: Final = {
    "incidentd_acknowledge": Verb.ACKNOWLEDGE,
    "incidentd_resolve": Verb.RESOLVE,
    "incidentd_snooze": Verb.SNOOZE,
    "incidentd_run_step": Verb.RUN,
}
_WORDS: Final = {"ack": Verb.ACKNOWLEDGE, **{verb.value: verb for verb in Verb}}


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done."""

    verb: Verb
    incident_id: int = 0
    """0 where the verb needs none."""
    comment: str = ""
    force: bool = False
    pause: timedelta = timedelta()
    """How long a snooze or a silence lasts."""
    step: int = 0
    """Which step of the runbook a machine is to take."""
    problem: str = ""
    """Why the words were not understood; then the verb is `HELP`."""


@dataclass(frozen=True, slots=True)
class Ask:
    """An order, and who gave it."""

    order: Order
    user: str
    """Slack member ID."""
    teams: tuple[str, ...]
    """IDs of the Slack workspace and of the organisation it belongs to, as far as they are told."""
    response_url: str
    """Where Slack says that an answer may be posted. Not checked yet."""
    button: bool = False


def in_window(timestamp: str, now: datetime) -> bool:
    """True if the time that Slack signed is a number and within `WINDOW` of `now`, both ends included."""
    if _TIMESTAMP.fullmatch(timestamp) is None:
        return False
    return abs(int(now.timestamp()) - int(timestamp)) <= WINDOW.total_seconds()


def genuine(timestamp: str, body: bytes, signature: str, secrets: Iterable[str]) -> int | None:
    """Which of the signing secrets signed `body`, as its place among them; None if none did.

    Takes the same time whichever fits: every secret is tried and every comparison is complete.
    """
    found = None
    given = signature.encode("utf-8", "surrogateescape")
    for place, secret in enumerate(secrets):
        signed = b"v0:" + timestamp.encode("utf-8", "surrogateescape") + b":" + body
        expected = "v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        if hmac.compare_digest(expected.encode(), given) and found is None:
            found = place
    return found


def form(body: bytes) -> dict[str, str]:
    """The fields of an urlencoded body. Raises `NotAWebhookError`."""
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=_FIELDS_AT_MOST, errors="strict"
        )
    except ValueError:
        raise NotAWebhookError("the body is no form of Slack's") from None
    return dict(pairs)


def payload_of(fields: Mapping[str, str]) -> Mapping[str, Any]:
    """The JSON under ``payload``. Raises `NotAWebhookError`."""
    try:
        payload = orjson.loads(fields.get("payload", ""))
    except orjson.JSONDecodeError:
        raise NotAWebhookError("the payload is not JSON") from None
    if not isinstance(payload, dict):
        raise NotAWebhookError("the payload is no object")
    return payload


def clicked(payload: Mapping[str, Any]) -> Ask | None:
    """The first of our buttons that was clicked.

    None for what nothing follows from: other interactions, and links, of which Slack tells too.
    """
    actions = payload.get("actions")
    if payload.get("type") != "block_actions" or not isinstance(actions, list):
        return None
    for action in actions:
        verb = _BUTTONS.get(str(action.get("action_id"))) if isinstance(action, dict) else None
        if verb is None:
            continue
        order = _pressed(verb, action.get("value"))
        teams = _known(_id_in(payload, "team"), _id_in(payload, "enterprise"))
        return Ask(order, _id_in(payload, "user"), teams, _text(payload.get("response_url")), button=True)
    return None


def _pressed(verb: Verb, value: object) -> Order:
    """What a button asks for, by the value that we gave it."""
    written, _, step = value.partition("/") if isinstance(value, str) else ("", "", "")
    number, chosen = _incident(written), _step(step)
    if number is None or (verb is Verb.RUN) is (chosen is None):
        return Order(Verb.HELP, problem="that button names no incident")
    pause = BUTTON_SNOOZE if verb is Verb.SNOOZE else timedelta()
    return Order(verb, number, pause=pause, step=chosen or 0)


def _step(text: str) -> int | None:
    return int(text) if _STEP.fullmatch(text) else None


def commanded(fields: Mapping[str, Any]) -> Ask:
    """What was typed behind the slash command."""
    return Ask(
        order_of(_text(fields.get("text"))),
        _id(fields.get("user_id")),
        _known(_id(fields.get("team_id")), _id(fields.get("enterprise_id"))),
        _text(fields.get("response_url")),
    )


def order_of(text: str) -> Order:
    """The order in the words of a slash command; one with a `problem` if they are none."""
    word, _, rest = _unescaped(cut(clean(text), 2 * _COMMENT_BYTES)).strip().partition(" ")
    verb = _WORDS.get(word.lower(), None if word else Verb.HELP)
    if verb is None:
        return _misread(f"there is no {word[:_WORD_SHOWN]!r}")
    if verb not in ACTS and verb is not Verb.SHOW:
        return Order(verb)
    words = rest.split()
    force = False
    if verb is Verb.RESOLVE and (flags := [place for place, each in enumerate(words[:2]) if each in _FORCE]):
        force = True
        del words[flags[0]]
    number = _incident(words[0]) if words else None
    if number is None:
        return _misread(f"{verb.value} needs an incident, such as INC-12")
    if verb in {Verb.SNOOZE, Verb.SILENCE}:
        return _for_a_while(verb, number, words[1:])
    if verb is Verb.RUN:
        step = _step(words[1]) if len(words) > 1 else None
        if step is None:
            return _misread("run needs the number of a step, such as INC-12 3")
        return Order(verb, number, _comment(words[2:]), step=step)
    return Order(verb, number, _comment(words[1:]), force)


def _for_a_while(verb: Verb, number: int, words: list[str]) -> Order:
    try:
        pause = parse_duration(words[0] if words else "")
    except ValueError:
        pause = timedelta()
    if not timedelta() < pause <= SNOOZE_LIMIT:
        return _misread(f"{verb.value} needs how long, such as 30m, 1h or 2d, at most 30d")
    return Order(verb, number, _comment(words[1:]), pause=pause)


def _misread(problem: str) -> Order:
    return Order(Verb.HELP, problem=problem)


def _comment(words: list[str]) -> str:
    return cut(" ".join(words), _COMMENT_BYTES)


def _unescaped(text: str) -> str:
    # Slack escapes these three in every text it passes on.
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _incident(value: object) -> int | None:
    match = _REFERENCE.fullmatch(value) if isinstance(value, str) and value.isascii() else None
    return int(match[1]) if match else None


def _id_in(payload: Mapping[str, Any], key: str) -> str:
    part = payload.get(key)
    return _id(part.get("id")) if isinstance(part, dict) else ""


def _id(value: object) -> str:
    return value if isinstance(value, str) and _ID.fullmatch(value) else ""


def _known(*ids: str) -> tuple[str, ...]:
    return tuple(each for each in ids if each)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
