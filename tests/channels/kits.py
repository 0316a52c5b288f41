"""For each kind of channel a fake vendor, so that one contract test examines them all."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from incidentd.channels.http import HttpClient
from incidentd.clock import FixedClock
from incidentd.domain.notification import Verdict
from tests.channels.support import IMPATIENT, NOW, environment, open_channel
from tests.fakes.http import Answer, HttpFake, Received
from tests.fakes.pagerduty import PagerDutyFake
from tests.fakes.slack import SlackFake
from tests.fakes.smtp import HANG, SmtpFake
from tests.fakes.webhook import WebhookFake

CANARY = "CANARY0123456789CANARY0123456789"
NOWHERE = "http://127.0.0.1:9"
"""Port 9 is the discard service, which nobody runs: connections are refused."""


@dataclass
class Kit:
    """One channel, open, and what its fake vendor saw."""

    sender: Any
    unreachable: Any
    """The same channel with an address where nobody listens."""
    arrived: Callable[[], list[str]]
    """The vendor key of each message that arrived."""
    violations: Callable[[], list[str]]
    faults: dict[Verdict, Callable[[], object]] = field(default_factory=dict)
    """Make the next send come to this verdict."""


def _http_faults(fake: HttpFake) -> dict[Verdict, Callable[[], object]]:
    return {
        Verdict.RETRY: lambda: fake.script([Answer(500, b"oops " + CANARY.encode())]),
        Verdict.AMBIGUOUS: lambda: fake.script([Answer(hang=True)]),
        Verdict.THROTTLED: lambda: fake.script([Answer(429, headers={"Retry-After": "7"})]),
        Verdict.DESTINATION_BROKEN: lambda: fake.script(
            [Answer(401, {"message": CANARY, "errors": [CANARY]})]
        ),
    }


@asynccontextmanager
async def slack() -> AsyncIterator[Kit]:
    async with SlackFake(token=CANARY) as fake, _client() as http:
        config = {"kind": "slack", "token": CANARY, "channel": "C012345"}
        env = environment(http)
        yield Kit(
            open_channel({**config, "base_url": fake.url}, env),
            open_channel({**config, "base_url": NOWHERE}, env),
            lambda: [message["metadata"]["event_payload"]["delivery_id"] for message in fake.messages],
            lambda: fake.violations,
            _http_faults(fake),
        )


@asynccontextmanager
async def slack_with_buttons() -> AsyncIterator[Kit]:
    async with SlackFake(token=CANARY) as fake, _client() as http:
        config = {"kind": "slack", "token": CANARY, "channel": "#ops"}
        config |= {"mode": "socket", "app_token": f"xapp-{CANARY}", "signing_secret": CANARY}
        env = environment(http)
        yield Kit(
            open_channel({**config, "base_url": fake.url}, env),
            open_channel({**config, "base_url": NOWHERE}, env),
            lambda: [message["metadata"]["event_payload"]["delivery_id"] for message in fake.messages],
            lambda: fake.violations,
            _http_faults(fake),
        )


@asynccontextmanager
async def slack_by_webhook() -> AsyncIterator[Kit]:
    async with SlackFake() as fake, _client() as http:
        fake.hook_path = f"/services/T012345/B012345/{CANARY}"
        env = environment(http)
        yield Kit(
            open_channel({"kind": "slack", "webhook_url": fake.hook_url}, env),
            open_channel({"kind": "slack", "webhook_url": NOWHERE + fake.hook_path}, env),
            # It takes no metadata: all a repeat can be known by is the incident it names.
            lambda: [message["text"].partition("]")[0] for message in fake.hooked],
            lambda: fake.violations,
            _http_faults(fake),
        )


@asynccontextmanager
async def pagerduty() -> AsyncIterator[Kit]:
    async with PagerDutyFake((CANARY,)) as fake, _client() as http:
        config = {"kind": "pagerduty", "routing_key": CANARY}
        env = environment(http)
        yield Kit(
            open_channel({**config, "base_url": fake.url}, env),
            open_channel({**config, "base_url": NOWHERE}, env),
            lambda: [event["dedup_key"] for event in fake.events],
            lambda: fake.violations,
            _http_faults(fake),
        )


@asynccontextmanager
async def webhook() -> AsyncIterator[Kit]:
    clock = FixedClock(NOW)
    secret = f"whsec_{CANARY}"
    async with WebhookFake(secret, clock.now) as fake, _client() as http:
        env = environment(http, clock=clock)
        config = {"kind": "webhook", "secret": secret}
        yield Kit(
            open_channel({**config, "url": f"{fake.url}/{CANARY}"}, env),
            open_channel({**config, "url": f"{NOWHERE}/{CANARY}"}, env),
            lambda: fake.ids,
            lambda: fake.violations,
            _http_faults(fake),
        )


@asynccontextmanager
async def email() -> AsyncIterator[Kit]:
    async with SmtpFake(login=("incidentd", CANARY)) as fake, _client() as http:
        env = environment(http)
        relay: dict[str, object] = {"host": fake.host, "port": fake.port, "tls": "none", "timeout": "500ms"}
        relay |= {"username": "incidentd", "password": CANARY}
        config = {"kind": "email", "from": "Incidents <incidents@example.com>", "to": ["ops@example.com"]}
        yield Kit(
            open_channel({**config, "smtp": relay}, env),
            open_channel({**config, "smtp": {**relay, "port": 9}}, env),
            lambda: [mail.content["Message-ID"] for mail in fake.mails],
            lambda: fake.violations,
            {
                Verdict.RETRY: lambda: fake.script("RCPT", "451 4.3.0 later"),
                Verdict.AMBIGUOUS: lambda: fake.script("DATA", HANG),
                Verdict.DESTINATION_BROKEN: lambda: fake.script("MAIL", f"550 5.7.1 not you {CANARY}"),
            },
        )


class JsonFake(HttpFake):
    """What apprise's ``json://`` posts to."""

    async def answer(self, received: Received) -> Answer:
        said = json.loads(received.body)
        if not said["message"] or len(said["message"]) > 3000 or len(said["title"]) > 200:
            self.violations.append("empty or too long")
        return Answer(200, {})


@asynccontextmanager
async def apprise() -> AsyncIterator[Kit]:
    async with JsonFake() as fake, _client() as http:
        address = fake.url.replace("http://", f"json://ops:{CANARY}@") + f"/{CANARY}?rto=3"
        config: dict[str, object] = {"kind": "apprise", "urls": [address]}
        sender = open_channel(config, environment(http))
        yield Kit(
            replace(sender, seconds=1),  # type: ignore[type-var]
            open_channel({**config, "urls": [f"json://127.0.0.1:9/{CANARY}"]}, environment(http)),
            lambda: [str(json.loads(post.body)["title"]) for post in fake.requests],
            lambda: fake.violations,
            {
                Verdict.RETRY: lambda: fake.script([Answer(500, b"oops " + CANARY.encode())]),
                Verdict.AMBIGUOUS: lambda: fake.script([Answer(hang=True)]),
            },
        )


class Broken(io.StringIO):
    """A terminal whose reader went away."""

    def write(self, text: str, /) -> int:
        raise BrokenPipeError


@asynccontextmanager
async def console() -> AsyncIterator[Kit]:
    async with _client() as http:
        output = io.StringIO()
        yield Kit(
            open_channel({"kind": "console"}, environment(http, output=output)),
            open_channel({"kind": "console"}, environment(http, output=Broken())),
            lambda: [line.split()[0] for line in output.getvalue().splitlines()],
            lambda: [line for line in output.getvalue().split("\n") if line and not line.isprintable()],
        )


@asynccontextmanager
async def _client() -> AsyncIterator[HttpClient]:
    http = HttpClient(IMPATIENT)
    try:
        yield http
    finally:
        await http.aclose()


KITS = {
    "apprise": apprise,
    "slack": slack,
    "slack/buttons": slack_with_buttons,
    "slack/webhook": slack_by_webhook,
    "pagerduty": pagerduty,
    "webhook": webhook,
    "email": email,
    "console": console,
}
"""By kind, and after a slash the way it is configured."""
