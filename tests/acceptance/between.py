"""What every vendor may answer to a page that it has heard before, and what is to become of it then."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from typing import Any

from incidentd.domain.notification import Verdict
from tests.acceptance.harness import ROUTING_KEY, Vendors
from tests.fakes.http import Answer
from tests.fakes.smtp import DROP, HANG

CHANNELS = ("slack", "pager", "hook", "mail")
_SOON = {"Retry-After": "1"}
_GONE_MAIL = "550 5.1.1 no such user"
ANSWERS: dict[Verdict, dict[str, Answer | str]] = {
    Verdict.OK: {},
    Verdict.RETRY: {
        "slack": Answer(503),
        "pager": Answer(500),
        "hook": Answer(500),
        "mail": "451 4.3.0 later",
    },
    Verdict.THROTTLED: {
        "slack": Answer(429, b"", _SOON),
        "pager": Answer(429, {}, _SOON),
        "hook": Answer(429, b"", _SOON),
    },
    Verdict.AMBIGUOUS: {
        "slack": Answer(drop=True),
        "pager": Answer(drop=True),
        "hook": Answer(drop=True),
        "mail": DROP,
    },
    Verdict.CONTENT_REJECTED: {
        "slack": Answer(200, {"ok": False, "error": "invalid_blocks"}),
        "pager": Answer(400, {"status": "invalid event", "errors": ["summary"]}),
        "hook": Answer(422),
        "mail": "554 5.6.0 not this",
    },
    Verdict.TARGET_GONE: {
        "slack": Answer(200, {"ok": False, "error": "channel_not_found"}),
        "hook": Answer(404),
        "mail": _GONE_MAIL,
    },
    Verdict.DESTINATION_BROKEN: {
        "slack": Answer(200, {"ok": False, "error": "token_revoked"}),
        "pager": Answer(400, {"errors": [f"Invalid routing key {ROUTING_KEY}"]}),
        "hook": Answer(401),
        "mail": "530 5.7.0 log in first",
    },
    Verdict.DISABLED: {"slack": Answer(410), "pager": Answer(410), "hook": Answer(410)},
}
"""Outcome -> channel -> the answer that means it. A channel that is left out accepts the page."""
_ENDS = {
    Verdict.OK: ("sent", 2),
    Verdict.TARGET_GONE: ("dead", 2),
    Verdict.DISABLED: ("dead", 2),
    Verdict.DESTINATION_BROKEN: ("pending", 2),
}


def end_of(verdict: Verdict) -> tuple[str, int]:
    """State and attempts of a page whose first attempt was cut off and whose second came to `verdict`."""
    return _ENDS.get(verdict, ("sent", 3))


def script(told: Vendors, answers: dict[str, Answer | str]) -> None:
    """The first attempt at each vendor is held, the second gets this, and the rest is accepted."""
    for name, fake in (("slack", told.slack), ("pager", told.pager), ("hook", told.hook)):
        answer = answers.get(name)
        fake.script([Answer(hang=True), *([answer] if isinstance(answer, Answer) else [])])
    told.mail.script("DATA", HANG, *[text for text in [answers.get("mail")] if isinstance(text, str)])


@dataclass(frozen=True)
class Attempt:
    """One time that a vendor was told of an incident."""

    channel: str
    key: str
    """By which the vendor knows a repeat."""
    incident: str
    content: Any
    """What was said, without what changes from one attempt to the next by design."""


def attempts(told: Vendors) -> list[Attempt]:
    """Every page that any vendor was handed, accepted or not, in the order of each."""
    return [*_slack(told), *_pager(told), *_hook(told), *_mail(told)]


def _slack(told: Vendors) -> Iterator[Attempt]:
    for received in told.slack.requests:
        if received.path == "/chat.postMessage":
            body = json.loads(received.body)
            key = body["metadata"]["event_payload"]["delivery_id"]
            yield Attempt("slack", key, body["text"].partition("]")[0].strip("["), body)


def _pager(told: Vendors) -> Iterator[Attempt]:
    for received in told.pager.requests:
        body = json.loads(received.body)
        if body["event_action"] == "trigger":
            yield Attempt("pager", body["dedup_key"], f"INC-{body['dedup_key'].split('-')[-2]}", body)


def _hook(told: Vendors) -> Iterator[Attempt]:
    for received in told.hook.requests:
        body = json.loads(received.body)
        yield Attempt("hook", received.headers["webhook-id"], body["data"]["incident"]["ref"], body)


def _mail(told: Vendors) -> Iterator[Attempt]:
    for raw in told.mail.offered:
        mail = message_from_bytes(raw, policy=policy.default)
        yield Attempt("mail", mail["Message-ID"], mail["Subject"].partition("]")[0].strip("["), raw)
