"""Every error of Slack has its class."""

from __future__ import annotations

import orjson
import pytest

from incidentd.channels.base import HttpAnswer
from incidentd.channels.slack_answers import judge, judge_hook, judge_hook_probe
from incidentd.domain.notification import Verdict
from tests.channels.support import NOW

ERRORS = {
    Verdict.RETRY: "service_unavailable request_timeout team_added_to_org external_channel_migrating"
    " something_new",
    Verdict.THROTTLED: "ratelimited rate_limited",
    Verdict.AMBIGUOUS: "internal_error fatal_error",
    Verdict.DESTINATION_BROKEN: "invalid_auth not_authed account_inactive token_revoked token_expired"
    " missing_scope not_allowed_token_type org_login_required ekm_access_denied access_denied"
    " team_access_not_granted accesslimited deprecated_endpoint enterprise_is_restricted method_deprecated"
    " two_factor_setup_required",
    Verdict.TARGET_GONE: "channel_not_found not_in_channel is_archived restricted_action no_permission"
    " restricted_action_read_only_channel messages_tab_disabled user_not_found message_limit_exceeded"
    " message_not_found cant_update_message edit_window_closed thread_not_found cannot_reply_to_message"
    " invalid_thread_ts is_inactive",
    Verdict.CONTENT_REJECTED: "invalid_blocks invalid_blocks_format msg_blocks_too_long msg_too_long"
    " too_many_attachments metadata_too_large no_text invalid_arguments invalid_metadata_format",
    Verdict.OK: "already_reacted no_reaction",
}
HOOK_ERRORS = {
    (400, "invalid_payload"): Verdict.CONTENT_REJECTED,
    (400, "invalid_blocks"): Verdict.CONTENT_REJECTED,
    (400, "invalid_blocks_format"): Verdict.CONTENT_REJECTED,
    (400, "no_text"): Verdict.CONTENT_REJECTED,
    (400, "missing_text_or_fallback_or_attachments"): Verdict.CONTENT_REJECTED,
    (400, "user_not_found"): Verdict.TARGET_GONE,
    (400, "something_new"): Verdict.CONTENT_REJECTED,
    (403, "action_prohibited"): Verdict.DESTINATION_BROKEN,
    (403, "invalid_token"): Verdict.DESTINATION_BROKEN,
    (403, "posting_to_general_channel_denied"): Verdict.TARGET_GONE,
    (403, "team_disabled"): Verdict.DESTINATION_BROKEN,
    (404, "channel_not_found"): Verdict.TARGET_GONE,
    (404, "no_service"): Verdict.DESTINATION_BROKEN,
    (404, "no_service_id"): Verdict.DESTINATION_BROKEN,
    (404, "no_active_hooks"): Verdict.DESTINATION_BROKEN,
    (404, "no_team"): Verdict.DESTINATION_BROKEN,
    (404, "<html>nothing here</html>"): Verdict.DESTINATION_BROKEN,
    (410, "channel_is_archived"): Verdict.TARGET_GONE,
    (410, "something_new"): Verdict.DISABLED,
    (429, "rate_limited"): Verdict.THROTTLED,
    (429, ""): Verdict.THROTTLED,
    (500, "rollup_error"): Verdict.RETRY,
    (503, ""): Verdict.RETRY,
    (302, ""): Verdict.DESTINATION_BROKEN,
    (200, "<html>proxy</html>"): Verdict.RETRY,
    (200, ""): Verdict.RETRY,
    (502, "ok"): Verdict.RETRY,
    (200, "ok"): Verdict.OK,
}


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
        (HttpAnswer(429, {}, b'{"ok":false,"error":"ratelimited"}'), Verdict.THROTTLED),
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


@pytest.mark.parametrize(("answer", "verdict"), HOOK_ERRORS.items())
def test_every_answer_of_an_incoming_webhook_has_its_verdict(
    answer: tuple[int, str], verdict: Verdict
) -> None:
    status, text = answer
    outcome = judge_hook(HttpAnswer(status, {}, text.encode()), NOW)
    assert outcome.verdict is verdict
    assert outcome.reference is None
    assert outcome.code


def test_retry_after_is_kept() -> None:
    for judged in (judge, judge_hook):
        outcome = judged(HttpAnswer(429, {"retry-after": "30"}, b"rate_limited"), NOW)
        assert outcome.retry_after is not None
        assert outcome.retry_after.total_seconds() == 30


@pytest.mark.parametrize("echo", ["xoxb-SECRET", "https://hooks.slack.com/services/T0/B0/SECRET", "x" * 200])
def test_only_words_that_slack_could_have_written_are_repeated(echo: str) -> None:
    answers = (
        HttpAnswer(400, {}, orjson.dumps({"ok": False, "error": echo})),
        HttpAnswer(400, {}, echo.encode()),
    )
    shown = [repr(judge(answers[0], NOW)), repr(judge_hook(answers[1], NOW))]
    assert not any(echo in text for text in shown)


@pytest.mark.parametrize(
    ("status", "text", "verdict"),
    [
        (400, "no_text", Verdict.OK),
        (400, "missing_text_or_fallback_or_attachments", Verdict.OK),
        (200, "ok", Verdict.OK),
        (404, "no_service", Verdict.DESTINATION_BROKEN),
        (500, "", Verdict.RETRY),
    ],
)
def test_a_webhook_that_misses_the_text_is_there(status: int, text: str, verdict: Verdict) -> None:
    assert judge_hook_probe(HttpAnswer(status, {}, text.encode()), NOW).verdict is verdict
