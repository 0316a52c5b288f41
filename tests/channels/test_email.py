"""What only mail does: threads, TLS that fails closed, and an answer for every mailbox."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from smtpdfix.certs import _generate_certs

from incidentd.channels.base import ChannelEnv, Sender
from incidentd.channels.email import EmailConfig, masked, render
from incidentd.channels.http import HttpClient
from incidentd.domain.notification import Notice, Verdict
from tests.channels.support import HOSTILE, environment, hostile, incident, message, open_channel
from tests.fakes.smtp import DROP, HANG, SmtpFake, judge_mail

ALICE, BOB = "alice@example.com", "bob@example.com"


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
    assert relay.mails[0].to == (ALICE, BOB)
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


@given(st.text(st.characters(codec=None), max_size=300))
def test_no_text_adds_a_header(text: str) -> None:
    config = EmailConfig.model_validate(
        {"kind": "email", "smtp": {"host": "smtp.example.com"}, "from": ALICE, "to": [BOB]}
    )
    for minimal in (False, True):
        assert (
            judge_mail(render(config, replace(hostile(text), minimal=minimal), "x.example").as_bytes()) == []
        )


def test_a_long_title_makes_a_subject_of_at_most_200_characters() -> None:
    config = EmailConfig.model_validate(
        {"kind": "email", "smtp": {"host": "smtp.example.com"}, "from": ALICE, "to": [BOB]}
    )
    subject = render(config, message(incident=incident(title="\u00e4" * 999)), "x.example")["Subject"]
    assert len(subject) == 200


@pytest.mark.parametrize(
    ("command", "answer", "verdict"),
    [
        ("MAIL", "421 4.3.2 busy", Verdict.RETRY),
        ("MAIL", "530 5.7.0 log in first", Verdict.DESTINATION_BROKEN),
        ("MAIL", "550 5.1.8 bad sender", Verdict.DESTINATION_BROKEN),
        ("MAIL", "552 5.3.4 too big", Verdict.CONTENT_REJECTED),
        ("MAIL", DROP, Verdict.RETRY),
        ("RCPT", "450 4.2.1 greylisted", Verdict.RETRY),
        ("RCPT", "452 4.2.2 full", Verdict.RETRY),
        ("RCPT", "550 5.1.1 no such user", Verdict.TARGET_GONE),
        ("RCPT", "554 5.7.1 relaying denied", Verdict.DESTINATION_BROKEN),
        ("RCPT", HANG, Verdict.RETRY),
        ("DATA", "451 4.3.0 later", Verdict.RETRY),
        ("DATA", "552 5.3.4 too big", Verdict.CONTENT_REJECTED),
        ("DATA", "554 5.6.0 looks like spam", Verdict.CONTENT_REJECTED),
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


async def test_a_mailbox_that_is_gone_does_not_keep_the_mail_from_the_others(
    relay: SmtpFake, two: Sender
) -> None:
    relay.script(f"RCPT:{BOB}", "550 5.1.1 no such user")
    outcome = await two.send(message())
    assert (outcome.verdict, outcome.code) == (Verdict.OK, "some_refused")
    assert outcome.detail == "1 of 2 mailboxes refused: b***@example.com 550 5.1.1"
    assert relay.mails[0].to == (ALICE,)


async def test_a_mailbox_that_is_not_ready_is_tried_again_alone(relay: SmtpFake, two: Sender) -> None:
    relay.script("RCPT", "250 fine", "451 4.2.1 greylisted")
    assert (await two.send(message())).verdict is Verdict.RETRY
    assert (await two.send(message())).verdict is Verdict.OK
    assert [mail.to for mail in relay.mails] == [(ALICE,), (BOB,)]
    assert len({mail.content["Message-ID"] for mail in relay.mails}) == 1


async def test_a_mailbox_found_gone_at_the_second_attempt_ends_the_delivery(
    relay: SmtpFake, two: Sender
) -> None:
    relay.script("RCPT", "250 fine", "451 4.2.1 greylisted", "550 5.1.1 no such user")
    assert (await two.send(message())).verdict is Verdict.RETRY
    assert (await two.send(message())).verdict is Verdict.OK


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
        ({"from": "a@b.example\nBcc: c@d.example"}, "not a mail address"),
        ({"from": "\u00fc@b.example"}, "not a mail address"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, object], complaint: str) -> None:
    settings = {"kind": "email", "smtp": {"host": "localhost"}, "from": ALICE, "to": [BOB]}
    with pytest.raises(ValidationError, match=complaint):
        EmailConfig.model_validate({**settings, **changes})


def test_the_target_names_the_first_mailbox_and_refusals_mask_it(two: Sender) -> None:
    assert two.target == "alice@example.com and 1 more"
    assert masked(ALICE) == "a***@example.com"
