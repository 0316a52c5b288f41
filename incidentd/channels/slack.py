"""The Slack channel: one message an incident that shows how it stands, and what happened in its thread.

A notice about an incident that has a message does two things: `chat.update` brings that message up to date, which
may be repeated at will, and a reply in its thread tells what happened, which may not. Either can fail alone:

- A page replies first: calling people must not wait for a message to be repainted. If only the update fails the
  page counts as said, and the next notice of the incident, at the latest its end, repaints the message.
- Everything else updates first and replies only once that worked, so that a retry repeats only the update. It is
  done when both worked: a resolved incident does not stay red.
- A message that is gone or may not be edited any more is posted anew, which tells the notice as well.

Slack has no key that makes a post happen once: one that got no answer is posted again. The incident then has two
messages, of which the later is kept up to date; both carry the delivery's id in their metadata.

Who is told in person gets direct messages, each a message of its own.

Without a bot, through an incoming webhook, nothing can be updated or replied to: every notice is a message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import orjson
from pydantic import AfterValidator, Field, SecretStr, model_validator

from incidentd.channels.base import Channel, ChannelConfig, ChannelEnv, Rate, Request, exchange, scrubbed
from incidentd.channels.slack_answers import RECREATE, ROOM_GONE, judge, judge_hook, judge_hook_probe
from incidentd.channels.slack_blocks import fallback, notice_blocks, reply_blocks, root_blocks, standing
from incidentd.domain.notification import DeliveryClass, Message, Notice, Outcome, Verdict
from incidentd.fields import BaseUrl, Secret, SecretUrl, origin

_BROADCAST = frozenset({Notice.ESCALATED, Notice.REOPENED, Notice.UNACKNOWLEDGED})
"""Replies that are shown in the channel too: people who left the thread have to see them."""
_MEMBER = re.compile(r"[UW][A-Z0-9]{1,30}")
_NOT_APPLICABLE = Outcome(Verdict.OK, "not_applicable", "there is no message to bring up to date")


def _app_level(secret: SecretStr) -> SecretStr:
    if not secret.get_secret_value().startswith("xapp-"):
        raise ValueError("is not an app-level token; accepted: one that begins with xapp-")
    return secret


class SlackConfig(ChannelConfig):
    """One conversation of a workspace, written to by a bot with the scope chat:write, or by an incoming webhook."""

    kind: Literal["slack"]
    token: Secret | None = None
    """The bot's token, `xoxb-...`; goes with `channel`."""
    channel: Annotated[str, Field(pattern=r"^[#@]?[^\s#@<>]{1,100}$")] | None = None
    """The conversation's ID, or its name with `#`."""
    webhook_url: SecretUrl | None = None
    """An incoming webhook in place of `token` and `channel`: every notice is then a message of its own."""
    signing_secret: Secret | None = None
    """Verifies what Slack posts when people press buttons or use the slash command; messages then have buttons."""
    mode: Literal["web", "socket"] = "web"
    """How those come in: posted by Slack, or, without a public address, through a socket opened from here."""
    app_token: Annotated[Secret, AfterValidator(_app_level)] | None = None
    """For `mode: socket`: an app-level token, `xapp-...`, with the scope `connections:write`."""
    team: Annotated[str, Field(pattern=r"^[TE][A-Z0-9]{1,30}$")] | None = None
    """The workspace's ID, such as `T012ABCDEF`; what comes in from another one is refused."""
    base_url: BaseUrl = "https://slack.com/api"
    """Where Slack's methods are: for something that stands in its place."""

    @model_validator(mode="after")
    def _fits_together(self) -> SlackConfig:
        if self.webhook_url is not None and (self.token is not None or self.channel is not None):
            raise ValueError("has two ways to post; accepted: token and channel, or webhook_url alone")
        if self.webhook_url is None and (self.token is None or self.channel is None):
            raise ValueError("has no way to post; accepted: token and channel together, or webhook_url alone")
        if self.mode == "socket" and self.app_token is None:
            raise ValueError("mode: socket needs app_token, an app-level token (xapp-...)")
        if self.mode == "web" and self.app_token is not None:
            raise ValueError("app_token is for mode: socket only; leave it out or set that mode")
        return self

    @property
    def interactive(self) -> bool:
        """Whether buttons would reach us."""
        return self.signing_secret is not None or self.mode == "socket"


def personal(target: str) -> bool:
    """True for a member's ID: what is sent there is a direct message, outside of any thread."""
    return _MEMBER.fullmatch(target) is not None


def render(config: SlackConfig, message: Message, root: Mapping[str, str] | None = None) -> Request:
    """The post that says `message`: to the channel, or in the thread below `root` if that is given."""
    body = _content(message)
    body["metadata"] = {
        "event_type": "incidentd_notice",
        "event_payload": {"delivery_id": message.delivery_id},
    }
    if personal(message.target):
        body["channel"] = message.target
        if not message.minimal:
            body["blocks"] = _whole(config, message)
    elif root is None:
        body["channel"] = config.channel
        if not message.minimal:
            body["blocks"] = root_blocks(message, buttons=config.interactive)
    else:
        body |= {"channel": root["channel"], "thread_ts": root["ts"]}
        body["reply_broadcast"] = message.notice in _BROADCAST
        if not message.minimal:
            body["blocks"] = reply_blocks(message)
    return _call(config, "chat.postMessage", body)


def render_update(config: SlackConfig, message: Message, root: Mapping[str, str]) -> Request:
    """What makes the incident's message at `root` show how it stands now."""
    now = standing(message)
    # By default an update looks for names and addresses in the text, which a post does not.
    body = {"channel": root["channel"], "ts": root["ts"], "text": fallback(now), "parse": "none"}
    # Blocks that are not mentioned may stay as they were.
    blocks = [] if message.minimal else root_blocks(now, buttons=config.interactive)
    return _call(config, "chat.update", {**body, "blocks": blocks})


def render_hook(config: SlackConfig, message: Message) -> Request:
    """The post of `message` into the incoming webhook."""
    body = _content(message)
    if not message.minimal:
        body["blocks"] = _whole(config, message)
    return _hook(config, body)


def _whole(config: SlackConfig, message: Message) -> list[dict[str, Any]]:
    """A message that stands for itself: of a page everything, of the rest what happened."""
    if message.bundle or message.notice.delivery_class is DeliveryClass.PAGE:
        return root_blocks(message, buttons=config.interactive)
    return notice_blocks(message)


def _content(message: Message) -> dict[str, Any]:
    return {"text": fallback(message), "unfurl_links": False, "unfurl_media": False}


def _call(config: SlackConfig, method: str, body: Mapping[str, Any]) -> Request:
    headers = {
        "authorization": f"Bearer {_value(config.token)}",
        "content-type": "application/json; charset=utf-8",
    }
    return Request("POST", f"{config.base_url}/{method}", headers, orjson.dumps(body))


def _hook(config: SlackConfig, body: Mapping[str, Any]) -> Request:
    headers = {"content-type": "application/json; charset=utf-8"}
    return Request("POST", _value(config.webhook_url), headers, orjson.dumps(body))


def _value(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret is not None else ""


def _untold(message: Message) -> bool:
    """True for a change of members alone: it matters only to a message that already shows the incident."""
    return message.notice is Notice.UPDATED and not message.comment.strip()


@dataclass(frozen=True, slots=True)
class SlackSender:
    """Posts to one conversation as a bot."""

    config: SlackConfig
    env: ChannelEnv

    @property
    def targets(self) -> tuple[str, ...]:
        """The conversation, with a ``#``."""
        channel = self.config.channel or ""
        return (channel if channel.startswith(("#", "@")) else f"#{channel}",)

    async def send(self, message: Message) -> Outcome:
        """Post, or update and reply; see the module's docstring for what happens when one of two calls fails."""
        root = message.reference if {"channel", "ts"} <= (message.reference or {}).keys() else None
        if personal(message.target):
            return await self._write_to(message)
        if message.bundle:
            # A storm's message belongs to no one incident: it is no root that later notices could repaint.
            return replace(await self._ask(render(self.config, message)), reference=None)
        if root is None:
            return _NOT_APPLICABLE if _untold(message) else await self._ask(render(self.config, message))
        if message.notice.delivery_class is DeliveryClass.PAGE:
            return await self._page(message, root)
        return await self._tell(message, root)

    async def _write_to(self, message: Message) -> Outcome:
        """A direct message. The incident's own message is the conversation's, so this one leaves no reference."""
        if _untold(message):
            return _NOT_APPLICABLE
        return replace(await self._ask(render(self.config, message)), reference=None)

    async def _page(self, message: Message, root: Mapping[str, str]) -> Outcome:
        said = await self._ask(render(self.config, message, root))
        if said.verdict is not Verdict.OK:
            return await self._or_anew(said, message, root)
        updated = await self._ask(render_update(self.config, message, root))
        if self._lost(updated, root):
            return await self._or_anew(updated, message, root)
        stale = (
            f"; its message is not up to date: {updated.code}" if updated.verdict is not Verdict.OK else ""
        )
        return replace(said, detail=f"replied{stale}", reference=root)

    async def _tell(self, message: Message, root: Mapping[str, str]) -> Outcome:
        outcome = await self._ask(render_update(self.config, message, root))
        if outcome.verdict is Verdict.OK and not _untold(message):
            outcome = await self._ask(render(self.config, message, root))
        return await self._or_anew(outcome, message, root)

    async def _or_anew(self, outcome: Outcome, message: Message, root: Mapping[str, str]) -> Outcome:
        if self._lost(outcome, root):
            return await self._ask(render(self.config, message))
        # The next reply belongs to the root as well: Slack forbids replying to a reply.
        return replace(outcome, reference=root)

    def _lost(self, outcome: Outcome, root: Mapping[str, str]) -> bool:
        moved = root["channel"] != self.config.channel and outcome.verdict is Verdict.TARGET_GONE
        return outcome.code in RECREATE or (moved and outcome.code in ROOM_GONE)

    async def probe(self) -> Outcome:
        """Ask Slack who we are: proves the token."""
        return replace(await self._ask(_call(self.config, "auth.test", {})), reference=None)

    async def close(self) -> None:
        """Nothing to let go of."""

    async def _ask(self, request: Request) -> Outcome:
        outcome = await exchange(self.env.http, request, lambda answer: judge(answer, self.env.clock.now()))
        return scrubbed(outcome, _value(self.config.token))


@dataclass(frozen=True, slots=True)
class SlackHookSender:
    """Posts into one incoming webhook, whose address is its secret."""

    config: SlackConfig
    env: ChannelEnv

    @property
    def targets(self) -> tuple[str, ...]:
        """Scheme and host; the rest of the address is the secret."""
        return (origin(self.config.webhook_url),) if self.config.webhook_url is not None else ()

    async def send(self, message: Message) -> Outcome:
        """Post; a change of members alone is not posted, as nothing can be brought up to date."""
        if _untold(message):
            return _NOT_APPLICABLE
        request = render_hook(self.config, message)
        outcome = await exchange(
            self.env.http, request, lambda answer: judge_hook(answer, self.env.clock.now())
        )
        return self._scrubbed(outcome)

    async def probe(self) -> Outcome:
        """Post nothing at all: Slack checks the address before it misses the text."""
        outcome = await exchange(
            self.env.http,
            _hook(self.config, {"text": ""}),
            lambda answer: judge_hook_probe(answer, self.env.clock.now()),
        )
        return self._scrubbed(outcome)

    async def close(self) -> None:
        """Nothing to let go of."""

    def _scrubbed(self, outcome: Outcome) -> Outcome:
        address = _value(self.config.webhook_url)
        return scrubbed(outcome, address, urlsplit(address).path.rstrip("/").rpartition("/")[2])


def _open(config: SlackConfig, _name: str, env: ChannelEnv) -> SlackSender | SlackHookSender:
    return SlackHookSender(config, env) if config.webhook_url is not None else SlackSender(config, env)


CHANNEL = Channel(
    kind="slack",
    description="Slack: one message an incident, kept up to date, and what happened in its thread.",
    config_model=SlackConfig,
    example={"kind": "slack", "token": "${SLACK_TOKEN}", "channel": "C012345"},
    open=_open,
    rate=Rate(per_second=1, burst=3),
)
