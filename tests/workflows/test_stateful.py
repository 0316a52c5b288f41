"""Random stories of alerts, people, timers and clocks: what must hold after every single step of each of them."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import datetime
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from incidentd.domain.alert import Alert
from incidentd.domain.incident import ActionRefusedError, State
from incidentd.domain.notification import DeliveryClass
from incidentd.store import schema
from incidentd.store.codec import instant
from incidentd.workflows import flapping, maintenance
from incidentd.workflows.receive import Submission
from incidentd.workflows.rules import Rules
from tests.workflows.laws import MOVES, configurations
from tests.workflows.world import fires, over, remembered

CAST = {"a": ("warning", "api"), "b": ("critical", "api"), "c": ("info", "api"), "d": ("warning", "db")}
"""Name of an alert -> its severity and its service."""
names = st.sampled_from(sorted(CAST))
minutes = st.integers(0, 6)


def firing(name: str, since: float = 0) -> Alert:
    severity, service = CAST[name]
    return fires(name, since, severity, service=service)


def ended(name: str, since: float = 0, end: float = 0) -> Alert:
    severity, service = CAST[name]
    return over(name, since, end, severity, service=service)


@st.composite
def alerts(draw: st.DrawFn) -> Alert:
    """Any alert of the cast, firing or ended, of one of a few occurrences."""
    name, since = draw(names), draw(minutes)
    if draw(st.booleans()):
        return firing(name, since)
    return ended(name, since, since + draw(st.sampled_from([0, 0.5, 1, 3])))


@st.composite
def submissions(draw: st.DrawFn) -> Submission:
    """One webhook post."""
    body = draw(st.lists(alerts(), max_size=4))
    return Submission("main", "request", tuple(body), truncated=draw(st.sampled_from([0, 0, 0, 2, 3])))


def fingerprints(posts: list[Submission]) -> list[str]:
    return [alert.fingerprint for post in posts for alert in post.alerts]


class Story(RuleBasedStateMachine):
    """Everything that can happen, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = contextlib.ExitStack()
        self.world = self.stack.enter_context(remembered(audited=True))
        self.bodies: list[Submission] = []
        self.latest: dict[str, tuple[datetime, bool]] = {}
        """The reference: the occurrence that each alert's latest word is about, and whether it fires."""
        self.newest: dict[str, datetime] = {}
        self.beating = False
        self.kept_open: set[int] = set()
        """Incidents a person has reopened: they stay open without a firing alert."""
        self.episodes: dict[int, int] = {}

    def teardown(self) -> None:
        self.stack.close()

    # -- what senders do --------------------------------------------------------------------------------------
    @rule(posts=st.lists(submissions(), min_size=1, max_size=3))
    def bodies_arrive_together(self, posts: list[Submission]) -> None:
        self.bodies += posts
        self.take(posts)

    @rule(name=names, since=minutes)
    def an_alert_fires(self, name: str, since: int) -> None:
        self.take([Submission("main", "request", (firing(name, since),))])

    @rule(name=names)
    def the_known_occurrence_ends(self, name: str) -> None:
        alert = firing(name)
        since, _ = self.latest.get(alert.fingerprint, (alert.starts_at, False))
        end = replace(ended(name), starts_at=since, ends_at=max(since, self.world.now))
        self.take([Submission("main", "request", (end,))])

    @precondition(lambda self: self.bodies)
    @rule(data=st.data())
    def an_old_body_comes_again(self, data: st.DataObject) -> None:
        self.take([data.draw(st.sampled_from(self.bodies))])

    @precondition(lambda self: self.world.last)
    @rule(later=st.sampled_from([0, 1]))
    def the_last_bodies_come_again_and_change_nothing(self, later: float) -> None:
        last = list(self.world.last)
        if len(set(fingerprints(last))) < len(fingerprints(last)):
            return  # bodies that contradict themselves
        if len({bool(post.truncated) for post in last}) > 1:
            return  # each corrects what the one before it said of what it left out
        if self.beating and firing("c").fingerprint in fingerprints(last):
            return  # what was an alert like others ends first, and is a sign of life from the next post on
        self.world.minute += later
        before = self.snapshot()
        self.take(last)
        assert self.snapshot() == before

    def take(self, posts: list[Submission]) -> None:
        for post in posts:
            for alert in post.alerts:
                self.learn(alert)
        reception = self.world.batch(*posts)
        assert len(reception.receipts) == len(posts)

    def learn(self, alert: Alert) -> None:
        known, firing = self.latest.get(alert.fingerprint, (None, False))
        start, ends, fires = alert.starts_at, alert.ends_at, alert.ends_at is None
        newest = self.newest.get(alert.fingerprint, start)
        self.newest[alert.fingerprint] = (
            max(newest, start) if fires or not firing or start >= newest else newest
        )
        if known is None or start == known or start > newest or (fires and not firing):
            self.latest[alert.fingerprint] = (start, fires)
        elif firing and ends is not None and ends >= known:
            self.latest[alert.fingerprint] = (known, False)

    # -- what people, timers and clocks do ----------------------------------------------------------------------
    @precondition(lambda self: self.world.incidents())
    @rule(
        data=st.data(),
        act=st.sampled_from(["acknowledge", "unacknowledge", "resolve", "force", "reopen", "snooze"]),
    )
    def a_person_acts(self, data: st.DataObject, act: str) -> None:
        world = self.world
        incident_id = data.draw(st.sampled_from(sorted(world.incidents())))
        acts: dict[str, Any] = {
            "acknowledge": world.acknowledge,
            "unacknowledge": world.unacknowledge,
            "resolve": lambda i: world.resolve(i, force=False),
            "force": world.resolve,
            "reopen": world.reopen,
            "snooze": lambda i: world.snooze(3, i),
        }
        before = self.snapshot()
        try:
            done = acts[act](incident_id)
        except ActionRefusedError:
            assert self.snapshot() == before
            return
        if act == "reopen" and done.changes:
            self.kept_open.add(incident_id)
        if act in {"acknowledge", "force", "reopen"}:
            again = self.snapshot()
            assert acts[act](incident_id).changes == ()
            assert self.snapshot() == again

    @rule(minutes=st.sampled_from([0.5, 2, 6, 11, -1, -30]))
    def the_clock_moves(self, minutes: float) -> None:
        self.world.minute += minutes

    @rule()
    def timers_run(self) -> None:
        self.world.timers()
        assert self.world.timers() == ()

    @rule()
    def windows_end_and_flapping_settles(self) -> None:
        rules, now = self.world.rules, self.world.now
        for look in (maintenance.end, flapping.settle):
            self.world.write(lambda tx, look=look: look(tx, rules, now))  # type: ignore[misc]
            assert self.world.write(lambda tx, look=look: look(tx, rules, now)) == ()  # type: ignore[misc]

    @rule(rules=configurations())
    def the_configuration_changes(self, rules: Rules) -> None:
        self.beating = self.beating or bool(rules.heartbeats)
        self.world.rules = rules

    def snapshot(self) -> dict[str, Any]:
        """Everything but when an alert was last seen."""
        known = self.world.everything()
        column = list(schema.alerts.c).index(schema.alerts.c.last_seen_at)
        known["alerts"] = [(*row[:column], *row[column + 1 :]) for row in known["alerts"]]
        return known

    # -- what always holds --------------------------------------------------------------------------------------
    @invariant()
    def whatever_changed_an_incident_is_in_the_audit_log(self) -> None:
        assert self.world.silent == []

    @invariant()
    def the_newest_word_on_each_alert_stands(self) -> None:
        beats = firing("c").fingerprint if self.beating else ""
        stored = {
            r.fingerprint: (instant(r.starts_at), r.ends_at is None) for r in self.world.rows(schema.alerts)
        }
        assert stored.keys() == self.latest.keys()
        for fingerprint, known in self.latest.items():
            if fingerprint != beats:
                assert stored[fingerprint] == known

    @invariant()
    def counters_agree_with_the_occurrences(self) -> None:
        rows = self.world.rows(schema.occurrences, "alert_id", "starts_at")
        for incident in self.world.incidents().values():
            own = [row for row in rows if row.incident_id == incident.id]
            assert incident.alerts_firing == sum(row.ends_at is None for row in own)
            assert incident.alerts_total >= len({row.alert_id for row in own})

    @invariant()
    def a_firing_alert_is_in_an_incident(self) -> None:
        for row in self.world.rows(schema.alerts):
            if row.ends_at is None and row.incident_id is None:
                assert self.beating
                assert '"alertname":"c"' in row.labels

    @invariant()
    def no_incident_is_a_zombie_and_no_group_has_two(self) -> None:
        groups = []
        for incident in self.world.incidents().values():
            if not incident.open:
                self.kept_open.discard(incident.id)
                assert incident.resolved_by is not None
                assert incident.resolved_by != "source" or incident.alerts_firing == 0
                assert not incident.quiet
                assert incident.resolve_withheld_at is None
                assert incident.flapping_since is None
                continue
            groups.append(incident.group_key)
            withheld = incident.resolve_withheld_at is not None
            assert not (withheld and incident.alerts_firing)
            assert incident.alerts_firing or withheld or incident.id in self.kept_open
            assert incident.resolved_at is None
        assert len(set(groups)) == len(groups)

    @invariant()
    def who_has_to_know_is_told(self) -> None:
        rows = self.world.rows(schema.deliveries)
        for incident in self.world.incidents().values():
            pages = [
                row.episode for row in rows
                if row.incident_id == incident.id and row._mapping["class"] == DeliveryClass.PAGE.value
            ]  # fmt: skip
            assert pages == sorted(pages)
            if incident.state is State.TRIGGERED and not incident.quiet and incident.notify:
                assert incident.episode in pages
            assert incident.episode >= self.episodes.get(incident.id, 1)
            assert incident.episode == incident.reopen_count + 1
            self.episodes[incident.id] = incident.episode

    @invariant()
    def every_timeline_tells_a_legal_life(self) -> None:
        rows = self.world.rows(schema.timeline, "incident_id", "seq")
        for incident in self.world.incidents().values():
            own = [row for row in rows if row.incident_id == incident.id]
            assert [row.seq for row in own] == list(range(1, incident.last_seq + 1))
            if "last_at" in schema.incidents.c:
                assert [row.at for row in own] == sorted(row.at for row in own)
            state = ""
            for row in own:
                before, after = MOVES.get(row.kind, ((state,), state))
                assert state in before, (state, row.kind)
                state = after
            assert state == incident.state
            assert incident.opened_at <= (incident.acknowledged_at or incident.opened_at)
            assert incident.opened_at <= (incident.resolved_at or incident.opened_at)


def test_what_must_hold_holds_after_every_step_of_any_story() -> None:
    run_state_machine_as_test(
        Story,
        settings=settings(
            max_examples=40,
            stateful_step_count=40,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
