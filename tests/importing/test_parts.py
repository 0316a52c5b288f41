"""Steps, routes, people and overrides of Grafana OnCall, one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from incidentd.importing import as_text, as_yaml
from incidentd.importing.expressions import Unsayable, regex, template
from incidentd.importing.report import Outcome
from tests.importing.support import GIVEN, entry, imported, loaded, shift, team

CHAIN = {
    "users": [{"id": "A", "username": "alice"}, {"id": "B", "username": "bob"}],
    "escalation_chains": [{"id": "F", "name": "Primary"}],
}


def _steps(*steps: dict[str, Any], **channels: str) -> Any:
    numbered = [{"id": f"E{n}", "escalation_chain_id": "F", "position": n, **s} for n, s in enumerate(steps)]
    return imported({**CHAIN, "escalation_policies": numbered}, channels)


def _tell(*users: str) -> dict[str, Any]:
    return {"type": "notify_persons", "persons_to_notify": list(users), "important": False}


def test_waits_add_up_before_the_step_that_follows() -> None:
    wait = {"type": "wait", "duration": 300}
    found = _steps(wait, wait, _tell("A"), {"type": "wait"}, _tell("B"))
    steps = found.config["escalation"]["primary"]["steps"]
    assert steps == [{"after": "10m", "notify": ["user:alice"]}, {"after": "5m", "notify": ["user:bob"]}]


def test_a_repeat_is_five_more_rounds_and_what_follows_it_the_last_resort() -> None:
    found = _steps(_tell("A"), {"type": "wait", "duration": 900}, {"type": "repeat_escalation"}, _tell("B"))
    policy = found.config["escalation"]["primary"]
    assert policy["steps"] == [{"after": "0s", "notify": ["user:alice"]}]
    assert (policy["repeat"], policy["repeat_after"], policy["last_resort"]) == (5, "15m", ["user:bob"])


def test_hours_hold_for_all_steps_that_follow() -> None:
    hours = {
        "type": "notify_if_time_from_to",
        "notify_if_time_from": "22:00:00Z",
        "notify_if_time_to": "06:00:00Z",
    }
    steps = _steps(_tell("A"), hours, _tell("B")).config["escalation"]["primary"]["steps"]
    assert "hours" not in steps[0]
    assert steps[1]["hours"] == {"time_zone": "Etc/UTC", "from": "22:00", "to": "06:00"}


def test_nothing_follows_a_resolve_and_an_unknown_step_is_told_of() -> None:
    found = _steps(_tell("A"), {"type": "call_the_moon"}, {"type": "resolve"}, _tell("B"))
    assert len(found.config["escalation"]["primary"]["steps"]) == 1
    assert (
        entry(found, "E1").reason
        == "a step of type call_the_moon is not known to this version of the importer"
    )
    assert entry(found, "E3").outcome is Outcome.DROPPED


def test_a_group_is_told_over_the_channel_that_stands_for_it() -> None:
    group = {"type": "notify_user_group", "group_to_notify": "G1", "important": True}
    assert "escalation" not in _steps(group).config
    assert "say --channel G1=NAME" in entry(_steps(group), "E0").reason
    found = _steps(group, G1="hook")
    assert found.config["escalation"]["primary"]["steps"][0]["notify"] == ["channel:hook"]


@pytest.mark.parametrize(
    ("text", "matchers"),
    [
        ('{{ payload.labels.severity == "critical" }}', [['severity="critical"']]),
        ("{{- 'critical' == payload['labels']['severity'] -}}", [['severity="critical"']]),
        ('{{ payload.labels.env != "dev" }}', [['env!="dev"']]),
        ('{{ payload.labels.a == "1" and not payload.labels.b == "2" }}', [['a="1"', 'b!="2"']]),
        ('{{ not (payload.labels.a == "1" or payload.labels.b == "2") }}', [['a!="1"', 'b!="2"']]),
        ('{{ payload.labels.a == "1" or payload.labels.b == "2" }}', [['a="1"'], ['b="2"']]),
        ('{{ payload.labels.team in ["db", "a.b"] }}', [[r'team=~"db|a\\.b"']]),
        ('{{ "api" in payload.labels.job }}', [['job=~"(?s:.*api.*)"']]),
        ("{{ true }}", [[]]),
    ],
)
def test_a_template_of_comparisons_becomes_matchers(text: str, matchers: list[list[str]]) -> None:
    found = template(text)
    assert [[str(each) for each in one] for one in found.alternatives] == matchers
    assert found.differs == ""


@pytest.mark.parametrize(
    "text",
    [
        "{{ payload.title == 'x' }}",
        "{{ payload.labels.a }}",
        "{{ payload.labels.a == '' }}",
        "{{ payload.labels.a > '5' }}",
        "{{ payload.labels.a | lower == 'x' }}",
        "{{ payload.labels.a == payload.labels.b }}",
        "{{ payload.labels.a == 'x' }} or so",
        "{% if payload.labels.a == 'x' %}true{% endif %}",
        "{{ 1 < payload.labels.a < 2 }}",
        "{{ oops",
        "never",
        "{{ " + "not " * 5000 + "payload.labels.a == 'x' }}",
    ],
)
def test_a_template_that_matchers_cannot_say_is_refused(text: str) -> None:
    with pytest.raises(Unsayable):
        template(text)


def test_a_condition_that_is_kept_as_a_comment_stays_one(tmp_path: Path) -> None:
    hostile = "x\n\u2028route: {notify: []}\x1b[2J"
    route = {"id": "R\nroute: 1", "integration_id": "C", "routing_regex": hostile, "position": 0}
    export = {"integrations": [{"id": "C", "name": "c", "type": "alertmanager"}], "routes": [route]}
    found = imported({**CHAIN, **export})
    assert "\x1b" not in as_text(found.report) + as_yaml(found.config, found.report)
    assert loaded(found, tmp_path).route.routes == ()


def test_labels_of_the_group_are_approximated() -> None:
    assert "a whole group" in template('{{ payload.commonLabels.severity == "critical" }}').differs


@pytest.mark.parametrize(
    ("text", "matcher"),
    [
        ('"severity": "critical"', 'severity="critical"'),
        (r"\"severity\":\s*\"critical\"", 'severity="critical"'),
        ('"severity": "(critical|page)"', 'severity=~"(critical|page)"'),
    ],
)
def test_an_expression_for_one_label_is_approximated(text: str, matcher: str) -> None:
    found = regex(text)
    assert [str(each) for each in found.alternatives[0]] == [matcher]
    assert "anywhere in the payload" in found.differs


@pytest.mark.parametrize("text", ["us-(east|west)", "severity=critical", '"a": "[^"]*"', "("])
def test_an_expression_for_the_whole_payload_is_refused(text: str) -> None:
    with pytest.raises(Unsayable):
        regex(text)


def _rules(*types: tuple[str, bool]) -> dict[str, Any]:
    user = {"id": "A", "username": "alice", "email": "a@example.com"}
    rules = [
        {"id": f"N{n}", "user_id": "A", "position": n, "type": kind, "important": important, "duration": 120}
        for n, (kind, important) in enumerate(types)
    ]
    return {"users": [user], "personal_notification_rules": rules}


def test_rules_of_both_kinds_become_contacts_of_both_urgencies() -> None:
    export = _rules(("notify_by_sms", True), ("wait", False), ("notify_by_telegram", False))
    assert imported(export, GIVEN).config["users"]["alice"]["contact"] == [
        {"channel": "hook", "urgency": "high"},
        {"channel": "hook", "after": "2m", "urgency": "low"},
    ]


def test_somebody_is_never_left_without_a_contact_for_one_urgency() -> None:
    found = imported(_rules(("notify_by_sms", False), ("notify_by_phone_call", True)), {"sms": "hook"})
    assert found.config["users"]["alice"]["contact"] == [{"channel": "hook"}]


def test_an_address_that_our_configuration_refuses_is_left_out(tmp_path: Path) -> None:
    user = {"id": "U1", "username": "alice", "email": "no address", "slack": {"user_id": 7}}
    found = imported({"users": [user]})
    assert found.config["users"] == {"alice": {"name": "alice"}}
    assert loaded(found, tmp_path).users["alice"].email is None


def test_names_that_are_no_slugs_or_the_same_are_given_their_own() -> None:
    names = ["Ünal Öz", "source", "a@x.org", "a@y.org", "日本"]
    found = imported({"users": [{"id": f"U{n}", "username": name} for n, name in enumerate(names)]})
    assert list(found.config["users"]) == ["unal-oz", "source-2", "a", "a-2", "u4"]


def test_shifts_of_one_level_that_overlap_are_told_of() -> None:
    rule = {"frequency": "daily", "interval": 1}
    one = shift("recurrent_event", "2026-01-01T08:00:00", 4, users=["A"], **rule)
    other = {**shift("recurrent_event", "2026-01-01T11:00:00", 4, users=["B"], **rule), "id": "O2"}
    found = imported(team(one, other))
    assert "overlap OnCall tells both" in entry(found, "O1").reason
    assert entry(found, "O2").outcome is Outcome.APPROXIMATED
    apart = imported(team(one, {**other, "start": "2026-01-01T12:00:00"}))
    assert entry(apart, "O1").outcome is entry(apart, "O2").outcome is Outcome.MAPPED


@pytest.mark.parametrize("more", [{"frequency": "monthly"}, {"by_month": [1]}, {"by_monthday": [-1]}])
def test_months_are_never_taken_for_weeks(more: dict[str, Any]) -> None:
    rule = {"frequency": "daily", "interval": 1, "users": ["A"], **more}
    found = imported(team(shift("recurrent_event", "2026-01-01T08:00:00", 4, **rule)))
    assert entry(found, "O1").outcome is Outcome.DROPPED
    assert found.config["schedules"]["duty"]["layers"] == []


def test_an_override_is_a_command_and_names_nobody_twice_at_once() -> None:
    ahead = shift("override", "2026-12-24T18:00:00", 3, users=["A"])
    found = imported(team(ahead, kind="web"))
    assert found.report.commands == (
        "incidentctl override add duty a 2026-12-24T17:00:00Z 2026-12-24T20:00:00Z -m Shift",
    )
    assert entry(imported(team({**ahead, "start": "2026-01-01T00:00:00"})), "O1").reason == "it is over"
    assert "names nobody" in entry(imported(team({**ahead, "users": []})), "O1").reason
