"""A daemon with a Slack app: requests signed by Slack's own library, two users, and one stranger."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp
from slack_sdk.signature import SignatureVerifier

from tests.fakes.slack_socket import APP_TOKEN, SlackSocketFake
from tests.web.conftest import Daemon, Json, Start, alert

SECRET = "8f742231b10e8888abcd99e5b5e8de7c"
ALICE, BOB, MALLORY = "U0ALICE", "U0BOB", "U0MALLORY"
USERS = {"alice": {"name": "Alice", "slack": ALICE}, "bob": {"name": "Bob", "slack": BOB}}
INTERACTIONS, COMMANDS = "/webhooks/slack/interactions", "/webhooks/slack/commands"
Answered = tuple[aiohttp.ClientResponse, Any]


def click_of(action: str, value: str, user: str = ALICE, **rest: Any) -> Json:
    """The payload of a click on the button `action`."""
    return {
        "type": "block_actions",
        "user": {"id": user, "username": "x"},
        "team": {"id": "T0TEAM", "domain": "acme"},
        "trigger_id": "1.2.abc",
        "actions": [
            {"action_id": f"incidentd_{action}", "block_id": "b", "value": value, "action_ts": "1.2"}
        ],
        **rest,
    }


def command_of(text: str, user: str = ALICE, **rest: Any) -> dict[str, str]:
    """The fields of ``/incident text``."""
    fields = {
        "command": "/incident",
        "text": text,
        "user_id": user,
        "team_id": "T0TEAM",
        "trigger_id": "1.2.c",
    }
    return {**fields, **rest}


@dataclass
class Workspace:
    """The daemon and Slack's side of it."""

    daemon: Daemon
    slack: SlackSocketFake
    sent: int = 0

    def signed(self, body: bytes, age: float = 0, secret: str = SECRET) -> dict[str, str]:
        """Slack's headers for a body that was signed so many seconds ago."""
        timestamp = str(int(self.daemon.clock.now().timestamp()) - int(age))
        signature = SignatureVerifier(secret).generate_signature(timestamp=timestamp, body=body)
        assert signature is not None
        return {
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": signature,
            "Content-Type": "application/x-www-form-urlencoded",
        }

    async def post(self, path: str, body: bytes, headers: dict[str, str] | None = None) -> Answered:
        return await self.daemon.call("POST", path, data=body, headers=headers or self.signed(body))

    async def click(self, action: str, incident: object = 1, user: str = ALICE, **rest: Any) -> Answered:
        """One click. Each has a time stamp of its own, as Slack's have."""
        self.sent += 1
        told = {"response_url": self.slack.response_url, "trigger_id": str(self.sent), **rest}
        payload = click_of(action, str(incident), user, **told)
        return await self.post(INTERACTIONS, urlencode({"payload": json.dumps(payload)}).encode())

    async def command(self, text: str, user: str = ALICE, **rest: Any) -> str:
        """What ``/incident text`` answers."""
        self.sent += 1
        fields = command_of(text, user, trigger_id=str(self.sent), **rest)
        answer, data = await self.post(COMMANDS, urlencode(fields).encode())
        assert answer.status == 200, data
        assert data["response_type"] == "ephemeral"
        return str(data["text"])

    async def said(self, count: int = 1) -> str:
        """The `count`-th answer that was posted to a `response_url`, which only the person sees."""
        await self.slack.until(lambda: len(self.slack.said) >= count)
        told = self.slack.said[count - 1]
        assert told["response_type"] == "ephemeral"
        assert told["replace_original"] is False
        return str(told["text"])

    async def fires(self, **labels: str) -> None:
        """One critical alert, which opens an incident."""
        await self.daemon.alert(alert(**labels))

    async def incident(self, number: int = 1) -> Json:
        _, data = await self.daemon.get(f"/api/v1/incidents/{number}")
        return dict(data)

    async def timeline(self, number: int = 1) -> list[str]:
        _, page = await self.daemon.get(f"/api/v1/incidents/{number}/timeline")
        return [f"{entry['kind']} {entry['actor']}" for entry in page["items"]]

    def counted(self, verb: str, outcome: str) -> float:
        return self.daemon.sample("incidentd_chat_asks_total", verb=verb, outcome=outcome)


def channels(slack: SlackSocketFake, **rest: Any) -> dict[str, Any]:
    """The console, and a Slack channel whose `base_url` is the fake."""
    chat = {"kind": "slack", "token": "xoxb-fake", "channel": "C012345", "base_url": slack.url}
    return {"console": {"kind": "console"}, "ops": {**chat, **rest}}


@contextlib.asynccontextmanager
async def workspace(
    start: Start, slack: SlackSocketFake | None = None, sections: dict[str, Any] | None = None, **rest: Any
) -> AsyncIterator[Workspace]:
    """A daemon whose Slack channel has the keys `rest`; by default its requests are posted and signed.

    `sections` are further ones of the configuration.
    """
    async with slack or SlackSocketFake() as fake:
        async with start(
            users=USERS,
            channels=channels(fake, **(rest or {"signing_secret": SECRET})),
            **(sections or {}),
        ) as daemon:
            yield Workspace(daemon, fake)
        assert fake.violations == []


def socket_keys(token: str = APP_TOKEN) -> dict[str, Any]:
    """What makes a Slack channel use Socket Mode."""
    return {"mode": "socket", "app_token": token}
