"""Commands about telling people: what was given up and what to do about it, another try, how channels are doing."""

from __future__ import annotations

import pytest
from aiohttp import web

from incidentd.cli.ctl_deliveries import REMEDIES
from incidentd.domain.notification import DeliveryState, Verdict
from tests.cli.conftest import Run
from tests.cli.fake_server import FakeServer, delivery, problem

CHANNEL = {
    "name": "ops",
    "kind": "slack",
    "state": "broken",
    "since": "2026-11-21T08:00:00Z",
    "paused_until": "2026-11-21T08:05:00Z",
    "failures": 3,
    "last_error": "invalid_auth: the token is refused",
    "oldest_page_at": "2026-11-21T08:01:00Z",
    "targets": ["#ops"],
    "fallback": ["mail", "pager"],
}


def test_what_was_given_up_is_listed_with_why_and_remedy_and_how_to_retry(
    run: Run, server: FakeServer
) -> None:
    refused = delivery(57, state="dead", last_outcome="destination_broken", reason="invalid_auth: refused")
    orphan = delivery(58, state="dead", attempts=0, reason="channel x is not configured any more")
    server.answers["/api/v1/deliveries"] = server.page([refused, orphan])
    result = run("deliveries", "--dead", "--channel", "console", "--incident", "12")
    heading, first, second = result.stdout.splitlines()
    assert heading.split()[-2:] == ["WHY", "REMEDY"]
    assert "  invalid_auth: refused  " in first
    assert first.endswith("mend the channel's credentials or address, reload, retry")
    assert second.endswith("channel x is not configured any more  configure the channel again, retry")
    assert result.stderr == "to send them again: incidentctl deliveries retry 57 58\n"
    [(_, url, _)] = server.requests
    assert url == "/api/v1/deliveries?state=dead&channel=console&incident=12"
    assert run("deliveries", "--dead", "--json").stderr == ""


def test_every_outcome_and_state_that_the_daemon_knows_is_known_here(run: Run) -> None:
    assert set(REMEDIES) == set(Verdict)
    assert all(f"|{state}" in run("deliveries", "--help").stdout for state in list(DeliveryState)[1:])


def test_a_waiting_delivery_shows_when_it_is_tried_again_and_who_was_told_instead(
    run: Run, server: FakeServer
) -> None:
    waiting = delivery(state="pending", attempts=3, next_attempt_at="2026-11-21T08:05:00Z", fell_back=True)
    stand_in = delivery(58, fallback_of=57)
    rider = delivery(59, bundled_in=58)
    server.answers["/api/v1/deliveries"] = server.page([waiting | {"last_error": "timeout"}, stand_in, rider])
    result = run("deliveries")
    _, first, second, third = result.stdout.splitlines()
    assert first.endswith("2026-11-21 08:05 (in 1 min)  timeout; fell back")
    assert second.endswith("in place of 57")
    assert third.endswith("in the message of 58")
    assert result.stderr == ""


def test_what_waits_for_the_digest_says_so_and_until_when(run: Run, server: FakeServer) -> None:
    due = "2099-01-01T00:00:00Z"
    line = delivery(57, notice="digest", state="pending", attempts=0, next_attempt_at=due, created_at=due)
    server.answers["/api/v1/deliveries"] = server.page([line])
    heading, row = run("deliveries").stdout.splitlines()
    assert row.endswith("  waits for the digest")
    assert row[heading.index("NEXT") :].startswith("2099-01-01")
    assert row.count("2099-01-01") == 1, "it was written before, and counts as created only then"


def test_several_are_retried_and_the_worst_failure_is_the_exit_code(run: Run, server: FakeServer) -> None:
    server.answers["/api/v1/deliveries/57/retry"] = lambda: web.json_response(delivery(57, state="pending"))
    server.answers["/api/v1/deliveries/58/retry"] = lambda: problem(
        409, "refused", "a newer message was sent"
    )
    result = run("deliveries", "retry", "57", "58", "57")
    assert (result.exit_code, result.stdout) == (1, "delivery 57 to console: pending\n")
    assert result.stderr.startswith("delivery 58: ")
    assert "a newer message was sent" in result.stderr
    assert len(server.requests) == 2
    assert run("deliveries", "retry", "57", "99").exit_code == 5
    assert run("deliveries", "retry").exit_code == 2


@pytest.mark.parametrize("token", [None, "wrong"])
def test_a_retry_without_credentials_is_not_authorised(
    run: Run, server: FakeServer, token: str | None
) -> None:
    server.token = "right"
    extra = {} if token is None else {"INCIDENTD_TOKEN": token}
    assert run("deliveries", "retry", "57", extra=extra).exit_code == 4


def test_channels_show_their_state_and_who_stands_in(run: Run, server: FakeServer) -> None:
    server.answers["/api/v1/channels"] = server.page([CHANNEL])
    heading, row = run("channels").stdout.splitlines()
    assert heading.startswith("CHANNEL  KIND   STATE   SINCE")
    assert row.startswith(
        "ops      slack  broken  2026-11-21 08:00 (4 min ago)  2026-11-21 08:05 (in 1 min)  3"
    )
    assert row.endswith("#ops     mail, pager  invalid_auth: the token is refused")
