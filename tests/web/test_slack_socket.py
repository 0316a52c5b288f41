"""Socket Mode against a real WebSocket server: acknowledged after the commit, connected again whenever it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from incidentd.channels.slack import SlackConfig
from incidentd.channels.slack_replies import may_connect_to
from incidentd.web.slack_socket import SlackSocket
from tests.fakes.http import Answer
from tests.fakes.slack_socket import SlackSocketFake
from tests.web.conftest import Start, until
from tests.web.slack_world import MALLORY, Workspace, click_of, command_of, socket_keys, workspace


@pytest.fixture
async def office(start: Start) -> AsyncIterator[Workspace]:
    async with workspace(start, **socket_keys()) as opened:
        await opened.fires()
        await opened.slack.connected(1)
        yield opened


async def health(office: Workspace) -> tuple[str, str]:
    """Status and detail of the socket in the detailed health."""
    _, data = await office.daemon.get("/health/detailed")
    (check,) = [each for each in data["checks"] if each["name"] == "socket ops"]
    return check["status"], check["detail"]


def click(office: Workspace, action: str, value: str = "1", **rest: str) -> dict[str, object]:
    return {**click_of(action, value, **rest), "response_url": office.slack.response_url}


async def test_a_click_is_acknowledged_once_it_is_committed(office: Workspace) -> None:
    await office.slack.send("interactive", click(office, "acknowledge"))
    assert await office.slack.acked() == {"envelope_id": "e-1"}
    assert (await office.incident())["acknowledged_by"] == "alice"
    assert office.slack.said == []
    await office.slack.send("interactive", click(office, "resolve"), "e-2")
    assert await office.slack.acked("e-2") == {"envelope_id": "e-2"}
    assert "still has 1 firing" in await office.said()


async def test_a_command_is_answered_in_its_acknowledgement(office: Workspace) -> None:
    await office.slack.send("slash_commands", command_of("ack 1"), accepts_response_payload=True)
    payload = (await office.slack.acked())["payload"]
    assert payload == {"response_type": "ephemeral", "text": "INC-1 acknowledged."}
    fields = command_of("list", response_url=office.slack.response_url)
    await office.slack.send("slash_commands", fields, "e-2")
    assert await office.slack.acked("e-2") == {"envelope_id": "e-2"}
    assert "INC-1>" in await office.said()


async def test_an_envelope_whose_commit_fails_is_not_acknowledged_but_answered_in_words(
    office: Workspace,
) -> None:
    office.daemon.store.writes_fail = True
    await office.slack.send("interactive", click(office, "acknowledge"))
    assert "nothing was changed" in await office.said()
    office.daemon.store.writes_fail = False
    await office.slack.send("interactive", click(office, "acknowledge"), "e-2")
    await office.slack.acked("e-2")
    assert [ack["envelope_id"] for ack in office.slack.acks] == ["e-2"]


async def test_strangers_and_odd_envelopes_are_acknowledged_and_change_nothing(office: Workspace) -> None:
    await office.slack.connections[-1].send_str("no json")
    await office.slack.connections[-1].send_bytes(b"\xff")
    await office.slack.send("interactive", click(office, "acknowledge", user=MALLORY), "e-1")
    await office.slack.send("events_api", {"event": {}}, "e-2")
    await office.slack.send("interactive", {"type": "shortcut"}, "e-3")
    for envelope in ("e-1", "e-2", "e-3"):
        await office.slack.acked(envelope)
    assert f"slack: {MALLORY}" in await office.said()
    assert (await office.incident())["state"] == "triggered"


@pytest.mark.parametrize("end", ["disconnect", "close", "drop"])
async def test_a_connection_that_ends_is_opened_again(office: Workspace, end: str) -> None:
    first = office.slack.connections[0]
    if end == "disconnect":
        await office.slack.disconnect()
    elif end == "close":
        await first.close()
    else:
        assert first._req is not None
        assert first._req.transport is not None
        first._req.transport.abort()
    await office.slack.connected(2)
    await office.slack.send("interactive", click(office, "acknowledge"))
    await office.slack.acked()
    assert (await office.incident())["state"] == "acknowledged"


async def test_what_came_before_a_disconnect_is_still_acknowledged(office: Workspace) -> None:
    await office.slack.send("interactive", click(office, "acknowledge"))
    await office.slack.disconnect("warning")
    assert await office.slack.acked() == {"envelope_id": "e-1"}
    await office.slack.connected(2)


async def test_a_connection_that_answers_no_ping_is_given_up(office: Workspace, start: Start) -> None:
    async with SlackSocketFake(alive=False) as silent:
        config = SlackConfig.model_validate(
            {"kind": "slack", "token": "x", "channel": "C1", "base_url": silent.url, **socket_keys()}
        )
        daemon = office.daemon
        socket = SlackSocket("ops", config, daemon.desk.slack, daemon.http, daemon.clock, silence=0.05)
        running = asyncio.create_task(socket.run())
        await silent.connected(2)
        assert socket.line.detail in {"no sign of life", ""}
        await socket.stop()
        await asyncio.wait_for(running, 5)


async def test_health_says_whether_the_socket_is_up(start: Start) -> None:
    async with workspace(start, **socket_keys()) as office:
        await office.slack.connected(1)
        await until(lambda: office.daemon.desk.sockets.lines()[0].up)
        assert await health(office) == ("healthy", "")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(body={"ok": False, "error": "invalid_auth"}), "apps.connections.open: invalid_auth"),
        (Answer(429, headers={"Retry-After": "60"}), "apps.connections.open: http_429"),
        (Answer(body={"ok": True, "url": "wss://evil.example/?t=1"}), "the address is not Slack's"),
        (Answer(body={"ok": True}), "apps.connections.open: http_200"),
        (Answer(drop=True), "apps.connections.open: connection_lost"),
    ],
)
async def test_health_says_why_there_is_no_connection(start: Start, answer: Answer, why: str) -> None:
    slack = SlackSocketFake()
    slack.script([answer] * 20)
    async with workspace(start, slack, **socket_keys()) as office:
        await slack.wait_for(1)
        await until(lambda: why in office.daemon.desk.sockets.lines()[0].detail)
        assert (await health(office))[0] == "degraded"


async def test_a_reload_opens_and_closes_connections(office: Workspace) -> None:
    context = office.daemon.context
    before = context.config
    context.config = before.model_copy(update={"channels": {"console": before.channels["console"]}})
    context.noted.ring()
    await until(lambda: office.slack.connections[0].closed and not office.daemon.desk.sockets.lines())
    context.config = before
    context.noted.ring()
    await office.slack.connected(2)


async def test_channels_of_one_app_share_a_connection(start: Start) -> None:
    async with workspace(start, **socket_keys()) as office:
        context = office.daemon.context
        ops = context.config.channels["ops"]
        twin = {"ops": ops, "dev": ops.model_copy(update={"channel": "C0DEV"})}
        context.config = context.config.model_copy(update={"channels": twin})
        context.noted.ring()
        await office.slack.connected(1)
        assert len(office.daemon.desk.sockets.lines()) == 1


@pytest.mark.parametrize(
    ("url", "base", "good"),
    [
        ("wss://wss-primary.slack.com/link/?ticket=1", "https://slack.com/api", True),
        ("ws://wss-primary.slack.com/link", "https://slack.com/api", False),
        ("wss://slack.com.evil.example/", "https://slack.com/api", False),
        ("wss://evilslack.com/", "https://slack.com/api", False),
        ("wss://x@slack.com/", "https://slack.com/api", False),
        ("wss://10.0.0.1/", "https://slack.com/api", False),
        ("https://wss.slack.com/", "https://slack.com/api", False),
        ("wss://wss.slack-gov.com/", "https://slack-gov.com/api", True),
        ("ws://127.0.0.1:1/", "http://127.0.0.1:2/api", True),
    ],
)
def test_a_socket_is_opened_to_slack_or_to_where_base_url_points(url: str, base: str, good: bool) -> None:
    assert may_connect_to(url, base) is good
