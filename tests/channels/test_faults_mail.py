"""Every fault of a relay from its greeting to its good-bye, through the real client and over real connections.

What a well-behaved relay refuses at MAIL, RCPT and the end of the mail, `test_email` examines.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from smtpdfix.certs import _generate_certs

from incidentd.channels.base import Sender
from incidentd.channels.http import HttpClient
from incidentd.domain.notification import Outcome, Verdict
from tests.channels.kits import CANARY
from tests.channels.support import environment, message, open_channel
from tests.fakes.faulty import FaultyServer
from tests.fakes.smtp import SmtpFake
from tests.fakes.smtp_script import CLOSE, DRIP, ENDLESS, HANG, RESET, VANISH, scripted

BOUND = 3.0
"""Seconds that any outcome takes at most, with half a second for the conversation."""
ALICE = "alice@example.com"
OK, RETRY, AMBIGUOUS = Verdict.OK, Verdict.RETRY, Verdict.AMBIGUOUS
BROKEN, REJECTED, GONE = Verdict.DESTINATION_BROKEN, Verdict.CONTENT_REJECTED, Verdict.TARGET_GONE


@asynccontextmanager
async def _open(port: int, **smtp: Any) -> AsyncIterator[Sender]:
    http = HttpClient()
    relay = {"host": "127.0.0.1", "port": port, "tls": "none", "timeout": "500ms"}
    relay |= {"username": "incidentd", "password": CANARY, **smtp}
    config: dict[str, object] = {"kind": "email", "smtp": relay}
    config |= {"from": "Incidents <incidents@example.com>", "to": [ALICE]}
    sender = open_channel(config, environment(http))
    try:
        yield sender
    finally:
        await sender.close()
        await http.aclose()


async def _outcome(sender: Sender, caplog: pytest.LogCaptureFixture) -> Outcome:
    """What one send comes to; in bounded time, and nothing anywhere tells a secret or repeats an address."""
    caplog.set_level(logging.DEBUG)
    async with asyncio.timeout(BOUND):
        outcome = await sender.send(message())
    assert CANARY not in f"{outcome!r} {sender!r} {caplog.text}"
    assert ALICE not in outcome.detail
    assert outcome.code
    return outcome


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 and its key, in one file."""
    return Path(_generate_certs(tmp_path_factory.mktemp("tls")).cert)


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


TALKS = [
    ("GREETING", "421 4.3.2 too busy", RETRY, "421"),
    ("GREETING", "554 5.3.2 no service here", BROKEN, "554"),
    ("GREETING", "HTTP/1.1 400 Bad Request", RETRY, "protocol_error"),
    ("GREETING", CLOSE, RETRY, "connect_error"),
    ("GREETING", RESET, RETRY, "connect_error"),
    ("GREETING", HANG, RETRY, "timeout"),
    ("GREETING", DRIP, RETRY, "timeout"),
    ("GREETING", ENDLESS, RETRY, "protocol_error"),
    ("EHLO", "421 4.3.2 shutting down", RETRY, "421"),
    ("EHLO", "550 5.7.1 we do not talk to you", BROKEN, "550"),
    ("EHLO", CLOSE, RETRY, "connection_lost"),
    ("EHLO", HANG, RETRY, "timeout"),
    ("EHLO", "250 relay.test", BROKEN, "auth_not_offered"),
    ("AUTH", f"535 5.7.8 wrong {CANARY}", BROKEN, "535"),
    ("AUTH", "534 5.7.9 stronger, please", BROKEN, "534"),
    ("AUTH", "530 5.7.0 STARTTLS first", BROKEN, "530"),
    ("AUTH", "454 4.7.0 cannot check it now", RETRY, "454"),
    ("AUTH", "421 4.7.0 too many connections", RETRY, "421"),
    ("AUTH", CLOSE, RETRY, "connection_lost"),
    ("AUTH", HANG, RETRY, "timeout"),
    ("MAIL", "530 5.7.0 STARTTLS first", BROKEN, "530"),
    ("MAIL", "452 4.3.1 no room", RETRY, "452"),
    ("RCPT", RESET, RETRY, "connection_lost"),
    ("RCPT", "550 5.7.1 policy", BROKEN, "550"),
    ("RCPT", "554 5.1.1 no such user", GONE, "554"),
    ("RCPT", DRIP, RETRY, "timeout"),
    ("RCPT", "nonsense", RETRY, "protocol_error"),
    ("DATA", "451 4.3.0 not now", RETRY, "451"),
    ("DATA", "554 5.6.0 not this", REJECTED, "554"),
    ("BODY", "421 4.3.2 shutting down", RETRY, "421"),
    ("BODY", "452 4.3.1 no room", RETRY, "452"),
    ("BODY", "550 5.7.1 spam", REJECTED, "550"),
    ("BODY", "552 5.2.2 mailbox full", GONE, "552"),
    ("BODY", CLOSE, AMBIGUOUS, "connection_lost"),
    ("BODY", RESET, AMBIGUOUS, "connection_lost"),
    ("BODY", HANG, AMBIGUOUS, "timeout"),
    ("BODY", DRIP, AMBIGUOUS, "timeout"),
    ("BODY", ENDLESS, AMBIGUOUS, "protocol_error"),
    ("BODY", "nonsense", AMBIGUOUS, "protocol_error"),
    # It was taken: how the relay says good-bye is no matter.
    ("QUIT", HANG, OK, "250"),
    ("QUIT", RESET, OK, "250"),
    ("QUIT", "421 4.3.2 shutting down", OK, "250"),
]


@pytest.mark.parametrize(("where", "answer", "verdict", "code"), TALKS)
async def test_every_turn_of_a_conversation_has_its_verdict(
    where: str, answer: str, verdict: Verdict, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with FaultyServer(scripted({where: answer})) as server, _open(server.port) as sender:
        outcome = await _outcome(sender, caplog)
        assert (outcome.verdict, outcome.code) == (verdict, code), outcome
        assert server.connections == 1


BEHIND_TLS = [
    ("AUTH", CLOSE, RETRY, "connection_lost"),
    ("RCPT", RESET, RETRY, "connection_lost"),
    ("BODY", CLOSE, AMBIGUOUS, "connection_lost"),
    ("BODY", RESET, AMBIGUOUS, "connection_lost"),
    ("RCPT", VANISH, RETRY, "connection_lost"),
    ("BODY", VANISH, AMBIGUOUS, "connection_lost"),
    ("BODY", HANG, AMBIGUOUS, "timeout"),
    ("STARTTLS", "454 4.7.0 not now", RETRY, "454"),
    ("STARTTLS", "502 5.5.1 what", BROKEN, "502"),
    ("STARTTLS", CLOSE, RETRY, "connection_lost"),
    ("STARTTLS", HANG, RETRY, "timeout"),
]


@pytest.mark.parametrize(("where", "answer", "verdict", "code"), BEHIND_TLS)
async def test_the_same_holds_behind_starttls(
    where: str,
    answer: str,
    verdict: Verdict,
    code: str,
    tls: ssl.SSLContext,
    certificate: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A connection that just ends is no fault of the certificate, also where TLS would have had it end otherwise."""
    fault = scripted({where: answer}, tls)
    trusted = {"tls": "starttls", "ca_file": str(certificate), "timeout": "1s"}
    async with FaultyServer(fault) as server, _open(server.port, **trusted) as sender:
        outcome = await _outcome(sender, caplog)
        assert (outcome.verdict, outcome.code) == (verdict, code), outcome


@pytest.mark.parametrize("answer", [CLOSE, RESET])
@pytest.mark.parametrize("kind", ["implicit", "starttls"])
async def test_a_connection_that_ends_before_tls_has_begun_is_worth_a_retry(
    kind: str, answer: str, caplog: pytest.LogCaptureFixture
) -> None:
    fault = scripted({"GREETING": answer})
    async with FaultyServer(fault) as server, _open(server.port, tls=kind) as sender:
        outcome = await _outcome(sender, caplog)
    assert outcome.verdict is RETRY
    assert outcome.code in {"connection_lost", "connect_error"}


async def test_a_relay_that_says_go_ahead_and_then_speaks_no_tls_breaks_the_destination(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with FaultyServer(scripted({})) as server, _open(server.port, tls="starttls") as sender:
        outcome = await _outcome(sender, caplog)
    assert (outcome.verdict, outcome.code) == (BROKEN, "tls_error")


@pytest.mark.usefixtures("unknown_names")
async def test_a_name_that_nobody_knows_is_worth_a_retry(caplog: pytest.LogCaptureFixture) -> None:
    async with _open(25, host="relay.invalid", tls="starttls") as sender:
        outcome = await _outcome(sender, caplog)
    assert (outcome.verdict, outcome.code) == (RETRY, "connect_error")


async def test_a_greylisted_mail_is_the_same_mail_when_it_is_let_in(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "mail.log")  # the fake relay's own
    async with SmtpFake(login=("incidentd", CANARY)) as relay, _open(relay.port) as sender:
        relay.script("RCPT", "450 4.2.0 greylisted, try again in 300 seconds", "451 4.7.1 greylisted")
        verdicts = [(await sender.send(message())).verdict for _ in range(3)]
        assert verdicts == [RETRY, RETRY, OK]
        assert [mail.content["Message-ID"] for mail in relay.mails] == ["<dlv_0001@incidents.example.com>"]
        assert relay.violations == []
