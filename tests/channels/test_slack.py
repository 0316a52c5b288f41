"""What only Slack does: its errors, its threads, its block limits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import orjson
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from incidentd.channels.base import HttpAnswer, Sender
from incidentd.channels.http import HttpClient
from incidentd.channels.slack import SlackConfig, judge, render
from incidentd.domain.notification import Message, Notice, Verdict
from tests.channels.support import (
    IMPATIENT,
    NOW,
    alert,
    environment,
    hostile,
    incident,
    message,
    open_channel,
)
from tests.fakes.http import Answer
from tests.fakes.slack import SlackFake, judge_message

CONFIG = SlackConfig.model_validate({"kind": "slack", "token": "xoxb-1", "channel": "C012345"})

ERRORS = {
    Verdict.RETRY: "service_unavailable request_timeout team_added_to_org something_new",
    Verdict.THROTTLED: "ratelimited rate_limited",
    Verdict.AMBIGUOUS: "internal_error fatal_error",
    Verdict.DESTINATION_BROKEN: "invalid_auth not_authed account_inactive token_revoked token_expired"
    " missing_scope not_allowed_token_type org_login_required ekm_access_denied access_denied"
    " team_access_not_granted",
    Verdict.TARGET_GONE: "channel_not_found not_in_channel is_archived restricted_action no_permission"
    " restricted_action_read_only_channel messages_tab_disabled user_not_found message_limit_exceeded",
    Verdict.CONTENT_REJECTED: "invalid_blocks invalid_blocks_format msg_blocks_too_long msg_too_long"
    " too_many_attachments metadata_too_large no_text",
    Verdict.OK: "already_reacted no_reaction",
}


@pytest_asyncio.fixture
async def slack() -> AsyncIterator[SlackFake]:
    async with SlackFake() as fake:
        yield fake


@pytest_asyncio.fixture
async def sender(slack: SlackFake) -> AsyncIterator[Sender]:
    http = HttpClient(IMPATIENT)
    config: dict[str, object] = {"kind": "slack", "token": slack.token, "channel": "C012345"}
    yield open_channel({**config, "base_url": slack.url}, environment(http))
    await http.aclose()


def _body(said: Message) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(render(CONFIG, said).content)
    return body


async def test_the_first_notice_opens_a_thread_and_the_later_ones_reply_to_it(
    slack: SlackFake, sender: Sender
) -> None:
    root = await sender.send(message())
    assert root.reference == {"channel": "C012345", "ts": slack.messages[0]["ts"]}
    reply = await sender.send(message(Notice.ACKNOWLEDGED, reference=root.reference, actor="alice"))
    last = await sender.send(message(Notice.RESOLVED, reference=reply.reference))
    assert last.reference == root.reference
    assert [said.get("thread_ts") for said in slack.messages] == [None, *[slack.messages[0]["ts"]] * 2]
    assert "Acknowledged by alice" in slack.messages[1]["text"]


@pytest.mark.parametrize("notice", Notice)
def test_only_what_calls_people_again_is_shown_in_the_channel_too(notice: Notice) -> None:
    body = _body(message(notice, reference={"channel": "C1", "ts": "1.2"}))
    assert body["reply_broadcast"] is (notice in {Notice.ESCALATED, Notice.REOPENED})


async def test_a_thread_that_vanished_is_opened_anew(slack: SlackFake, sender: Sender) -> None:
    root = await sender.send(message())
    slack.forget()
    again = await sender.send(message(Notice.ESCALATED, reference=root.reference))
    assert again.verdict is Verdict.OK
    assert len(slack.roots) == 1
    assert again.reference == {"channel": "C012345", "ts": slack.roots[0]["ts"]}


async def test_a_thread_in_a_channel_that_is_no_longer_configured_moves_when_that_is_archived(
    slack: SlackFake, sender: Sender
) -> None:
    slack.script([Answer(body={"ok": False, "error": "is_archived"})])
    outcome = await sender.send(message(reference={"channel": "C0OLD", "ts": "1.2"}))
    assert outcome.reference == {"channel": "C012345", "ts": slack.roots[0]["ts"]}


async def test_a_probe_asks_with_the_token_only(slack: SlackFake, sender: Sender) -> None:
    slack.token = "xoxb-other"
    outcome = await sender.probe()
    assert (outcome.verdict, outcome.code) == (Verdict.DESTINATION_BROKEN, "invalid_auth")
    assert slack.requests[0].path == "/auth.test"


@pytest.mark.parametrize(
    ("error", "verdict"), [(error, verdict) for verdict, errors in ERRORS.items() for error in errors.split()]
)
def test_every_error_has_its_verdict(error: str, verdict: Verdict) -> None:
    outcome = judge(HttpAnswer(200, {}, orjson.dumps({"ok": False, "error": error})), NOW)
    assert (outcome.verdict, outcome.code) == (verdict, error)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (HttpAnswer(429, {"retry-after": "30"}, b""), Verdict.THROTTLED),
        (HttpAnswer(500, {}, b""), Verdict.RETRY),
        (HttpAnswer(500, {}, b'{"ok":false,"error":"fatal_error"}'), Verdict.AMBIGUOUS),
        (HttpAnswer(200, {}, b"<html>proxy</html>"), Verdict.RETRY),
        (HttpAnswer(200, {}, b"[]"), Verdict.RETRY),
        (HttpAnswer(502, {}, b'{"ok":true}'), Verdict.RETRY),
        (HttpAnswer(302, {}, b""), Verdict.DESTINATION_BROKEN),
        (HttpAnswer(404, {}, b"no such page"), Verdict.DESTINATION_BROKEN),
        (HttpAnswer(413, {}, b""), Verdict.CONTENT_REJECTED),
    ],
)
def test_answers_without_an_error_of_slack_are_judged_by_their_status(
    answer: HttpAnswer, verdict: Verdict
) -> None:
    assert judge(answer, NOW).verdict is verdict


def test_a_label_cannot_call_the_channel() -> None:
    body = _body(hostile("<!channel> & <@U1>"))
    header = body["blocks"].pop(0)
    assert header["text"]["type"] == "plain_text"  # in which Slack looks for nothing
    assert "<!channel" not in orjson.dumps(body).decode()
    assert "&lt;!channel&gt; &amp; &lt;@U1&gt;" in body["text"]


def test_what_does_not_fit_is_counted_and_linked() -> None:
    many = message(
        alerts=(alert(annotations={"summary": "&" * 300}),) * 50, incident=incident(alerts_total=1000)
    )
    body = _body(many)
    assert list(judge_message(body)) == []
    assert "more alerts" in orjson.dumps(body["blocks"][-1]).decode()
    shown = sum(":small_red_triangle:" in orjson.dumps(block).decode() for block in body["blocks"])
    assert f"+{1000 - shown} more alerts" in orjson.dumps(body["blocks"][-1]).decode()
    assert "blocks" not in _body(replace(many, minimal=True))


@given(st.text(st.characters(codec=None), max_size=400).map(lambda text: text * 30), st.sampled_from(Notice))
def test_whatever_an_alert_says_the_message_stays_within_slacks_limits(text: str, notice: Notice) -> None:
    for reference in (None, {"channel": "C1", "ts": "1.2"}):
        body = _body(replace(hostile(text, notice), reference=reference))
        assert list(judge_message(body)) == []
        # slack_sdk drops what it does not know, and judges the rest.
        parsed = Block.parse_all(body["blocks"])
        assert len(parsed) == len(body["blocks"])
        for block in parsed:
            block.validate_json()
