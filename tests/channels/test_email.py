"""What only mail does: threads, TLS that fails closed, and an answer for every mailbox."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pydantic import ValidationError
from smtpdfix.certs import _generate_certs

from incidentd.channels.base import ChannelEnv, Sender
from incidentd.channels.email import EmailConfig, render
from incidentd.channels.http import HttpClient
from incidentd.domain.notification import Notice, Verdict
from tests.channels.support import HOSTILE, environment, hostile, message, open_channel
from tests.fakes.smtp import DROP, HANG, SmtpFake, judge_mail

ALICE, BOB, CHARLIE = "alice@example.com", "bob@example.com", "charlie@example.com"
ACK = "https://incidents.example.com/ack/some-token"


def _config(relay: SmtpFake, to: tuple[str, ...] = (ALICE,), **smtp: Any) -> dict[str, object]:
    server = {"host": relay.host, "port": relay.port, "tls": "none", "timeout": "500ms", **smtp}
    return {"kind": "email", "smtp": server, "from": "Incidents <incidents@example.com>", "to": list(to)}


@pytest_asyncio.fixture
async def env() -> AsyncIterator[ChannelEnv]:
    http = HttpClient()
    yield environment(http)
    await http.aclose()


@pytest_asyncio.fixture
async def relay() -> AsyncIterator[SmtpFake]:
    async with SmtpFake() as fake:
        yield fake
        assert fake.violations == []


@pytest.fixture
def two(relay: SmtpFake, env: ChannelEnv) -> Sender:
    """Mails to Alice and Bob."""
    return open_channel(_config(relay, (ALICE, BOB)), env)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 and its key, in one file."""
    return Path(_generate_certs(tmp_path_factory.mktemp("tls")).cert)


def _server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


async def test_all_mails_of_an_incident_form_one_thread(relay: SmtpFake, two: Sender) -> None:
    for number, notice in enumerate((Notice.TRIGGERED, Notice.RESOLVED)):
        await two.send(message(notice, delivery_id=f"dlv_{number}"))
    heads = [mail.content for mail in relay.mails]
    assert [head["Message-ID"] for head in heads] == [
        "<dlv_0@incidents.example.com>",
        "<dlv_1@incidents.example.com>",
    ]
    assert {head["References"] for head in heads} == {"<incident-12@incidents.example.com>"}
    assert {head["In-Reply-To"] for head in heads} == {"<incident-12@incidents.example.com>"}
    assert {head["Subject"] for head in heads} == {"[INC-12] Checkout errors at 42%"}
    assert heads[0]["X-Auto-Response-Suppress"] == "All"


async def test_text_and_html_say_the_same_and_html_escapes(relay: SmtpFake, two: Sender) -> None:
    await two.send(hostile(HOSTILE["html"]))
    text, html = relay.mails[0].content.iter_parts()
    assert "<script>alert(1)</script>" in text.get_content()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html.get_content()
    assert "<script" not in html.get_content()
    assert "javascript:" not in html.get_content()


def test_identifiers_survive_a_long_domain() -> None:
    config = EmailConfig.model_validate(
        {"kind": "email", "smtp": {"host": "smtp.example.com"}, "from": ALICE, "to": [BOB]}
    )
    domain = f"{'incidents' * 6}.example.com"
    raw = render(config, message(delivery_id="d" * 64), domain).as_bytes()
    assert judge_mail(raw) == []
    assert message_from_bytes(raw, policy=policy.default)["References"] == f"<incident-12@{domain}>"


@pytest.mark.parametrize(
    ("command", "answer", "verdict"),
    [
        ("MAIL", "421 4.3.2 busy", Verdict.RETRY),
        ("MAIL", "530 5.7.0 log in first", Verdict.DESTINATION_BROKEN),
        ("MAIL", "550 5.1.8 bad sender", Verdict.DESTINATION_BROKEN),
        ("MAIL", "550 no", Verdict.DESTINATION_BROKEN),
        ("MAIL", "552 5.3.4 too big", Verdict.CONTENT_REJECTED),
        ("MAIL", "552 too big", Verdict.CONTENT_REJECTED),
        ("MAIL", DROP, Verdict.RETRY),
        ("RCPT", "421 4.3.2 shutting down", Verdict.RETRY),
        ("RCPT", "450 4.2.1 greylisted", Verdict.RETRY),
        ("RCPT", "451 4.7.1 greylisted", Verdict.RETRY),
        ("RCPT", "452 4.2.2 full", Verdict.RETRY),
        ("RCPT", "550 5.1.1 no such user", Verdict.TARGET_GONE),
        ("RCPT", "550 no such user", Verdict.TARGET_GONE),
        ("RCPT", "552 5.2.2 full", Verdict.TARGET_GONE),
        ("RCPT", "550 5.1.8 bad sender", Verdict.DESTINATION_BROKEN),
        ("RCPT", "554 5.7.1 relaying denied", Verdict.DESTINATION_BROKEN),
        ("RCPT", "530 log in first", Verdict.DESTINATION_BROKEN),
        ("RCPT", HANG, Verdict.RETRY),
        ("DATA", "451 4.3.0 later", Verdict.RETRY),
        ("DATA", "550 5.1.1 no such user", Verdict.TARGET_GONE),
        ("DATA", "552 5.3.4 too big", Verdict.CONTENT_REJECTED),
        ("DATA", "552 too big", Verdict.CONTENT_REJECTED),
        ("DATA", "554 5.7.1 looks like spam", Verdict.CONTENT_REJECTED),
        ("DATA", DROP, Verdict.AMBIGUOUS),
        ("DATA", HANG, Verdict.AMBIGUOUS),
    ],
)
async def test_every_refusal_has_its_verdict(
    relay: SmtpFake, env: ChannelEnv, command: str, answer: str, verdict: Verdict
) -> None:
    relay.script(command, answer)
    outcome = await open_channel(_config(relay), env).send(message())
    assert outcome.verdict is verdict
    assert ALICE not in outcome.detail
    assert relay.mails == []


async def test_a_mail_goes_to_its_target_alone_under_the_configured_name(
    relay: SmtpFake, env: ChannelEnv
) -> None:
    sender = open_channel(_config(relay, (ALICE, f"Bob <{BOB}>")), env)
    for target in (ALICE, BOB, CHARLIE, ""):
        assert (await sender.send(message(target=target))).verdict is Verdict.OK
    # Charlie is not listed any more; an empty target means the first mailbox.
    assert [mail.to for mail in relay.mails] == [(ALICE,), (BOB,), (CHARLIE,), (ALICE,)]
    assert [mail.content["To"] for mail in relay.mails] == [ALICE, f"Bob <{BOB}>", CHARLIE, ALICE]


async def test_a_target_that_is_no_mailbox_is_gone_and_nothing_is_sent(relay: SmtpFake, two: Sender) -> None:
    for target in ("nobody", "j\u00f6rg@example.com", f"{ALICE}\r\nRCPT TO:<{BOB}>"):
        outcome = await two.send(message(target=target))
        assert (outcome.verdict, outcome.code) == (Verdict.TARGET_GONE, "no_mailbox")
    assert relay.mails == []


async def test_one_failing_mailbox_does_not_hold_up_another(relay: SmtpFake, two: Sender) -> None:
    relay.script(f"RCPT:{ALICE}", HANG)
    slow = asyncio.create_task(two.send(message(target=ALICE, delivery_id="dlv_1")))
    assert (await two.send(message(target=BOB, delivery_id="dlv_2"))).verdict is Verdict.OK
    assert not slow.done()
    assert (await slow).verdict is Verdict.RETRY
    relay.script(f"RCPT:{BOB}", "550 5.1.1 no such user")
    assert (await two.send(message(target=BOB))).verdict is Verdict.TARGET_GONE
    assert [mail.to for mail in relay.mails] == [(BOB,)]


async def test_a_repeat_after_silence_at_the_end_of_the_mail_is_the_same_mail(
    relay: SmtpFake, two: Sender
) -> None:
    relay.script("DATA", DROP)
    said = message(target=ALICE, acknowledge_url=ACK)
    assert (await two.send(said)).verdict is Verdict.AMBIGUOUS
    assert (await two.send(said)).verdict is Verdict.OK
    assert (await two.send(said)).verdict is Verdict.OK
    first, second = relay.mails
    assert first.raw == second.raw


@pytest.mark.parametrize(
    ("command", "answer", "about_mailbox"),
    [
        ("RCPT", "450 4.2.0 greylisted", True),
        ("RCPT", "451 greylisted, come again", True),
        ("RCPT", "452 4.2.2 full", True),
        ("RCPT", "452 4.3.1 the relay has no room", False),
        ("RCPT", "421 4.3.2 shutting down", False),
        ("RCPT", "421 shutting down", False),
        ("MAIL", "451 4.3.0 later", False),
        ("DATA", "451 4.3.0 later", False),
    ],
)
async def test_a_mailbox_that_wants_it_later_says_nothing_of_the_relay(
    relay: SmtpFake, two: Sender, command: str, answer: str, about_mailbox: bool
) -> None:
    relay.script(command, answer)
    outcome = await two.send(message(target=ALICE))
    assert (outcome.verdict, outcome.of_target) == (Verdict.RETRY, about_mailbox)


async def test_greylisting_is_given_a_minute_unless_somebody_is_paged(relay: SmtpFake, two: Sender) -> None:
    for notice, pause in ((Notice.TRIGGERED, None), (Notice.RESOLVED, timedelta(minutes=1))):
        relay.script("RCPT", "450 4.2.0 greylisted")
        outcome = await two.send(message(notice))
        assert (outcome.verdict, outcome.retry_after) == (Verdict.RETRY, pause)


async def test_starttls_protects_the_login(env: ChannelEnv, certificate: Path) -> None:
    async with SmtpFake(login=("incidentd", "s3cret"), tls=_server_tls(certificate)) as relay:
        login: dict[str, Any] = {"username": "incidentd", "password": "s3cret", "timeout": "5s"}
        config = _config(relay, tls="starttls", ca_file=str(certificate), **login)
        assert (await open_channel(config, env).send(message())).verdict is Verdict.OK
        wrong = open_channel(
            _config(relay, tls="starttls", ca_file=str(certificate), **login | {"password": "x"}), env
        )
        outcome = await wrong.send(message())
        assert (outcome.verdict, outcome.code) == (Verdict.DESTINATION_BROKEN, "535")


async def test_implicit_tls_delivers_to_a_trusted_relay(env: ChannelEnv, certificate: Path) -> None:
    async with SmtpFake(tls=_server_tls(certificate), implicit=True) as relay:
        settings: dict[str, Any] = {"tls": "implicit", "timeout": "5s"}
        trusting = open_channel(_config(relay, ca_file=str(certificate), **settings), env)
        assert (await trusting.send(message())).verdict is Verdict.OK
        strict = open_channel(_config(relay, **settings), env)
        assert (await strict.send(message())).code == "tls_error"
        assert len(relay.mails) == 1


async def test_an_unknown_certificate_breaks_the_destination(env: ChannelEnv, certificate: Path) -> None:
    async with SmtpFake(tls=_server_tls(certificate)) as relay:
        outcome = await open_channel(_config(relay, tls="starttls", timeout="5s"), env).send(message())
        assert (outcome.verdict, outcome.code) == (Verdict.DESTINATION_BROKEN, "tls_error")
        assert relay.mails == []


async def test_implicit_tls_to_a_port_that_speaks_none_breaks_the_destination(
    relay: SmtpFake, env: ChannelEnv
) -> None:
    outcome = await open_channel(_config(relay, tls="implicit", timeout="5s"), env).send(message())
    assert (outcome.verdict, outcome.code) == (Verdict.DESTINATION_BROKEN, "tls_error")


async def test_a_relay_without_starttls_gets_nothing(relay: SmtpFake, env: ChannelEnv) -> None:
    for sent in ("send", "probe"):
        sender = open_channel(_config(relay, tls="starttls"), env)
        outcome = await (sender.send(message()) if sent == "send" else sender.probe())
        assert (outcome.verdict, outcome.code) == (Verdict.DESTINATION_BROKEN, "starttls_missing")
    assert relay.mails == []


async def test_a_relay_without_login_or_a_missing_ca_file_breaks_the_destination(
    relay: SmtpFake, env: ChannelEnv
) -> None:
    no_login = open_channel(_config(relay, username="incidentd", password="s3cret"), env)
    assert (await no_login.probe()).code == "auth_not_offered"
    no_file = open_channel(_config(relay, tls="starttls", ca_file="/nowhere/ca.pem"), env)
    assert (await no_file.probe()).code == "ca_file_unreadable"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"smtp": {"host": "smtp.example.com", "tls": "none"}}, "tls: none is for a relay on this machine"),
        ({"smtp": {"host": "localhost", "username": "u"}}, "belong together"),
        ({"to": []}, "at least 1"),
        ({"to": ["nobody"]}, "not a mail address"),
        ({"to": ["ops@example.com and more"]}, "not a mail address"),
        ({"from": "a@b.example\nBcc: c@d.example"}, "not a mail address"),
        ({"from": "\u00fc@b.example"}, "not a mail address"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, object], complaint: str) -> None:
    settings = {"kind": "email", "smtp": {"host": "localhost"}, "from": ALICE, "to": [BOB]}
    with pytest.raises(ValidationError, match=complaint):
        EmailConfig.model_validate({**settings, **changes})


def test_each_mailbox_is_a_target_once(relay: SmtpFake, env: ChannelEnv) -> None:
    listed = (ALICE, f"Bob <{BOB}>", ALICE, BOB)
    assert open_channel(_config(relay, listed), env).targets == (ALICE, BOB)
