"""The Slack channel: one message an incident, every later notice a reply in its thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Literal

import orjson
from pydantic import Field

from incidentd.channels.base import (
    Channel,
    ChannelConfig,
    ChannelEnv,
    HttpAnswer,
    Request,
    exchange,
    judge_status,
    retry_after,
    scrubbed,
)
from incidentd.channels.slack_blocks import fallback, reply_blocks, root_blocks
from incidentd.channels.words import tidy
from incidentd.domain.notification import Message, Notice, Outcome, Verdict
from incidentd.fields import BaseUrl, Secret

_BROADCAST = frozenset({Notice.ESCALATED, Notice.REOPENED})
"""Replies that are shown in the channel too: people who left the thread have to see them."""
_HTTP_OK = 200
_NOT_FOUND = 404


class SlackConfig(ChannelConfig):
    """One conversation of a workspace, written to by a bot with the scope chat:write."""

    kind: Literal["slack"]
    token: Secret
    channel: Annotated[str, Field(pattern=r"^[#@]?[^\s#@<>]{1,100}$")]
    """The conversation's ID, or its name with ``#``."""
    base_url: BaseUrl = "https://slack.com/api"


def render(config: SlackConfig, message: Message) -> Request:
    """The incident's first message, or a reply to it if `message.reference` says where that is."""
    body: dict[str, Any] = {
        "channel": config.channel,
        "text": fallback(message),
        "unfurl_links": False,
        "unfurl_media": False,
        "metadata": {
            "event_type": "incidentd_notice",
            "event_payload": {"delivery_id": message.delivery_id},
        },
    }
    root = message.reference
    if not message.minimal:
        body["blocks"] = root_blocks(message) if root is None else reply_blocks(message)
    if root is not None:
        body |= {"channel": root["channel"], "thread_ts": root["ts"]}
        body["reply_broadcast"] = message.notice in _BROADCAST
    return _request(config, "chat.postMessage", body)


def judge(answer: HttpAnswer, now: datetime) -> Outcome:
    """Slack says ``ok`` or an error in the body, nearly always with status 200."""
    body = _body(answer)
    error = tidy(str(body.get("error", "")), 80)
    if body.get("ok") is True and answer.status == _HTTP_OK:
        return Outcome(Verdict.OK, "ok", reference=_reference(body))
    if error and (verdict := _verdict(error)) is not None:
        return Outcome(verdict, error, _REMEDY[verdict], retry_after(answer, now))
    outcome = judge_status(answer, now)
    if outcome.verdict is Verdict.OK:
        code = error or "not_slack"
        return Outcome(Verdict.RETRY, code, "an answer that Slack does not document", outcome.retry_after)
    if answer.status == _NOT_FOUND:
        outcome = replace(outcome, verdict=Verdict.DESTINATION_BROKEN, detail="check base_url")
    return outcome


def _verdict(error: str) -> Verdict | None:
    if error.startswith("restricted_action"):
        return Verdict.TARGET_GONE
    return next((verdict for verdict, errors in _ERRORS.items() if error in errors), None)


def _reference(body: Mapping[str, Any]) -> dict[str, str] | None:
    channel, ts = body.get("channel"), body.get("ts")
    return {"channel": channel, "ts": ts} if isinstance(channel, str) and isinstance(ts, str) else None


def _body(answer: HttpAnswer) -> Mapping[str, Any]:
    try:
        body = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def _request(config: SlackConfig, method: str, body: dict[str, Any]) -> Request:
    headers = {
        "authorization": f"Bearer {config.token.get_secret_value()}",
        "content-type": "application/json; charset=utf-8",
    }
    return Request("POST", f"{config.base_url}/{method}", headers, orjson.dumps(body))


@dataclass(frozen=True, slots=True)
class SlackSender:
    """Posts to one conversation."""

    config: SlackConfig
    env: ChannelEnv

    @property
    def target(self) -> str:
        """The conversation, with a ``#``."""
        return self.config.channel if self.config.channel[0] in "#@" else f"#{self.config.channel}"

    async def send(self, message: Message) -> Outcome:
        """Post; if the thread to reply to has vanished, post the incident anew."""
        outcome = await self._exchange(render(self.config, message))
        if message.reference is None:
            return outcome
        if self._lost(outcome, message.reference):
            return await self._exchange(render(self.config, replace(message, reference=None)))
        # The next reply belongs to the root as well: Slack forbids replying to a reply.
        return replace(outcome, reference=message.reference)

    def _lost(self, outcome: Outcome, reference: Mapping[str, str]) -> bool:
        moved = reference["channel"] != self.config.channel and outcome.verdict is Verdict.TARGET_GONE
        return outcome.code in _RECREATE or (moved and outcome.code in _ROOM_GONE)

    async def probe(self) -> Outcome:
        """Ask Slack who we are: proves the token."""
        return replace(await self._exchange(_request(self.config, "auth.test", {})), reference=None)

    async def close(self) -> None:
        """Nothing to let go of."""

    async def _exchange(self, request: Request) -> Outcome:
        outcome = await exchange(self.env.http, request, lambda answer: judge(answer, self.env.clock.now()))
        return scrubbed(outcome, self.config.token.get_secret_value())


_RECREATE = frozenset(
    {
        "cannot_reply_to_message",
        "cant_update_message",
        "edit_window_closed",
        "invalid_thread_ts",
        "message_not_found",
        "thread_not_found",
    }
)
_ROOM_GONE = frozenset({"channel_not_found", "is_archived", "not_in_channel"})
_ERRORS: Mapping[Verdict, frozenset[str]] = {
    Verdict.THROTTLED: frozenset({"ratelimited", "rate_limited"}),
    # "Some aspect of the operation may have succeeded."
    Verdict.AMBIGUOUS: frozenset({"internal_error", "fatal_error"}),
    Verdict.RETRY: frozenset({"service_unavailable", "request_timeout", "team_added_to_org"}),
    Verdict.DESTINATION_BROKEN: frozenset(
        {
            "access_denied",
            "account_inactive",
            "ekm_access_denied",
            "invalid_auth",
            "missing_scope",
            "not_allowed_token_type",
            "not_authed",
            "org_login_required",
            "team_access_not_granted",
            "token_expired",
            "token_revoked",
        }
    ),
    Verdict.TARGET_GONE: frozenset(
        {
            "channel_not_found",
            "is_archived",
            "message_limit_exceeded",
            "messages_tab_disabled",
            "no_permission",
            "not_in_channel",
            "user_not_found",
            *_RECREATE,
        }
    ),
    Verdict.CONTENT_REJECTED: frozenset(
        {
            "invalid_blocks",
            "invalid_blocks_format",
            "metadata_too_large",
            "msg_blocks_too_long",
            "msg_too_long",
            "no_text",
            "too_many_attachments",
        }
    ),
    Verdict.OK: frozenset({"already_reacted", "no_reaction"}),
}
_REMEDY = {
    Verdict.OK: "",
    Verdict.THROTTLED: "Slack asks to slow down",
    Verdict.AMBIGUOUS: "Slack failed; it may have posted the message",
    Verdict.RETRY: "Slack was not ready",
    Verdict.DESTINATION_BROKEN: "Slack refuses the token: check it, its scopes and the app's installation",
    Verdict.TARGET_GONE: "the bot cannot post there: invite it to the channel, or configure another",
    Verdict.CONTENT_REJECTED: "Slack refuses this content",
}


def _open(config: SlackConfig, _name: str, env: ChannelEnv) -> SlackSender:
    return SlackSender(config, env)


CHANNEL = Channel(
    kind="slack",
    description="Slack, by a bot: one message an incident, its changes in the thread.",
    config_model=SlackConfig,
    example={"kind": "slack", "token": "${SLACK_TOKEN}", "channel": "C012345"},
    open=_open,
)
