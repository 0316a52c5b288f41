"""A replay makes the daemon's decisions, always the same ones, and says who is told differently."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from incidentd.domain.alert import Alert
from incidentd.domain.maintenance import Plan, Window
from incidentd.domain.matcher import parse_matcher
from incidentd.domain.routing import Route
from incidentd.ingest import alertmanager
from incidentd.replay import report
from incidentd.replay.recording import MadeWindow, Recording
from incidentd.replay.world import World
from incidentd.workflows.rules import Rules
from tests.replay.story import ESCALATING, acts, both, kept, recording, slower
from tests.workflows.world import RULES, at, fires, over, remembered

FIRES = kept(0, fires("a", 0, "critical"))


def paged(rules: Rules, told: Recording) -> list[tuple[float, str]]:
    """Minute and whom, under one configuration."""
    outcome, _ = both(told, rules, rules)
    return [((p.at - at(0)).total_seconds() / 60, p.person or p.channel) for p in outcome.before.pages]


def test_an_escalation_runs_while_nobody_answers() -> None:
    assert paged(ESCALATING, recording(FIRES)) == [(0, "chat"), (0, "phone"), (0, "alice"), (6, "bob")]


def test_an_acknowledgement_spares_whoever_was_to_be_told_later() -> None:
    acked = recording(FIRES, acts(5.5, "acknowledged"))
    assert paged(ESCALATING, acked) == [(0, "chat"), (0, "phone"), (0, "alice")]
    given_back = recording(FIRES, acts(1, "acknowledged"), acts(20, "unacknowledged"))
    assert paged(ESCALATING, given_back)[3:] == [(20, "chat"), (20, "phone"), (20, "alice"), (26, "bob")]


def test_a_snooze_a_resolve_and_a_reopen_are_repeated() -> None:
    snoozed = recording(
        FIRES, acts(1, "snoozed", until=at(30)), acts(31, "resolved"), acts(40, "reopened"), until=41
    )
    assert [minute for minute, _ in paged(RULES, snoozed)] == [0, 0, 30, 30, 40, 40]


def test_an_act_without_its_incident_is_counted_and_changes_nothing() -> None:
    outcome, difference = both(
        recording(FIRES, acts(1, "acknowledged")), RULES, replace(RULES, grouping=("alertname",))
    )
    assert (outcome.before.acts_missed, outcome.after.acts_missed) == (0, 1)
    assert difference.differs


def test_a_longer_wait_is_later_for_bob_alone() -> None:
    _, difference = both(recording(FIRES), ESCALATING, slower(10))
    (line,) = difference.lines
    assert (line.who, line.kind.value) == ("user:bob", "later")
    assert (line.before, line.after) == ((at(6),), (at(11),))
    _, back = both(recording(FIRES), slower(10), ESCALATING)
    assert [each.kind.value for each in back.lines] == ["earlier"]


def test_a_route_to_nobody_is_less_for_those_it_told() -> None:
    outcome, difference = both(recording(FIRES), RULES, replace(RULES, route=Route(notify=("chat",))))
    assert [(line.who, line.kind.value) for line in difference.lines] == [("channel:phone", "less")]
    totals = {total.who: (total.before, total.after, total.less) for total in difference.totals}
    assert totals == {"channel:chat": (1, 1, 0), "channel:phone": (1, 0, 1)}
    text = list(report.as_text(recording(FIRES), outcome, difference, 0))
    assert "    after:  nothing" in text


def test_what_fires_under_maintenance_is_told_when_the_window_ends() -> None:
    plan = Plan(at(0).replace(tzinfo=None), timedelta(minutes=30), "Etc/UTC", None)
    window = Window("works", (parse_matcher('service="api"'),), plan)
    quiet = replace(RULES, maintenance=(window,))
    assert [minute for minute, _ in paged(quiet, recording(FIRES))] == [30, 30]
    made = MadeWindow(window, at(0), cancelled_at=at(10))
    told = replace(recording(FIRES), windows=(made,))
    assert [minute for minute, _ in paged(RULES, told)] == [10, 10]


def test_a_stale_post_is_held_before_anybody_is_told_again() -> None:
    again = recording(FIRES, kept(1, over("a", 0, 1, "critical")), kept(2, fires("a", 0, "critical")))
    assert [minute for minute, _ in paged(RULES, again)] == [0, 0, 7, 7]


def test_a_body_that_is_no_webhook_is_left_out_and_counted() -> None:
    outcome, difference = both(recording(FIRES._replace(body=b"[]"), FIRES), RULES, RULES)
    assert (outcome.unreadable, outcome.bodies, difference.differs) == (1, 1, False)


SEVERITIES = {"a": "critical", "b": "warning", "c": "info"}
alerts = st.builds(
    lambda name, since, end: (
        fires(name, since, SEVERITIES[name])
        if end is None
        else over(name, since, since + end, SEVERITIES[name])
    ),
    st.sampled_from(sorted(SEVERITIES)),
    st.integers(0, 6),
    st.none() | st.integers(0, 3),
)
stories = st.lists(st.lists(alerts, max_size=4), max_size=8)


def told_of(story: list[list[Alert]]) -> Recording:
    events = [kept(6 * number, *body) for number, body in enumerate(story)]
    return recording(*events, acts(13, "acknowledged"), acts(20, "resolved"))


@settings(max_examples=60, database=None, deadline=None)
@given(stories)
def test_the_same_configuration_makes_no_difference_and_the_same_bytes(story: list[list[Alert]]) -> None:
    told = told_of(story)
    outcome, difference = both(told, ESCALATING, ESCALATING)
    assert not difference.differs
    again, changed = both(told, ESCALATING, slower(9)), both(told, ESCALATING, slower(9))
    assert orjson.dumps(report.as_json(told, *again)) == orjson.dumps(report.as_json(told, *changed))
    assert outcome.before.pages == outcome.after.pages


@settings(max_examples=60, database=None, deadline=None)
@given(stories)
def test_bodies_come_to_the_same_incidents_and_words_as_in_the_daemon(story: list[list[Alert]]) -> None:
    replayed = World(RULES, keeps_story=True)
    with remembered() as stored:
        for body in story:
            stored.minute += 1
            stored.timers()
            stored.post(*body)
            replayed.take(stored.now, alertmanager.parse(kept(0, *body).body, "main", stored.now))
        known = stored.incidents()
        timelines = {number: stored.timeline(number) for number in known}
    assert {number: work.incident for number, work in replayed.bench.known.items()} == known
    ours = {number: [e.kind for _, i, e in replayed.story if i == number] for number in known}
    assert ours == timelines
