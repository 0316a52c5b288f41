"""What machines may do, by the configuration alone: tables and properties, no clock, no database."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.domain.automation import (
    LIVE,
    RUN_MOVES,
    CommandRule,
    Policy,
    RunMoveError,
    RunState,
    check_move,
    opening,
    place_of,
    subject_of,
)
from incidentd.domain.runbook import Action, Kind, Run, Step
from incidentd.domain.severity import Severity

POLICY = Policy(
    enabled=True,
    commands={"look": CommandRule(changes=False), "restart": CommandRule(cooldown=timedelta(minutes=5))},
    hosts=("api.example.com", "[::1]:8080", "10.0.0.7:9000"),
    prometheus=("main", "other"),
)


def command(name: str, run: Run = Run.AUTO, *when: Severity) -> Action:
    return Action(Kind.COMMAND, run, when=when, attributes={"command": name})


def http(url: str, method: str = "GET") -> Action:
    return Action(Kind.HTTP, Run.AUTO, attributes={"url": url, "method": method})


PROMQL = Action(Kind.PROMQL, Run.AUTO, attributes={"query": "up", "source": None})
SILENCE = Action(Kind.SILENCE, Run.APPROVE, attributes={"duration": "1h", "matchers": []})
NOTIFY = Action(Kind.NOTIFY, Run.AUTO, attributes={"channels": ["chat"], "message": "x"})


@pytest.mark.parametrize(
    ("action", "changes"),
    [
        (command("look"), False),
        (command("restart"), True),
        (command("unknown"), True),
        (http("http://api.example.com"), False),
        (http("http://api.example.com", "POST"), True),
        (PROMQL, False),
        (SILENCE, True),
        (NOTIFY, False),
    ],
)
def test_what_may_change_something_needs_a_person(action: Action, changes: bool) -> None:
    assert POLICY.changes(action) is changes
    [planned] = (
        opening([Step(1, "x", action)], Severity.CRITICAL, POLICY) if not POLICY.refusal(action) else [None]
    )
    if planned is not None:
        assert planned.state is (
            RunState.OFFERED if changes or action.run is Run.APPROVE else RunState.QUEUED
        )


def test_the_opening_begins_what_fits_and_nothing_when_it_is_off() -> None:
    steps = [
        Step(1, "for a person"),
        Step(2, "look", command("look")),
        Step(3, "when asked", command("look", Run.MANUAL)),
        Step(4, "agree", command("restart", Run.APPROVE)),
        Step(5, "only critical", command("look", Run.AUTO, Severity.CRITICAL)),
        Step(6, "not configured", command("unknown")),
        Step(7, "not allowed", http("http://elsewhere.example.com/")),
    ]
    found = [(each.number, each.state.value) for each in opening(steps, Severity.WARNING, POLICY)]
    assert found == [(2, "queued"), (4, "offered")]
    assert [each.number for each in opening(steps, Severity.CRITICAL, POLICY)] == [2, 4, 5]
    assert list(opening(steps, Severity.CRITICAL, Policy(commands=POLICY.commands))) == []


@pytest.mark.parametrize(
    ("url", "place", "allowed"),
    [
        ("http://api.example.com/x?y", "api.example.com:80", True),
        ("https://API.example.com", "api.example.com:443", True),
        ("http://api.example.com:81/", "api.example.com:81", True),
        ("http://api.example.com.evil.example/", "api.example.com.evil.example:80", False),
        ("http://evil.example/api.example.com", "evil.example:80", False),
        ("http://[::1]:8080/", "[::1]:8080", True),
        ("http://[::1]/", "[::1]:80", False),
        ("http://10.0.0.7:9000/", "10.0.0.7:9000", True),
        ("http://10.0.0.7/", "10.0.0.7:80", False),
    ],
)
def test_hosts_are_compared_as_they_are_dialled(url: str, place: str, *, allowed: bool) -> None:
    assert (place_of(url), POLICY.allows(url)) == (place, allowed)


@pytest.mark.parametrize(
    ("policy", "action", "said"),
    [
        (Policy(), PROMQL, "automation.enabled is not set"),
        (POLICY, command("unknown"), "automation.commands has no unknown"),
        (POLICY, http("http://x.example"), "automation.http_hosts does not have x.example:80"),
        (Policy(enabled=True), PROMQL, "no server to ask"),
        (POLICY, Action(Kind.PROMQL, attributes={"query": "up", "source": "third"}), "has no third"),
        (POLICY, SILENCE, ""),
        (POLICY, command("look"), ""),
    ],
)
def test_what_is_not_configured_is_refused_with_the_key(policy: Policy, action: Action, said: str) -> None:
    assert (said in policy.refusal(action), bool(policy.refusal(action))) == (True, bool(said))


def test_a_second_person_is_for_what_changes_something() -> None:
    two = Policy(
        enabled=True, two_people=True, commands={"a": CommandRule(two_people=False), **POLICY.commands}
    )
    wanted = {"restart": True, "look": False, "a": False}
    assert {name: two.needs_two(command(name)) for name in wanted} == wanted
    assert (two.needs_two(SILENCE), POLICY.needs_two(SILENCE), two.needs_two(PROMQL)) == (True, False, False)


@given(st.sampled_from(RunState), st.sampled_from(RunState))
def test_only_the_table_s_moves_are_possible_and_ends_are_ends(before: RunState, after: RunState) -> None:
    if after in RUN_MOVES.get(before, ()):
        check_move(before, after)
    else:
        with pytest.raises(RunMoveError, match="cannot be"):
            check_move(before, after)
    assert before in LIVE or before not in RUN_MOVES


def test_what_a_step_works_on_and_how_long_it_rests() -> None:
    assert (subject_of(PROMQL), subject_of(SILENCE), subject_of(command("look"))) == ("", "", "look")
    assert POLICY.cooldown(command("restart")) == timedelta(minutes=5)
