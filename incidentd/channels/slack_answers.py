"""What Slack's answers mean: to calls of its Web API, and to posts into an incoming webhook. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from incidentd.channels.base import HttpAnswer, judge_status, retry_after
from incidentd.domain.notification import Outcome, Verdict

RECREATE = frozenset(
    {
        "cannot_reply_to_message",
        "cant_update_message",
        "edit_window_closed",
        "invalid_thread_ts",
        "message_not_found",
        "thread_not_found",
    }
)
"""Errors that mean: the incident's message is no longer there for us. A fresh one takes its place."""
ROOM_GONE = frozenset({"channel_not_found", "is_archived", "is_inactive", "not_in_channel"})
"""Errors that mean: its whole conversation is no longer there for us."""

_HTTP_OK = 200
_NOT_FOUND = 404
_WORD = re.compile(r"[a-z][a-z0-9_]{1,79}")
"""Slack's error values. Anything else in their place is not repeated: a proxy may echo what it was sent."""


def judge(answer: HttpAnswer, now: datetime) -> Outcome:
    """An answer of the Web API: ``ok`` or an error in the body, nearly always with status 200.

    The reference of a success is the message's channel and ts.
    """
    body = _body(answer)
    error = _word(body.get("error"))
    if body.get("ok") is True and answer.status == _HTTP_OK:
        return Outcome(Verdict.OK, "ok", reference=_reference(body))
    if (verdict := _verdict(error)) is not None:
        return Outcome(verdict, error, _REMEDY[verdict], retry_after(answer, now))
    return _by_status(answer, now, error, "check base_url")


def judge_hook(answer: HttpAnswer, now: datetime) -> Outcome:
    """An answer of an incoming webhook: ``ok`` or an error as plain text. No reference comes with it."""
    text = _word(answer.body[:100].decode(errors="replace").strip())
    if text == "ok" and answer.status == _HTTP_OK:
        return Outcome(Verdict.OK, "ok")
    if (verdict := _HOOK_ERRORS.get(text) or _verdict(text)) is not None:
        return Outcome(verdict, text, _HOOK_REMEDY.get(verdict, _REMEDY[verdict]), retry_after(answer, now))
    return _by_status(answer, now, text, _HOOK_REMEDY[Verdict.DESTINATION_BROKEN])


def judge_hook_probe(answer: HttpAnswer, now: datetime) -> Outcome:
    """An answer to a post without any text: that the text is missed proves the address, and posts nothing."""
    outcome = judge_hook(answer, now)
    if outcome.code in _MISSED_TEXT:
        return Outcome(Verdict.OK, outcome.code)
    return outcome


def _by_status(answer: HttpAnswer, now: datetime, error: str, where: str) -> Outcome:
    outcome = judge_status(answer, now)
    if outcome.verdict is Verdict.OK:
        code = error if error not in {"", "ok"} else "not_slack"
        return Outcome(Verdict.RETRY, code, "an answer that Slack does not document", outcome.retry_after)
    if answer.status == _NOT_FOUND:
        outcome = replace(outcome, verdict=Verdict.DESTINATION_BROKEN, detail=where)
    return replace(outcome, code=error or outcome.code)


def _verdict(error: str) -> Verdict | None:
    if error.startswith("restricted_action"):
        return Verdict.TARGET_GONE
    return next((verdict for verdict, errors in _ERRORS.items() if error in errors), None)


def _word(value: object) -> str:
    return value if isinstance(value, str) and _WORD.fullmatch(value) else ""


def _reference(body: Mapping[str, Any]) -> dict[str, str] | None:
    channel, ts = body.get("channel"), body.get("ts")
    return {"channel": channel, "ts": ts} if isinstance(channel, str) and isinstance(ts, str) else None


def _body(answer: HttpAnswer) -> Mapping[str, Any]:
    try:
        body = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


_ERRORS: Mapping[Verdict, frozenset[str]] = {
    Verdict.THROTTLED: frozenset({"ratelimited", "rate_limited"}),
    # "Some aspect of the operation may have succeeded."
    Verdict.AMBIGUOUS: frozenset({"internal_error", "fatal_error"}),
    Verdict.RETRY: frozenset(
        {"external_channel_migrating", "request_timeout", "service_unavailable", "team_added_to_org"}
    ),
    Verdict.DESTINATION_BROKEN: frozenset(
        {
            "access_denied",
            "accesslimited",
            "account_inactive",
            "deprecated_endpoint",
            "ekm_access_denied",
            "enterprise_is_restricted",
            "invalid_auth",
            "method_deprecated",
            "missing_scope",
            "not_allowed_token_type",
            "not_authed",
            "org_login_required",
            "team_access_not_granted",
            "token_expired",
            "token_revoked",
            "two_factor_setup_required",
        }
    ),
    Verdict.TARGET_GONE: frozenset(
        {
            "message_limit_exceeded",
            "messages_tab_disabled",
            "no_permission",
            "user_not_found",
            *ROOM_GONE,
            *RECREATE,
        }
    ),
    Verdict.CONTENT_REJECTED: frozenset(
        {
            "invalid_arguments",
            "invalid_blocks",
            "invalid_blocks_format",
            "invalid_metadata_format",
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
_MISSED_TEXT = frozenset({"missing_text_or_fallback_or_attachments", "no_text"})
_HOOK_ERRORS: Mapping[str, Verdict] = {
    "action_prohibited": Verdict.DESTINATION_BROKEN,
    "channel_is_archived": Verdict.TARGET_GONE,
    "invalid_payload": Verdict.CONTENT_REJECTED,
    "invalid_token": Verdict.DESTINATION_BROKEN,
    "missing_text_or_fallback_or_attachments": Verdict.CONTENT_REJECTED,
    "no_active_hooks": Verdict.DESTINATION_BROKEN,
    "no_service": Verdict.DESTINATION_BROKEN,
    "no_service_id": Verdict.DESTINATION_BROKEN,
    "no_team": Verdict.DESTINATION_BROKEN,
    "posting_to_general_channel_denied": Verdict.TARGET_GONE,
    "rollup_error": Verdict.RETRY,
    "team_disabled": Verdict.DESTINATION_BROKEN,
}
"""What only incoming webhooks say; they share some values with the Web API."""
_HOOK_REMEDY = {
    Verdict.DESTINATION_BROKEN: "Slack refuses webhook_url: make a new incoming webhook for the app",
    Verdict.TARGET_GONE: "the webhook's channel takes no more messages: make one for another channel",
}
