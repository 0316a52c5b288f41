"""Slack's buttons: only what Slack signed gets in, once; only users act; what could not be done is said."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from slack_sdk.signature import SignatureVerifier

from incidentd.domain.incident import State
from incidentd.ingest.slack import genuine, in_window
from tests.web.conftest import Start
from tests.web.slack_world import (
    BOB,
    COMMANDS,
    INTERACTIONS,
    MALLORY,
    SECRET,
    Workspace,
    click_of,
    command_of,
    workspace,
)

CLICK = urlencode({"payload": json.dumps(click_of("acknowledge", "1"))}).encode()


@pytest.fixture
async def office(start: Start) -> AsyncIterator[Workspace]:
    async with workspace(start) as opened:
        await opened.fires()
        yield opened


# -- who gets in ------------------------------------------------------------------------------------------------------
def test_slacks_own_library_and_ours_agree_on_what_is_genuine() -> None:
    for body in (b"", CLICK, "payload=ä%20🔥".encode()):
        for secret in (SECRET, "x" * 40):
            told = SignatureVerifier(secret).generate_signature(timestamp="1700000000", body=body) or ""
            assert genuine("1700000000", body, told, ["other", secret]) == 1
            for timestamp, changed, signature in (
                ("1700000001", body, told),
                ("1700000000", body + b" ", told),
                ("1700000000", body, told[:-1]),
                ("1700000000", body, told.upper()),
                ("1700000000", body, ""),
                ("1700000000", body, "v0=\udcff"),
            ):
                assert genuine(timestamp, changed, signature, ["other", secret]) is None


@pytest.mark.parametrize(
    ("timestamp", "taken"),
    [
        (-301, False), (-300, True), (-299, True), (0, True), (299, True), (300, True), (301, False),
    ],
)  # fmt: skip
def test_the_window_is_five_minutes_to_either_side(timestamp: int, taken: bool) -> None:
    now = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
    assert in_window(str(int(now.timestamp()) + timestamp), now) is taken
    for odd in ("", "1e9", "+1795255200", " 1795255200", "1795255200.0", "\u0661", "9" * 400):
        assert not in_window(odd, now)


@pytest.mark.parametrize(("age", "status"), [(299, 200), (-299, 200), (301, 401), (-303, 401)])
async def test_a_request_is_taken_within_five_minutes_of_its_time_stamp(
    office: Workspace, age: int, status: int
) -> None:
    answer, _ = await office.post(INTERACTIONS, CLICK, office.signed(CLICK, age))
    assert answer.status == status
    assert (await office.incident())["state"] == ("acknowledged" if status == 200 else "triggered")


@pytest.mark.parametrize("path", [INTERACTIONS, COMMANDS])
async def test_what_slack_did_not_sign_is_401_without_a_reason(office: Workspace, path: str) -> None:
    good = office.signed(CLICK)
    for body, headers in (
        (CLICK, office.signed(CLICK, secret="another-secret")),
        (CLICK + b"&x=1", good),
        (CLICK, {**good, "X-Slack-Signature": "v0="}),
        (CLICK, {**good, "X-Slack-Signature": good["X-Slack-Signature"][3:]}),
        (CLICK, {**good, "X-Slack-Request-Timestamp": "soon"}),
        (CLICK, {**good, "X-Slack-Request-Timestamp": "-5"}),
        (CLICK, {"Content-Type": good["Content-Type"]}),
    ):
        answer, problem = await office.post(path, body, headers)
        assert answer.status == 401
        assert problem["detail"] == "a valid signature is needed"
    assert office.daemon.sample("security_events_total", event_type="sig_fail", severity="warning") == 7
    assert (await office.incident())["state"] == "triggered"


async def test_without_a_signing_secret_nothing_is_genuine(start: Start) -> None:
    async with workspace(start, token="xoxb-other") as office:
        answer, _ = await office.post(INTERACTIONS, CLICK)
        assert answer.status == 401


async def test_a_request_that_came_before_is_refused(office: Workspace) -> None:
    headers = office.signed(CLICK)
    assert (await office.post(INTERACTIONS, CLICK, headers))[0].status == 200
    assert (await office.post(INTERACTIONS, CLICK, headers))[0].status == 401
    assert (await office.post(INTERACTIONS, CLICK))[0].status == 401
    assert office.daemon.sample("security_events_total", event_type="replay", severity="warning") == 2


async def test_bodies_are_forgotten_after_ten_minutes(office: Workspace) -> None:
    assert (await office.post(INTERACTIONS, CLICK))[0].status == 200
    office.daemon.clock.ahead += timedelta(minutes=10)
    assert (await office.post(INTERACTIONS, CLICK))[0].status == 200


async def test_each_of_several_signing_secrets_is_tried(start: Start) -> None:
    async with workspace(start) as office:
        config = office.daemon.context.config
        ops = config.channels["ops"]
        other = type(ops).model_validate(
            {**ops.model_dump(exclude_unset=True), "signing_secret": "first" * 8}
        )
        office.daemon.context.config = config.model_copy(update={"channels": {"first": other, "ops": ops}})
        await office.fires()
        assert (await office.click("acknowledge"))[0].status == 200
        assert (await office.incident())["acknowledged_by"] == "alice"


async def test_a_large_body_is_taken_and_a_larger_one_is_not(office: Workspace) -> None:
    message = {"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 200_000}}]}
    assert (await office.click("acknowledge", message=message))[0].status == 200
    assert (await office.incident())["state"] == "acknowledged"
    message["blocks"] *= 2
    assert (await office.click("resolve", message=message))[0].status == 413


@pytest.mark.parametrize(
    "body",
    [b"", b"payload=", b"payload={", b"payload=[]", b"payload=3", b"payload=%ff", b"a&" * 100],
)
async def test_a_signed_body_that_is_no_click_is_400(office: Workspace, body: bytes) -> None:
    answer, _ = await office.post(INTERACTIONS, body)
    assert answer.status == 400


# -- what is done -----------------------------------------------------------------------------------------------------
async def test_a_button_acts_under_the_users_name_and_the_answer_is_empty(office: Workspace) -> None:
    answer, data = await office.click("acknowledge")
    assert (answer.status, data) == (200, b"")
    found = await office.incident()
    assert (found["state"], found["acknowledged_by"]) == ("acknowledged", "alice")
    assert [change.incident.state for change in office.daemon.changes][-1] is State.ACKNOWLEDGED
    await office.click("snooze", user=BOB)
    assert (await office.incident())["snoozed_until"] is not None
    assert (await office.timeline())[1:] == ["acknowledged alice", "snoozed bob"]
    assert office.slack.said == []


async def test_clicking_twice_changes_nothing_and_says_so(office: Workspace) -> None:
    await office.click("acknowledge", user=BOB)
    await office.click("acknowledge")
    assert await office.said() == "INC-1 is acknowledged already by bob. Nothing was changed."
    for _ in range(2):
        await office.click("snooze")
    assert await office.said(2) == "INC-1 is snoozed already. Nothing was changed."
    assert (await office.timeline())[1:] == ["acknowledged bob", "snoozed alice"]
    assert office.counted("acknowledge", "done") == office.counted("acknowledge", "already") == 1


async def test_resolving_while_alerts_fire_is_refused_with_the_count_and_the_way_to_force_it(
    office: Workspace,
) -> None:
    await office.click("resolve")
    told = await office.said()
    assert "INC-1 still has 1 firing alert(s)" in told
    assert "`/incident resolve INC-1 --force`" in told
    assert (await office.incident())["state"] == "triggered"


async def test_an_incident_that_is_over_is_refused(office: Workspace) -> None:
    await office.command("resolve INC-1 --force")
    for place, action in enumerate(("acknowledge", "snooze"), start=1):
        await office.click(action)
        assert "INC-1 is resolved" in await office.said(place)
    assert (await office.timeline())[1:] == ["resolved alice"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("99", "There is no incident INC-99"),
        ("-1", "names no incident"),
        ("1; drop", "names no incident"),
        ("", "no incident"),
    ],
)
async def test_a_value_that_was_tampered_with_finds_nothing(
    office: Workspace, value: str, words: str
) -> None:
    answer, _ = await office.click("acknowledge", value)
    assert answer.status == 200
    assert words in await office.said()
    assert (await office.incident())["state"] == "triggered"


@pytest.mark.parametrize("user", [MALLORY, "", "u0alice", "<!channel>"])
async def test_a_stranger_is_refused_and_told_how_to_be_added(office: Workspace, user: str) -> None:
    answer, _ = await office.click("acknowledge", user=user)
    assert answer.status == 200
    told = await office.said()
    assert f"slack: {MALLORY if user == MALLORY else 'U...'}" in told
    assert "<!channel>" not in told
    assert (await office.incident())["state"] == "triggered"
    assert office.counted("acknowledge", "unknown_user") == 1
    assert office.daemon.sample("security_events_total", event_type="forbidden", severity="warning") == 1


async def test_another_workspace_is_refused(start: Start) -> None:
    async with workspace(start, signing_secret=SECRET, team="T0OTHER") as office:
        await office.fires()
        await office.click("acknowledge")
        assert "workspace is not the one" in await office.said()
        assert (await office.incident())["state"] == "triggered"
        await office.click("acknowledge", team=None, enterprise={"id": "E1"})
        assert (await office.incident())["state"] == "triggered"
        await office.click("acknowledge", team={"id": "T0OTHER"})
        assert (await office.incident())["state"] == "acknowledged"


@pytest.mark.parametrize(
    "payload",
    [
        {"type": "view_submission"},
        {"type": "block_actions"},
        {
            "type": "block_actions",
            "actions": [3, {"action_id": "link"}, {"action_id": ["incidentd_resolve"]}],
        },
        {"type": "block_actions", "actions": {}, "user": 3},
    ],
)
async def test_other_interactions_are_taken_and_nothing_follows(
    office: Workspace, payload: dict[str, Any]
) -> None:
    answer, data = await office.post(INTERACTIONS, urlencode({"payload": json.dumps(payload)}).encode())
    assert (answer.status, data) == (200, b"")
    assert office.slack.said == []


# -- what cannot be done ----------------------------------------------------------------------------------------------
async def test_a_database_that_is_away_is_told_in_words_and_the_answer_is_200(office: Workspace) -> None:
    office.daemon.store.writes_fail = True
    answer, _ = await office.click("acknowledge")
    assert answer.status == 200
    told = await office.said()
    assert "nothing was changed" in told
    assert "`incidentctl ack INC-1`" in told
    assert "/var" not in told
    office.daemon.store.writes_fail = False
    await office.click("acknowledge")
    assert (await office.incident())["state"] == "acknowledged"


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.slack.com/actions/1",
        "https://hooks.slack.com.evil.example/actions/1",
        "https://hooks.slack.com@127.0.0.1/actions/1",
        "https://127.0.0.1/latest/meta-data",
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:1/actions/1",
        "file:///etc/passwd",
        "//hooks.slack.com/actions/1",
        "https://hooks.slack.com:8443/actions/1",
        "",
    ],
)
async def test_an_answer_goes_to_slack_or_nowhere(office: Workspace, url: str) -> None:
    await office.click("acknowledge", 99, response_url=url)
    await office.click("acknowledge", 98)
    assert "INC-98" in await office.said()
    assert len(office.slack.said) == 1
    assert {request.path for request in office.slack.requests} == {"/actions/T0TEAM/1/abc"}


async def test_a_command_needs_a_signature_of_its_own(office: Workspace) -> None:
    body = urlencode(command_of("ack INC-1")).encode()
    answer, _ = await office.post(COMMANDS, body, office.signed(body, secret="wrong"))
    assert answer.status == 401
    assert (await office.incident())["state"] == "triggered"
