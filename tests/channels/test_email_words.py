"""What a mail says: the acknowledge link, storms, and no header that an alert could add."""

from __future__ import annotations

from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.channels.email import EmailConfig, render
from incidentd.domain.notification import Message, Notice, Texts
from incidentd.domain.severity import Severity
from tests.channels.support import HOSTILE, hostile, incident, message
from tests.fakes.smtp import judge_mail

ACK = "https://incidents.example.com/ack/some-token"
CONFIG = EmailConfig.model_validate(
    {
        "kind": "email",
        "smtp": {"host": "smtp.example.com"},
        "from": "Incidents <incidents@example.com>",
        "to": ["bob@example.com"],
    }
)


def _mail(said: Message) -> tuple[EmailMessage, str, str]:
    """The mail as a reader parses it: the whole, its text, its HTML (empty in the minimal form)."""
    raw = render(CONFIG, said, "x.example").as_bytes()
    assert judge_mail(raw) == []
    parsed = message_from_bytes(raw, policy=policy.default)
    text, html = parsed.get_body(("plain",)), parsed.get_body(("html",))
    assert text is not None
    written = text.get_content().replace("\r\n", "\n")
    return parsed, written, html.get_content() if html else ""


def _storm(count: int) -> Message:
    """One page about `count` incidents, a third of them critical."""
    severities = sorted(Severity, key=lambda severity: severity.rank)
    others = [
        incident(
            id=12 + n,
            title=f"Disk {n} is full",
            severity=severities[n * 3 // count],
            url=f"https://incidents.example.com/{12 + n}",
        )
        for n in range(1, count)
    ]
    return message(bundle=tuple(others))


def test_the_acknowledge_link_stands_in_text_and_html_only_if_there_is_one() -> None:
    _, text, html = _mail(message(acknowledge_url=ACK))
    assert f"Acknowledge INC-12: {ACK}\n" in text
    assert f'<a href="{ACK}"' in html
    for said in (message(), message(acknowledge_url=ACK, minimal=True)):
        _, text, html = _mail(said)
        assert "cknowledge" not in text + html


def test_a_storm_is_one_mail_with_a_list_in_a_thread_of_its_own() -> None:
    parsed, text, html = _mail(_storm(4))
    assert parsed["Subject"] == "[4 incidents] Checkout errors at 42% and 3 more"
    assert parsed["References"] == parsed["In-Reply-To"] == "<storm-dlv_0001@x.example>"
    assert parsed["Message-ID"] == "<dlv_0001@x.example>"
    assert "Triggered: 4 incidents" in text
    since = "(since 2026-11-20 10:13 UTC)"
    address = "http://127.0.0.1:8650/console/incidents/12"
    assert f"- INC-12 critical: Checkout errors at 42% {since}\n  {address}\n" in text
    assert f"- INC-15 info: Disk 3 is full {since}\n  https://incidents.example.com/15\n" in text
    for number in (13, 14, 15):
        assert f"<strong>INC-{number} " in html
        assert f'href="https://incidents.example.com/{number}"' in html
    assert "more incident" not in text + html


def test_a_storms_list_is_capped_and_says_how_many_are_left_out() -> None:
    parsed, text, html = _mail(_storm(1000))
    assert parsed["Subject"].startswith("[1000 incidents] ")
    assert text.count("- INC-") == 100
    assert "+900 more incidents" in text
    assert "+900 more incidents" in html
    assert len(render(CONFIG, _storm(1000), "x.example").as_bytes()) < 250_000


def test_the_minimal_form_of_a_storm_names_the_others() -> None:
    _, text, html = _mail(replace(_storm(3), minimal=True))
    assert "\nand INC-13, INC-14\n" in text
    assert html == ""


def test_the_acknowledge_link_of_a_storm_names_its_incident() -> None:
    _, text, _html = _mail(replace(_storm(3), acknowledge_url=ACK))
    assert f"Acknowledge INC-12: {ACK}" in text


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_titles_in_a_storm_stay_text(text: str) -> None:
    others = tuple(incident(id=n, title=text, url=f"javascript:{text}") for n in (13, 14))
    parsed, _, html = _mail(replace(hostile(text), bundle=others))
    assert len(parsed["Subject"]) <= 200
    assert "<script" not in html
    assert "javascript:" not in html


def test_a_long_title_makes_a_subject_of_at_most_200_characters() -> None:
    long = incident(title="\u00e4" * 999)
    for said in (message(incident=long), message(incident=long, bundle=(long,) * 30)):
        assert len(_mail(said)[0]["Subject"]) == 200


@given(st.text(st.characters(codec=None), max_size=300))
def test_no_text_adds_a_header(text: str) -> None:
    storm = replace(hostile(text), bundle=(incident(title=text),), acknowledge_url=ACK)
    for said in (hostile(text), replace(hostile(text), minimal=True), storm):
        assert judge_mail(render(CONFIG, said, "x.example").as_bytes()) == []


def test_a_missed_page_and_a_stand_in_say_what_they_are() -> None:
    for said, words in (
        (message(Notice.MISSED), "Missed page"),
        (message(fallback_of="ops-slack"), "ops-slack could not deliver it"),
        (message(texts=Texts(title="Kasse gest\u00f6rt", body="Bitte ansehen")), "Bitte ansehen"),
    ):
        _, text, html = _mail(said)
        assert words in text
        assert words in html


def test_the_html_has_no_script_nothing_remote_and_both_colour_schemes() -> None:
    _, _, html = _mail(message(acknowledge_url=ACK))
    assert "prefers-color-scheme: dark" in html
    for forbidden in ("<script", "<img", "url(", "<link", "@import"):
        assert forbidden not in html
