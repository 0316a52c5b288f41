"""What only Slack does: a message that is kept up to date, a thread below it, and what happens when one call fails."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from incidentd.channels.base import Sender
from incidentd.channels.http import HttpClient
from incidentd.domain.notification import DeliveryClass, Message, Notice, Verdict
from tests.channels.support import IMPATIENT, NOW, environment, incident, message, open_channel
from tests.fakes.http import Answer
from tests.fakes.slack import SlackFake

ACKNOWLEDGED = incident(state="acknowledged", acknowledged_by="alice", acknowledged_at=NOW)
RESOLVED = incident(state="resolved", resolved_by="source", resolved_at=NOW, alerts_firing=0)
PAGES = [notice for notice in Notice if notice.delivery_class is DeliveryClass.PAGE]
BUSY = Answer(503)


@pytest_asyncio.fixture
async def slack() -> AsyncIterator[SlackFake]:
    async with SlackFake() as fake:
        yield fake
        assert fake.violations == []


@pytest_asyncio.fixture
async def sender(slack: SlackFake) -> AsyncIterator[Sender]:
    http = HttpClient(IMPATIENT)
    config: dict[str, object] = {"kind": "slack", "token": slack.token, "channel": "#ops"}
    yield open_channel({**config, "base_url": slack.url}, environment(http))
    await http.aclose()


@pytest_asyncio.fixture
async def root(slack: SlackFake, sender: Sender) -> dict[str, str]:
    """The reference of an incident's message."""
    outcome = await sender.send(message())
    assert outcome.reference == {"channel": "C012345", "ts": slack.messages[0]["ts"]}
    return dict(outcome.reference)


def acknowledged(root: dict[str, str]) -> Message:
    return message(Notice.ACKNOWLEDGED, reference=root, actor="alice", incident=ACKNOWLEDGED)


async def test_one_message_an_incident_shows_how_it_stands_and_the_thread_what_happened(
    slack: SlackFake, sender: Sender, root: dict[str, str]
) -> None:
    assert (await sender.send(acknowledged(root))).reference == root
    last = await sender.send(message(Notice.RESOLVED, reference=root, incident=RESOLVED))
    assert last.reference == root
    [shown] = slack.roots
    assert "Resolved: all alerts ended" in shown["text"]
    assert shown["metadata"]["event_payload"] == {"delivery_id": "dlv_0001"}
    assert [reply["thread_ts"] for reply in slack.replies] == [root["ts"]] * 2
    assert "Acknowledged by alice" in slack.replies[0]["text"]
    assert ["by alice" in update["text"] for update in slack.updates] == [True, False]


async def test_an_update_repaints_the_message_and_replies_only_to_tell_a_note(
    slack: SlackFake, sender: Sender, root: dict[str, str]
) -> None:
    more = incident(alerts_firing=7, alerts_total=9)
    outcome = await sender.send(message(Notice.UPDATED, reference=root, incident=more))
    assert (outcome.verdict, outcome.reference) == (Verdict.OK, root)
    assert "7 of 9 firing" in slack.roots[0]["text"]
    assert slack.replies == []
    await sender.send(message(Notice.UPDATED, reference=root, actor="bob", comment="rolling back"))
    assert "rolling back" in slack.replies[0]["text"]
    assert "rolling back" not in slack.roots[0]["text"]


async def test_an_update_of_what_was_never_said_says_nothing(slack: SlackFake, sender: Sender) -> None:
    outcome = await sender.send(message(Notice.UPDATED))
    assert (outcome.verdict, outcome.code, slack.messages) == (Verdict.OK, "not_applicable", [])
    await sender.send(message(Notice.UPDATED, comment="rolling back", actor="bob"))
    assert "rolling back" in slack.roots[0]["text"]


@pytest.mark.parametrize("notice", Notice)
async def test_only_what_calls_people_again_is_shown_in_the_channel_too(
    slack: SlackFake, sender: Sender, root: dict[str, str], notice: Notice
) -> None:
    await sender.send(message(notice, reference=root, comment="why"))
    loud = {Notice.ESCALATED, Notice.REOPENED, Notice.UNACKNOWLEDGED}
    assert slack.replies[0]["reply_broadcast"] is (notice in loud)


async def test_a_late_notice_does_not_take_the_message_back(
    slack: SlackFake, sender: Sender, root: dict[str, str]
) -> None:
    await sender.send(replace(acknowledged(root), incident=RESOLVED))
    assert "Resolved" in slack.roots[0]["text"]
    assert "Acknowledged by alice" in slack.replies[0]["text"]


@pytest.mark.parametrize("notice", PAGES)
async def test_a_page_is_not_held_up_by_an_update_that_fails(
    slack: SlackFake, sender: Sender, root: dict[str, str], notice: Notice
) -> None:
    slack.fail("chat.update", BUSY)
    outcome = await sender.send(message(notice, reference=root))
    assert (outcome.verdict, outcome.reference) == (Verdict.OK, root)
    assert "http_503" in outcome.detail
    assert len(slack.replies) == 1


async def test_a_page_that_could_not_be_said_is_said_once_by_its_retry(
    slack: SlackFake, sender: Sender, root: dict[str, str]
) -> None:
    slack.fail("chat.postMessage", BUSY)
    page = message(Notice.ESCALATED, reference=root)
    assert (await sender.send(page)).verdict is Verdict.RETRY
    assert slack.updates == slack.replies == []
    assert (await sender.send(page)).verdict is Verdict.OK
    assert len(slack.updates) == len(slack.replies) == 1


@pytest.mark.parametrize("method", ["chat.update", "chat.postMessage"])
async def test_what_is_no_page_is_done_when_both_calls_worked_and_replies_once(
    slack: SlackFake, sender: Sender, root: dict[str, str], method: str
) -> None:
    slack.fail(method, Answer(429, headers={"Retry-After": "3"}))
    outcome = await sender.send(acknowledged(root))
    assert (outcome.verdict, outcome.reference) == (Verdict.THROTTLED, root)
    assert outcome.retry_after is not None
    assert slack.replies == []
    assert (await sender.send(acknowledged(root))).verdict is Verdict.OK
    assert len(slack.replies) == 1
    assert "by alice" in slack.roots[0]["text"]


@pytest.mark.parametrize("notice", [notice for notice in Notice if notice is not Notice.DIGEST])
async def test_a_message_that_was_deleted_is_posted_anew_and_tells_the_notice_itself(
    slack: SlackFake, sender: Sender, root: dict[str, str], notice: Notice
) -> None:
    slack.forget()
    outcome = await sender.send(message(notice, reference=root, comment="why"))
    assert outcome.verdict is Verdict.OK
    [fresh] = slack.messages
    assert outcome.reference == {"channel": "C012345", "ts": fresh["ts"]}
    assert "why" in fresh["text"]


@pytest.mark.parametrize("error", ["message_not_found", "cant_update_message", "edit_window_closed"])
async def test_a_message_that_may_not_be_edited_gets_a_successor(
    slack: SlackFake, sender: Sender, root: dict[str, str], error: str
) -> None:
    slack.fail("chat.update", Answer(body={"ok": False, "error": error}))
    outcome = await sender.send(acknowledged(root))
    assert outcome.reference == {"channel": "C012345", "ts": slack.roots[1]["ts"]}
    assert slack.replies == []
    slack.editable = False
    page = await sender.send(message(Notice.ESCALATED, reference=outcome.reference))
    assert page.reference == {"channel": "C012345", "ts": slack.roots[2]["ts"]}


async def test_a_successor_that_could_not_be_posted_is_tried_again(
    slack: SlackFake, sender: Sender, root: dict[str, str]
) -> None:
    slack.forget()
    slack.fail("chat.postMessage", BUSY)
    assert (await sender.send(acknowledged(root))).verdict is Verdict.RETRY
    assert (await sender.send(acknowledged(root))).verdict is Verdict.OK
    assert len(slack.roots) == 1


async def test_a_thread_in_a_channel_that_is_no_longer_configured_moves_when_that_is_archived(
    slack: SlackFake, sender: Sender
) -> None:
    slack.channels.add("C0OLD")
    slack.archived.add("C0OLD")
    for said in (message(Notice.ESCALATED), message(Notice.ACKNOWLEDGED)):
        outcome = await sender.send(replace(said, reference={"channel": "C0OLD", "ts": "1.2"}))
        assert outcome.reference == {"channel": "C012345", "ts": slack.roots[-1]["ts"]}


async def test_a_reference_of_another_kind_of_channel_is_none(slack: SlackFake, sender: Sender) -> None:
    await sender.send(message(reference={"message_id": "<1@example.com>"}))
    assert len(slack.roots) == 1


async def test_what_got_no_answer_is_posted_again_with_the_same_delivery_id(
    slack: SlackFake, sender: Sender
) -> None:
    slack.fail("chat.postMessage", Answer(hang=True))
    assert (await sender.send(message())).verdict is Verdict.AMBIGUOUS
    assert (await sender.send(message())).verdict is Verdict.OK
    assert len({request.body for request in slack.requests}) == 1


async def test_the_short_form_takes_the_blocks_away(
    slack: SlackFake, sender: Sender, root: dict[str, str]
) -> None:
    assert slack.roots[0]["blocks"]
    await sender.send(replace(acknowledged(root), minimal=True))
    assert slack.roots[0]["blocks"] == []
    assert "blocks" not in slack.replies[0]


@pytest.mark.parametrize("with_root", [False, True])
async def test_a_storm_is_a_message_of_its_own_that_no_later_notice_repaints(
    slack: SlackFake, sender: Sender, root: dict[str, str], with_root: bool
) -> None:
    others = tuple(incident(id=number) for number in range(13, 30))
    storm = message(bundle=others, reference=root if with_root else None)
    outcome = await sender.send(storm)
    assert (outcome.verdict, outcome.reference) == (Verdict.OK, None)
    assert len(slack.roots) == 2
    assert slack.updates == slack.replies == []
    assert "18 incidents" in slack.roots[1]["text"]


async def test_a_probe_asks_with_the_token_only(slack: SlackFake, sender: Sender) -> None:
    slack.token = "xoxb-other"
    outcome = await sender.probe()
    assert (outcome.verdict, outcome.code) == (Verdict.DESTINATION_BROKEN, "invalid_auth")
    assert slack.requests[0].path == "/auth.test"
