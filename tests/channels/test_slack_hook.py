"""Slack without a bot: everything goes through an incoming webhook, whose address is the secret."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from incidentd.channels.base import Sender
from incidentd.channels.http import HttpClient
from incidentd.domain.notification import Notice, Verdict
from tests.channels.support import IMPATIENT, environment, incident, message, open_channel
from tests.fakes.slack import SlackFake


@pytest_asyncio.fixture
async def slack() -> AsyncIterator[SlackFake]:
    async with SlackFake() as fake:
        yield fake
        assert fake.violations == []


@pytest_asyncio.fixture
async def sender(slack: SlackFake) -> AsyncIterator[Sender]:
    http = HttpClient(IMPATIENT)
    yield open_channel({"kind": "slack", "webhook_url": slack.hook_url}, environment(http))
    await http.aclose()


def types(body: dict[str, Any]) -> list[str]:
    return [block["type"] for block in body["blocks"]]


async def test_every_notice_is_a_message_that_names_its_incident(slack: SlackFake, sender: Sender) -> None:
    first = await sender.send(message())
    assert (first.verdict, first.reference) == (Verdict.OK, None)
    await sender.send(message(Notice.RESOLVED, incident=incident(state="resolved", alerts_firing=0)))
    page, end = slack.hooked
    assert page["blocks"][0] == end["blocks"][0]
    assert "[INC-12]" in page["blocks"][0]["text"]["text"]
    assert len(page["blocks"]) > len(end["blocks"])
    assert types(end) == ["header", "section", "context"]
    assert not {"channel", "thread_ts", "metadata"} & (page.keys() | end.keys())


async def test_a_change_of_members_alone_is_not_posted(slack: SlackFake, sender: Sender) -> None:
    outcome = await sender.send(message(Notice.UPDATED))
    assert (outcome.verdict, outcome.code, slack.requests) == (Verdict.OK, "not_applicable", [])
    await sender.send(message(Notice.UPDATED, comment="rolling back"))
    assert "rolling back" in slack.hooked[0]["text"]


async def test_a_storm_is_one_message(slack: SlackFake, sender: Sender) -> None:
    await sender.send(message(bundle=(incident(id=13), incident(id=14))))
    assert "3 incidents" in slack.hooked[0]["blocks"][0]["text"]["text"]


async def test_a_probe_posts_nothing_and_finds_out_whether_the_address_is_good(
    slack: SlackFake, sender: Sender
) -> None:
    assert (await sender.probe()).verdict is Verdict.OK
    slack.hook_path = "/services/T012345/B012345/another"
    outcome = await sender.probe()
    assert (outcome.verdict, outcome.code) == (Verdict.DESTINATION_BROKEN, "no_service")
    assert slack.hooked == []


async def test_the_address_is_never_shown(slack: SlackFake, sender: Sender) -> None:
    shown = [repr(sender), *sender.targets]
    slack.hook_path = "/services/T012345/B012345/another"
    shown.append(repr(await sender.send(message())))
    assert not any("/services/" in text or "hookhook" in text for text in shown)
    assert sender.targets == (slack.url.removesuffix(slack.prefix),)


@pytest.mark.parametrize("interactive", [False, True])
async def test_its_messages_have_buttons_where_answers_can_come_in(
    slack: SlackFake, interactive: bool
) -> None:
    http = HttpClient(IMPATIENT)
    config: dict[str, object] = {"kind": "slack", "webhook_url": slack.hook_url}
    more = {"signing_secret": "8f742231b1"} if interactive else {}
    await open_channel(config | more, environment(http)).send(message())
    await http.aclose()
    assert ("actions" in types(slack.hooked[0])) is interactive
