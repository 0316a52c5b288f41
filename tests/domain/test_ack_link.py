"""Links that acknowledge: what a token says, and that no other one is believed."""

from __future__ import annotations

import base64
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from incidentd.domain.ack_link import LIFETIME, AckLink, AckLinks, Standing, standing
from incidentd.domain.incident import Incident, State
from incidentd.domain.severity import Severity

NOW = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
LINKS = AckLinks(b"k" * 32, "https://incidents.example.com/on-call/")
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def token(links: AckLinks = LINKS, recipient: str = "bob@example.com", delivery: str = "a-7") -> str:
    return links.url(12, 2, recipient, NOW, delivery).rpartition("/")[2]


def link(**changes: object) -> AckLink:
    values: dict[str, object] = {
        "incident_id": 12,
        "episode": 2,
        "recipient": "bob@example.com",
        "nonce": "n",
    }
    return AckLink(**{**values, "expires_at": NOW + LIFETIME, **changes})  # type: ignore[arg-type]


def incident(state: State = State.TRIGGERED, episode: int = 2) -> Incident:
    return Incident(
        id=12,
        source="main",
        group_key="g",
        title="Checkout errors",
        state=state,
        severity=Severity.CRITICAL,
        service="checkout",
        labels={},
        notify=(),
        route="",
        escalation=None,
        opened_at=NOW,
        started_at=NOW,
        episode=episode,
    )


def test_a_link_begins_with_the_public_address_and_is_short_and_safe_in_a_path() -> None:
    url = LINKS.url(12, 2, "bob@example.com", NOW, "a-7")
    assert url.startswith("https://incidents.example.com/on-call/ack/")
    assert set(token()) <= set(ALPHABET)
    assert len(token()) < 160


def test_a_token_says_what_was_put_in() -> None:
    read = LINKS.read(token())
    assert read is not None
    assert (read.incident_id, read.episode, read.recipient) == (12, 2, "bob@example.com")
    assert read.ref == "INC-12"
    assert read.expires_at == NOW + timedelta(hours=24)


def test_every_attempt_of_a_delivery_has_the_same_link_and_every_delivery_its_own() -> None:
    assert token() == token()
    nonces = {read.nonce for delivery in "abc" if (read := LINKS.read(token(delivery=delivery)))}
    assert len(nonces) == 3


@given(st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=80))
def test_any_recipient_comes_back_as_it_was(recipient: str) -> None:
    read = LINKS.read(token(recipient=recipient))
    assert read is not None
    assert read.recipient == recipient


def test_a_recipient_cannot_add_a_field() -> None:
    with pytest.raises(ValueError, match="one line"):
        token(recipient="bob@example.com\n99")


def test_no_change_of_one_character_is_believed() -> None:
    good = token()
    for place, was in enumerate(good):
        for other in ALPHABET:
            if other != was:
                assert LINKS.read(good[:place] + other + good[place + 1 :]) is None


@given(st.text(max_size=1200))
@example("")
@example("A" * 10_000)
@example("=" * 44)
@example("\u00e4")
def test_no_other_text_is_believed(text: str) -> None:
    assert LINKS.read(text) is None


def test_padding_blanks_and_pieces_are_not_believed() -> None:
    good = token()
    for wrong in (f"{good}=", f" {good}", f"{good}\n", good[:-1], good[1:], good + "A", good.lower()):
        assert LINKS.read(wrong) is None


def test_a_link_of_another_key_is_not_believed() -> None:
    assert LINKS.read(token(AckLinks(b"x" * 32, LINKS.public_url))) is None


@pytest.mark.parametrize(
    "content",
    [
        "resolve\n12\n2\nacknowledge\n1800000000\nn\nbob@example.com",
        "ack\n12\n2\nresolve\n1800000000\nn\nbob@example.com",
        "ack\n12\n2\nacknowledge",
    ],
)
def test_a_signature_is_good_for_acknowledging_alone(content: str) -> None:
    raw = content.encode()
    for prefix in (b"", b"incidentd ack link\0"):
        signed = hmac.digest(LINKS.secret, prefix + raw, "sha256") + raw
        assert LINKS.read(base64.urlsafe_b64encode(signed).rstrip(b"=").decode()) is None


def test_the_key_is_not_shown() -> None:
    assert "kkk" not in repr(LINKS)


def test_a_link_expires_after_a_day_to_the_second() -> None:
    for before, expired in ((timedelta(seconds=1), False), (timedelta(), True)):
        now = NOW + LIFETIME - before
        assert link().expired(now) is expired
        assert (standing(link(), incident(), now, used=False) is Standing.EXPIRED) is expired


@pytest.mark.parametrize(
    ("met", "used", "expected"),
    [
        (incident(), False, Standing.OPEN),
        (incident(), True, Standing.USED),
        (incident(State.ACKNOWLEDGED), False, Standing.ACKNOWLEDGED),
        (incident(State.ACKNOWLEDGED), True, Standing.ACKNOWLEDGED),
        (incident(State.RESOLVED), False, Standing.RESOLVED),
        (incident(State.RESOLVED, episode=3), False, Standing.RESOLVED),
        (incident(episode=3), False, Standing.REOPENED),
        (incident(State.ACKNOWLEDGED, episode=3), False, Standing.REOPENED),
        (None, False, Standing.GONE),
    ],
)
def test_a_link_acknowledges_an_open_incident_of_its_own_episode_once(
    met: Incident | None, used: bool, expected: Standing
) -> None:
    assert standing(link(), met, NOW, used=used) is expected
