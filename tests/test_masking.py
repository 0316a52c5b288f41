"""Masking, drawn at random: whatever a secret or an address stands in, no line has it, and no line is lost."""

from __future__ import annotations

import io
import json
import logging
import re
import string
import time
import timeit
from typing import Any

import pytest
import structlog
from hypothesis import example, given
from hypothesis import strategies as st

from incidentd import log
from incidentd.masking import MASK, hide, mask, mask_text

WORD = st.text(string.ascii_letters + string.digits, min_size=16, max_size=40).map(lambda text: f"cnry{text}")
LOCAL = st.from_regex(r"[a-z][a-z0-9.+_-]{5,20}[a-z0-9]", fullmatch=True)
DIGITS = st.text(string.digits, min_size=9, max_size=11)
AROUND = st.text(max_size=30)
GAP = st.sampled_from(["", " ", "\n", "\t", "'", '"', "(", "[", "<", ";", "é", "\u202e"])


@st.composite
def told(draw: st.DrawFn) -> tuple[str, str]:
    """A text, and what of it nobody may see."""
    word = draw(WORD)
    forms = [
        f"Bearer {word}",
        f"basic {word}==",
        f"xoxb-{word}",
        f"whsec_{word}",
        f"ghp_{word}",
        f"postgresql+asyncpg://daemon:{word}@db.example.com/x",
        f"redis://:{word}@cache",
        f"https://{word}@o1.ingest.example.com/42",
        f"https://hooks.slack.com/services/T0/B0/{word}",
        f"https://discord.com/api/webhooks/1/{word}",
        f"/ack/{word}",
        f"/calendars/{word}.ics",
        f"password={word}",
        f"url?token={word}&x=1",
        f'{{"api_key": "{word}"}}',
        f"{{'routing_key': '{word}'}}",
        f"X-Auth-Token: {word}",
        f"Authorization: {word} {word}",
        f"Cookie: session={word}",
        f"-----BEGIN PRIVATE KEY-----\n{word}\n-----END PRIVATE KEY-----",
        f"eyJ{word}.{word}.{word}",
        f"SG.{word}.{word}",
        f"AIza{word}",
        f"AccountKey={word}==;",
        f"password: {word}",
        f"password = {word}",
        f"token: Bearer {word}",
        f'body {{\\"password\\":\\"{word}\\"}}',
        f"PASSWORD='it is {word}'",
        f'DB_PWD="a \\" {word}"',
        f"password=b'{word}'",
        f"postgresql://daemon:pa ss {word}@db/x",
        f"postgresql://daemon:it's{word}@db/x",
    ]
    secret = draw(st.sampled_from(forms))
    return draw(AROUND) + draw(GAP) + " " + secret + " " + draw(GAP) + draw(AROUND), word


@given(told())
def test_a_secret_is_cut_out_whatever_stands_around_it(case: tuple[str, str]) -> None:
    text, word = case
    assert word not in mask_text(text)


@given(AROUND, GAP, LOCAL, st.sampled_from(["@", "%40"]), GAP, AROUND)
@example("mailto=", "", "alice.smith", "@", "", "")
@example("a@b@", "", "alice.smith", "@", "@", "x@y")
def test_an_address_keeps_its_first_letter_and_its_domain(
    before: str, gap: str, local: str, at: str, after_gap: str, after: str
) -> None:
    masked = mask_text(f"{before} {gap}{local}{at}example.com{after_gap} {after}")
    assert local not in masked
    assert f"***{at}example.com" in masked
    assert mask_text("user@example.com") == "u***@example.com"


@given(AROUND, st.sampled_from(["+49{}", "+1 {}", "0049{}"]), DIGITS)
def test_a_phone_number_keeps_two_digits_at_each_end(before: str, form: str, digits: str) -> None:
    number = form.format(digits)
    assert number not in mask_text(f"{before} call {number} now")
    assert mask_text("+49 170 12345 12") == "+49***12"
    assert mask_text("(555) 234-5678") == "55***78"


@pytest.mark.parametrize(
    "number", ["0171 2345678", "0171-2345678", "(030) 1234567", "8 (999) 123-45-67", "%2B491701234512"]
)
def test_numbers_as_people_write_them_at_home_are_masked(number: str) -> None:
    masked = mask_text(f"call {number}, please")
    assert re.fullmatch(r"call \+?\d\d\*\*\*\d\d, please", masked)


def test_a_quoted_name_in_an_address_is_masked_whole() -> None:
    assert mask_text('from "john doe"@example.com') == "from j***@example.com"


@pytest.mark.parametrize("key", ["pwd", "smtp_pwd", "signature", "session_id", "sessionId", "access_key_id"])
def test_names_of_secrets_hide_their_values(key: str) -> None:
    assert mask({key: "canary"}) == {key: MASK}


@given(st.sampled_from(["phone", "mobile_number", "sms", "contact-phone", "phoneNumber", "smsTo"]), DIGITS)
def test_a_phone_number_under_its_name_needs_no_form(key: str, digits: str) -> None:
    for value in (digits, int(f"9{digits}")):
        assert digits not in json.dumps(mask({key: value}))


SECRET_KEY = st.sampled_from(
    ["token", "Authorization", "smtp_password", "routing_key", "api-key", "clientSecret"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.integers(), inner, max_size=4),
    max_leaves=12,
)


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no words")


class WithAddress:
    def __repr__(self) -> str:
        return "URL('http://user:canary-canary@db')"


@given(SECRET_KEY, st.lists(WORD, min_size=1, max_size=3), VALUES, st.integers(0, 5))
def test_a_name_that_sounds_like_a_secret_hides_all_below_it(
    key: str, words: list[str], other: Any, depth: int
) -> None:
    nested: Any = {key: words, "other": other}
    for _ in range(depth):
        nested = {"x": [nested, {"y": words[0].encode()[:0]}]}
    written = repr(mask(nested))
    assert not any(word in written for word in words)


def lines_of(write: Any, level: str = "debug") -> str:
    stream = io.StringIO()
    log.configure(level, "json", stream)
    write()
    return stream.getvalue()


@given(VALUES)
@example(2**80)
@example("\ud800")
@example(Unprintable())
@example({Unprintable(): "\udfff", 3: {4, 5}})
def test_whatever_is_logged_becomes_one_line_of_json(value: Any) -> None:
    text = lines_of(lambda: structlog.get_logger().info("said", value=value, **{"k ey": value}))
    assert text.count("\n") == 1
    assert json.loads(text)["event"] == "said"


@given(told())
def test_a_library_is_masked_like_ourselves_in_its_text_its_arguments_and_its_errors(
    case: tuple[str, str],
) -> None:
    text, word = case

    def write() -> None:
        theirs = logging.getLogger("some.library")
        theirs.warning("sending %s to %r", text, {"token": word})
        try:
            int(text + "x")
        except ValueError:
            theirs.exception("it failed: %s", text)
            structlog.get_logger().exception("ours too", detail=text)

    written = lines_of(write)
    assert written.count("\n") == 3
    assert word not in written


def test_a_record_that_cannot_be_put_together_shows_no_argument(capsys: pytest.CaptureFixture[str]) -> None:
    form = "two %s %s"
    written = lines_of(lambda: logging.getLogger("lib").warning(form, "canary-canary"))
    said = capsys.readouterr()
    assert "canary" not in written + said.err + said.out
    assert json.loads(written)["event"] == "log_record_broken"


def test_objects_are_masked_as_they_print_themselves() -> None:
    assert mask([WithAddress()]) == [f"URL('http://{MASK}@db')"]
    assert mask({"error": OSError("bearer canary-canary")}) == {"error": f"bearer {MASK}"}
    endless: list[Any] = []
    endless.append(endless)
    assert "[deeper]" in repr(mask(endless))


def test_configured_secrets_are_known_by_their_text_percent_encoded_too() -> None:
    hide(["planted/secret value", "no"])
    assert mask_text("it said planted/secret value, no, planted%2Fsecret%20value") == (
        f"it said {MASK}, no, {MASK}"
    )


@pytest.mark.parametrize(
    "text",
    [
        "channels.pagerduty.routing_key: is too short; accepted: 32 characters",
        "2026-11-20T20:40:00.001234+00:00",
        "http://127.0.0.1:8650/api/v1/incidents?state=open",
        "took 0.0012345678 s at 10.0.0.1:8650, INC-12",
        "fingerprint 5f9c1f1c6e0c3b0a, request 50a735c629f46fa0dc79625fa624ce38",
        "@dataclass",
        "auth.tokens.0.token: {file: /run/secrets/alertmanager}",
        "http://host:8650 and bob",
        "on 2026-11-20 at 20:40, 05-11-2026, 05/11/2026",
    ],
)
def test_what_is_no_secret_stays_readable(text: str) -> None:
    assert mask_text(text) == text


HOSTILE = [
    "@",
    "%40",
    "://a:",
    "token=",
    "token: ",
    "password='",
    'token=\\"',
    '"',
    "0171 ",
    "+1 ",
    "a@",
    "eyJ",
    "x-",
    "/ack/",
    "1234567890:",
    "-----BEGIN KEY-----",
]


@pytest.mark.parametrize("part", HOSTILE)
def test_no_text_takes_long_whoever_wrote_it(part: str) -> None:
    text = part * (64 * 1024 // len(part))
    assert timeit.timeit(lambda: mask_text(text), number=1, timer=time.process_time) < 0.5


@pytest.mark.parametrize("at", range(65_500, 65_545, 3))
def test_a_long_text_is_not_cut_within_a_secret(at: int) -> None:
    hide(["canary sesame"])
    for secret in ("canary sesame", "https://u:canary@host/", "xoxb-canary-canary", "canary@example.com"):
        shown = mask_text("x " * (at // 2) + secret + " y" * 3000)
        assert "canary" not in shown
        assert shown.endswith("characters)")
    assert len(mask_text("x" * 100_000)) < 65_536
