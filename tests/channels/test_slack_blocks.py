"""What a Slack message holds, and that it stays within the limits whatever an alert says."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.models.blocks import ActionsBlock, Block, ButtonElement

from incidentd.channels.slack import SlackConfig, render, render_hook, render_update
from incidentd.domain.notification import Message, Notice, Texts
from tests.channels.support import HOSTILE, NOW, alert, hostile, incident, message
from tests.fakes.slack_rules import judge_hook_post, judge_post, judge_update

CONFIG = SlackConfig.model_validate(
    {"kind": "slack", "token": "xoxb-1", "channel": "C012345", "signing_secret": "8f742231b10e8888abcd99yyy"}
)
MUTE = SlackConfig.model_validate({"kind": "slack", "token": "xoxb-1", "channel": "C012345"})
HOOK = SlackConfig.model_validate(
    {"kind": "slack", "webhook_url": "https://hooks.example/services/T0/B0/x", "signing_secret": "8f742231b1"}
)
ROOT = {"channel": "C1", "ts": "1.2"}
RESOLVED = incident(state="resolved", resolved_by="source", resolved_at=NOW, alerts_firing=0)
Body = dict[str, Any]


def posted(said: Message, config: SlackConfig = CONFIG) -> Body:
    body: Body = orjson.loads(render(config, said).content)
    return body


def updated(said: Message) -> Body:
    body: Body = orjson.loads(render_update(CONFIG, said, ROOT).content)
    return body


def buttons(body: Body) -> dict[str, Body]:
    """By action_id."""
    rows = [block["elements"] for block in body["blocks"] if block["type"] == "actions"]
    return {button["action_id"]: button for row in rows for button in row}


def check(body: Body) -> None:
    """By slack_sdk, which drops what it does not know and judges the rest."""
    parsed = Block.parse_all(body["blocks"])
    assert len(parsed) == len(body["blocks"])
    for block in parsed:
        block.validate_json()
        for element in block.elements or () if isinstance(block, ActionsBlock) else ():
            assert isinstance(element, ButtonElement)
            element.validate_json()
            element.to_dict()  # judges the dialogue within


def test_an_open_incident_can_be_acknowledged_resolved_and_snoozed() -> None:
    body = posted(message())
    assert list(buttons(body)) == [
        "incidentd_acknowledge",
        "incidentd_resolve",
        "incidentd_snooze",
        "incidentd_runbook",
    ]
    *acting, runbook = buttons(body).values()
    assert [button["value"] for button in acting] == ["12"] * 3
    assert ["confirm" in button for button in acting] == [False, True, False]
    assert runbook["url"] == "https://runbooks.example.com/checkout"
    check(body)


def test_what_was_done_cannot_be_done_again() -> None:
    held = incident(state="acknowledged", acknowledged_by="alice", runbook_url=None)
    body = updated(message(Notice.ACKNOWLEDGED, actor="alice", incident=held))
    assert list(buttons(body)) == ["incidentd_resolve", "incidentd_snooze"]
    assert buttons(updated(message(Notice.RESOLVED, incident=RESOLVED))) == {}


def test_there_are_no_buttons_where_nobody_would_hear_them() -> None:
    assert buttons(posted(message(), MUTE)) == {}
    assert buttons(posted(message(bundle=(incident(id=13),)))) == {}
    assert "Runbook" in posted(message(), MUTE)["blocks"][-1]["elements"][1]["text"]


def test_a_page_that_comes_when_all_is_over_says_so_and_offers_nothing_to_do() -> None:
    over = replace(RESOLVED, started_at=NOW - timedelta(minutes=13), resolved_at=NOW - timedelta(minutes=11))
    body = posted(message(incident=over))
    assert "fired 10:02 UTC, resolved 10:04 UTC" in body["text"]
    assert ":large_green_circle:" in body["blocks"][1]["text"]["text"]
    assert buttons(body) == {}


@pytest.mark.parametrize(
    ("view", "shown"),
    [
        (incident(), "Triggered \u00b7 critical \u00b7 2 firing"),
        (incident(state="acknowledged", acknowledged_by="bob"), "Acknowledged by bob \u00b7 critical"),
        (replace(RESOLVED, resolved_by="carol"), "Resolved by carol after 2m"),
    ],
)
def test_the_message_shows_the_state_whatever_is_told_in_the_thread(view: Any, shown: str) -> None:
    for notice in (Notice.UPDATED, Notice.MISSED):
        body = updated(message(notice, incident=view, actor="dave", comment="a note"))
        assert shown in body["blocks"][1]["text"]["text"]
        assert "a note" not in orjson.dumps(body).decode()


def test_a_storm_lists_its_incidents_as_far_as_there_is_room() -> None:
    others = tuple(
        incident(id=number, title=f"Down {number}", url=f"https://i.example/{number}")
        for number in range(13, 113)
    )
    body = posted(message(bundle=others))
    assert list(judge_post(body)) == []
    text = orjson.dumps(body["blocks"]).decode()
    assert "101 incidents" in body["blocks"][0]["text"]["text"]
    assert "Triggered" in body["blocks"][1]["text"]["text"]
    assert text.index("INC-12") < text.index("INC-13 critical") < text.index("Down 13")
    assert "<https://i.example/13|open>" in text
    shown = sum(f"i.example/{number}|" in text for number in range(13, 113))
    assert shown > 10
    assert f"+{100 - shown} more incidents" in text


def test_the_operators_words_keep_their_lines_and_cannot_call_the_channel() -> None:
    own = Texts("Shop is down", "<!channel>\nsecond & last")
    body = posted(message(texts=own))
    assert list(judge_post(body)) == []
    assert body["blocks"][0]["text"]["text"] == "[INC-12] Shop is down"
    assert body["blocks"][2]["text"]["text"] == "&lt;!channel&gt;\nsecond &amp; last"
    long = posted(message(texts=Texts(None, "&" * 9000)))
    assert long["blocks"][2]["text"]["text"].endswith("&amp;\u2026")
    assert list(judge_post(long)) == []


def test_a_label_cannot_call_the_channel() -> None:
    body = posted(hostile("<!channel> & <@U1>"))
    header = body["blocks"].pop(0)
    assert header["text"]["type"] == "plain_text"  # in which Slack looks for nothing
    assert "<!channel" not in orjson.dumps(body).decode()
    assert "&lt;!channel&gt; &amp; &lt;@U1&gt;" in body["text"]


def test_what_does_not_fit_is_counted_and_linked() -> None:
    many = message(
        alerts=(alert(annotations={"summary": "&" * 300}),) * 50, incident=incident(alerts_total=1000)
    )
    body = posted(many)
    assert list(judge_post(body)) == []
    shown = sum(":small_red_triangle:" in orjson.dumps(block).decode() for block in body["blocks"])
    assert f"+{1000 - shown} more alerts" in orjson.dumps(body["blocks"][-1]).decode()
    assert "blocks" not in posted(replace(many, minimal=True))


def test_long_addresses_leave_room_for_the_alerts() -> None:
    far = "https://far.example/" + "a&" * 900
    body = posted(
        message(incident=incident(url=far, runbook_url=far), alerts=(alert(generator_url=far),) * 3)
    )
    assert list(judge_post(body)) == []
    assert "Checkout errors at 42%" in body["blocks"][3]["text"]["text"]


def every_form(said: Message) -> None:
    """Each way to say it, against the rules of the method that takes it."""
    for judge, request in (
        (judge_post, render(CONFIG, said)),
        (judge_post, render(CONFIG, said, ROOT)),
        (judge_update, render_update(CONFIG, said, ROOT)),
        (judge_hook_post, render_hook(HOOK, said)),
    ):
        body = orjson.loads(request.content)
        assert list(judge(body)) == []
        check(body)


@pytest.mark.parametrize("notice", Notice)
@pytest.mark.parametrize("text", [*HOSTILE.values(), "`" * 500, "<!channel>" * 10_000])
def test_hostile_texts_stay_within_slacks_limits(text: str, notice: Notice) -> None:
    every_form(hostile(text, notice))


@given(
    st.text(st.characters(codec=None), max_size=400).map(lambda text: text * 30),
    st.sampled_from(Notice),
    st.sampled_from(["triggered", "acknowledged", "resolved"]),
    st.booleans(),
)
def test_whatever_an_alert_says_the_message_stays_within_slacks_limits(
    text: str, notice: Notice, state: str, storm: bool
) -> None:
    said = hostile(text, notice)
    view = replace(said.incident, state=state, resolved_at=NOW if state == "resolved" else None)
    own = Texts(text, text) if len(text) % 2 else None
    every_form(
        replace(said, incident=view, texts=own, fallback_of=text, bundle=(view,) * 60 if storm else ())
    )


def test_the_rules_notice_what_slack_sdk_misses() -> None:
    body = posted(message())
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "x"}}
    twice = {**section, "block_id": "b"}
    field = {"type": "section", "fields": [{"type": "mrkdwn", "text": "x" * 2001}]}
    empty = {"type": "section", "text": {"type": "mrkdwn", "text": ""}}
    header = {"type": "header", "text": {"type": "mrkdwn", "text": "x"}}
    for wrong in ([section] * 51, [twice, twice], [field], [empty], [header], [{"type": "unknown"}]):
        assert list(judge_post({**body, "blocks": wrong})) != []
    actions = next(block for block in body["blocks"] if block["type"] == "actions")
    assert list(judge_post({**body, "blocks": [actions, actions]})) != []
