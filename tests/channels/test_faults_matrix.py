"""Every fault of a network, a proxy or a vendor, against every channel that speaks HTTP, by one table.

Through the real client and over real connections. What each vendor's own words mean is examined beside this one in
the tests of its answers; mail has its own in `test_faults_mail`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from smtpdfix.certs import _generate_certs

from incidentd.channels.apprise import AppriseSender
from incidentd.channels.base import Sender
from incidentd.channels.http import HttpClient, HttpLimits
from incidentd.domain.notification import Outcome, Verdict
from tests.channels import kits
from tests.channels.kits import CANARY
from tests.channels.support import environment, message, open_channel
from tests.channels.test_slack_answers import ERRORS, HOOK_ERRORS
from tests.fakes import faulty
from tests.fakes.faulty import Fault, FaultyServer, answers

LIMITS = HttpLimits(connect=0.2, read=0.3, total=0.5, grace=0.3)
BOUND = 10.0
"""Seconds that any outcome takes at most, with `LIMITS`."""
APPRISE = 0.6
"""Seconds that apprise is given."""

OK, RETRY, AMBIGUOUS = Verdict.OK, Verdict.RETRY, Verdict.AMBIGUOUS
BROKEN, THROTTLED, REJECTED = Verdict.DESTINATION_BROKEN, Verdict.THROTTLED, Verdict.CONTENT_REJECTED
GONE, DISABLED = Verdict.TARGET_GONE, Verdict.DISABLED
KINDS = ("slack", "slack/webhook", "pagerduty", "webhook")


def _config(kind: str, url: str) -> dict[str, object]:
    if kind == "slack":
        return {"kind": "slack", "token": CANARY, "channel": "C012345", "base_url": url}
    if kind == "slack/webhook":
        return {"kind": "slack", "webhook_url": f"{url}/services/T012345/B012345/{CANARY}"}
    if kind == "pagerduty":
        return {"kind": "pagerduty", "routing_key": CANARY, "base_url": url}
    if kind == "webhook":
        return {"kind": "webhook", "url": f"{url}/{CANARY}", "secret": f"whsec_{CANARY}"}
    return {"kind": "apprise", "urls": [f"{url.replace('http', 'json', 1)}/{CANARY}"]}


@asynccontextmanager
async def _open(kind: str, url: str) -> AsyncIterator[Sender]:
    http = HttpClient(LIMITS)
    sender: Any = open_channel(_config(kind, url), environment(http))
    if isinstance(sender, AppriseSender):
        sender = replace(sender, seconds=APPRISE)
    try:
        yield sender
    finally:
        await sender.close()
        await http.aclose()


async def _outcome(kind: str, url: str, caplog: pytest.LogCaptureFixture) -> Outcome:
    """What one send comes to; in bounded time, and nothing anywhere tells a secret."""
    caplog.set_level(logging.DEBUG)
    async with _open(kind, url) as sender:
        async with asyncio.timeout(BOUND):
            outcome = await sender.send(message())
        shown = f"{outcome!r} {sender!r} {sender.targets} {caplog.text}"
    assert CANARY not in shown
    assert len(outcome.detail) <= 200
    assert outcome.code
    return outcome


async def _judged(kind: str, fault: Fault, caplog: pytest.LogCaptureFixture) -> Outcome:
    """The same, of a server with this fault, which is asked once."""
    async with FaultyServer(fault) as server:
        outcome = await _outcome(kind, f"http://127.0.0.1:{server.port}", caplog)
        assert server.connections == 1
        return outcome


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A certificate that nobody has signed."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(Path(_generate_certs(tmp_path_factory.mktemp("tls")).cert))
    return context


@pytest.mark.usefixtures("unknown_names")
@pytest.mark.parametrize("kind", [*KINDS, "apprise"])
async def test_a_name_that_nobody_knows_is_worth_a_retry(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    outcome = await _outcome(kind, "http://receiver.invalid", caplog)
    assert (outcome.verdict, outcome.code) == (RETRY, "refused" if kind == "apprise" else "connect_error")


@pytest.mark.parametrize("kind", KINDS)
async def test_no_connection_in_time_is_worth_a_retry(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing was sent: TLS did not come about."""
    async with FaultyServer(faulty.silent) as server:
        outcome = await _outcome(kind, f"https://127.0.0.1:{server.port}", caplog)
    assert (outcome.verdict, outcome.code) == (RETRY, "connect_timeout")


@pytest.mark.parametrize("fault", [faulty.reset_at_once, faulty.speaks_no_tls])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_connection_that_never_gets_to_tls_is_worth_a_retry(
    kind: str, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    async with FaultyServer(fault) as server:
        outcome = await _outcome(kind, f"https://127.0.0.1:{server.port}", caplog)
    assert outcome.verdict is RETRY
    assert outcome.code in {"connect_error", "tls_error"}


@pytest.mark.parametrize("kind", [*KINDS, "apprise"])
async def test_a_certificate_that_nobody_signed_gets_nothing(
    kind: str, strange: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    async with FaultyServer(answers(200, b"ok"), strange) as server:
        outcome = await _outcome(kind, f"https://127.0.0.1:{server.port}", caplog)
    if kind == "apprise":  # it tells nothing apart
        assert outcome.verdict is RETRY
    else:
        assert (outcome.verdict, outcome.code) == (BROKEN, "certificate_refused")


BROKEN_OFF = {
    "reset at once": faulty.reset_at_once,
    "reset after the request": faulty.reset_after_request,
    "closed after the request": faulty.closed_after_request,
    "half an answer": faulty.says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
    "no http": faulty.says(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "silent": faulty.silent,
    "silent after the request": faulty.silent_after_request,
    "dripping head": faulty.dripping_head,
    "dripping body": faulty.dripping_body,
}


@pytest.mark.parametrize("fault", BROKEN_OFF.values(), ids=BROKEN_OFF.keys())
@pytest.mark.parametrize("kind", KINDS)
async def test_no_whole_answer_after_something_was_sent_is_ambiguous(
    kind: str, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    outcome = await _judged(kind, fault, caplog)
    assert outcome.verdict is AMBIGUOUS
    assert outcome.code in {"timeout", "connection_lost", "network_error"}


@pytest.mark.parametrize("fault", BROKEN_OFF.values(), ids=BROKEN_OFF.keys())
async def test_apprise_is_given_its_time_and_no_more(fault: Fault, caplog: pytest.LogCaptureFixture) -> None:
    outcome = await _judged("apprise", fault, caplog)
    assert outcome.verdict in {RETRY, AMBIGUOUS}


@dataclass(frozen=True)
class Said:
    """An answer, and what each channel of `KINDS` makes of it."""

    status: int
    body: bytes
    slack: Verdict
    hook: Verdict
    pagerduty: Verdict
    webhook: Verdict

    @property
    def verdicts(self) -> dict[str, Verdict]:
        return dict(zip(KINDS, (self.slack, self.hook, self.pagerduty, self.webhook), strict=True))


HTML = b"<html><body>Welcome to the proxy " + CANARY.encode() + b"</body></html>"
ECHO = json.dumps({"ok": False, "error": CANARY, "message": CANARY, "errors": [CANARY]}).encode()
HUGE = b"x" * 1_000_000
SAID = [
    # Only a vendor's own answer is success; a webhook's receiver may say anything with its 2xx.
    Said(200, b'{"ok":true,"channel":"C012345","ts":"1.5"}', OK, RETRY, RETRY, OK),
    Said(200, b"ok", RETRY, OK, RETRY, OK),
    Said(202, b'{"status":"success"}', RETRY, RETRY, OK, OK),
    *[Said(200, text, RETRY, RETRY, RETRY, OK) for text in (HTML, b"", b"[]", b"null", b"\xff\xfe", HUGE)],
    Said(202, HUGE, RETRY, RETRY, OK, OK),
    Said(202, b"[" * 50_000, RETRY, RETRY, OK, OK),
    *[Said(status, b"", RETRY, RETRY, RETRY, OK) for status in (201, 204, 299)],
    *[Said(status, HTML, BROKEN, BROKEN, BROKEN, BROKEN) for status in (300, 301, 302, 303, 307, 308)],
    Said(304, b"", BROKEN, BROKEN, BROKEN, BROKEN),
    *[Said(status, ECHO, REJECTED, REJECTED, REJECTED, REJECTED) for status in (400, 409, 413, 418, 422)],
    *[Said(status, ECHO, BROKEN, BROKEN, BROKEN, BROKEN) for status in (401, 403, 405, 407)],
    Said(404, HTML, BROKEN, BROKEN, BROKEN, GONE),
    Said(410, HTML, DISABLED, DISABLED, DISABLED, DISABLED),
    *[Said(status, ECHO, RETRY, RETRY, RETRY, RETRY) for status in (408, 421, 425)],
    Said(429, HTML, THROTTLED, THROTTLED, THROTTLED, THROTTLED),
    *[Said(status, ECHO, RETRY, RETRY, RETRY, RETRY) for status in (500, 501, 503, 505, 520, 599)],
    *[Said(status, HTML, RETRY, RETRY, RETRY, THROTTLED) for status in (502, 504)],
    Said(500, HUGE, RETRY, RETRY, RETRY, RETRY),
]


@pytest.mark.parametrize("said", SAID, ids=lambda said: f"{said.status} {said.body[:12]!r}")
@pytest.mark.parametrize("kind", KINDS)
async def test_every_answer_has_its_verdict(kind: str, said: Said, caplog: pytest.LogCaptureFixture) -> None:
    # No redirect is followed: the server is asked once.
    fault = answers(said.status, said.body, Location="/elsewhere", X_Echo=CANARY)
    outcome = await _judged(kind, fault, caplog)
    assert outcome.verdict is said.verdicts[kind], outcome


@pytest.mark.parametrize("kind", KINDS)
async def test_an_answer_without_end_is_cut(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    outcome = await _judged(kind, faulty.endless_body, caplog)
    assert outcome.verdict is (OK if kind in {"pagerduty", "webhook"} else RETRY)


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ({}, None),
        ({"Retry_After": "90"}, 90),
        ({"Retry_After": "Fri, 20 Nov 2026 10:17:00 GMT"}, 120),
        ({"Retry_After": "soon"}, None),
    ],
    ids=["no Retry-After", "seconds", "a date", "nonsense"],
)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_429_says_how_long_to_wait(
    kind: str, asked: dict[str, str], seconds: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    outcome = await _judged(kind, answers(429, b"", **asked), caplog)
    least = 30 if kind == "pagerduty" and seconds is None else seconds
    assert outcome.verdict is THROTTLED
    assert outcome.retry_after == (None if least is None else timedelta(seconds=least))


def _words_of_slack() -> Iterator[tuple[str, int, bytes, Verdict]]:
    for verdict, errors in ERRORS.items():
        for error in errors.split():
            yield "slack", 200, json.dumps({"ok": False, "error": error}).encode(), verdict
    for (status, text), verdict in HOOK_ERRORS.items():
        yield "slack/webhook", status, text.encode(), verdict


@pytest.mark.parametrize(("kind", "status", "body", "verdict"), [*_words_of_slack()])
async def test_every_word_of_slack_has_its_verdict(
    kind: str, status: int, body: bytes, verdict: Verdict, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await _judged(kind, answers(status, body), caplog)).verdict is verdict


def test_every_channel_that_speaks_http_is_in_the_table() -> None:
    assert {name for name in kits.KITS if name not in {"email", "console", "slack/buttons"}} == {
        *KINDS,
        "apprise",
    }
