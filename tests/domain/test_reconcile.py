"""When what fires here and what fires at the source are believed to differ, and never before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.domain.at_source import AtSource, SilenceView, shown, told
from incidentd.domain.matcher import Matcher
from incidentd.domain.reconcile import (
    Doubt,
    Drift,
    Here,
    Policy,
    Round,
    Standing,
    There,
    Track,
    compare,
    doubt,
    following,
    judge,
)

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
POLICY = Policy()
HERE = Here("f", NOON - MINUTE, NOON, 1)
THERE = There("f", active=True, wanted=True)


@dataclass
class Story:
    """Rounds a minute apart, with what is remembered in between."""

    policy: Policy = POLICY
    minute: int = 0
    track: Track | None = None
    previous: datetime | None = None
    failed: str | None = None

    def round(self, here: Here | None, there: There | None) -> Drift | None:
        now = NOON + self.minute * MINUTE
        finding = judge(
            here, there, self.track, following(now, self.previous, self.failed, self.policy), self.policy
        )
        self.track, self.previous, self.failed = finding.track, now, None
        self.minute += 1
        return finding.drift

    def bad(self) -> None:
        self.failed = "unreachable"
        self.minute += 1


def test_gone_for_longer_than_group_interval_is_over_as_of_when_it_was_last_there() -> None:
    story = Story()
    assert story.round(HERE, THERE) is None
    assert [story.round(HERE, None) for _ in range(6)] == [None] * 5 + [Drift.NEVER_RESOLVED]
    assert story.track is not None
    assert story.track.seen_at == NOON


def test_without_a_group_interval_the_rounds_alone_decide() -> None:
    story = Story(replace(POLICY, group_interval=timedelta(), rounds=3))
    story.round(HERE, THERE)
    assert [story.round(HERE, None) for _ in range(3)] == [None, None, Drift.NEVER_RESOLVED]


def test_a_failed_round_or_a_pause_begins_the_count_anew() -> None:
    story = Story(replace(POLICY, group_interval=timedelta(), rounds=3))
    story.round(HERE, THERE)
    story.round(HERE, None)
    story.round(HERE, None)
    story.bad()
    assert [story.round(HERE, None) for _ in range(2)] == [None, None]
    story.minute += 60
    assert [story.round(HERE, None) for _ in range(3)] == [None, None, Drift.NEVER_RESOLVED]
    assert story.track is not None
    assert story.track.seen_at == NOON


def test_one_that_comes_back_is_forgotten_to_be_missing() -> None:
    story = Story(replace(POLICY, group_interval=timedelta(), rounds=2))
    for _ in range(5):
        assert story.round(HERE, THERE) is None
        assert story.round(HERE, None) is None


def test_a_post_that_speaks_of_it_begins_the_count_anew() -> None:
    story = Story(replace(POLICY, group_interval=timedelta(), rounds=2))
    story.round(HERE, THERE)
    story.round(HERE, None)
    spoken = replace(HERE, last_seen_at=NOON + timedelta(minutes=1, seconds=30))
    assert story.round(spoken, None) is None
    assert story.round(spoken, None) is Drift.NEVER_RESOLVED


def test_one_that_was_never_there_may_be_another_senders_and_waits_for_a_day() -> None:
    story = Story(replace(POLICY, group_interval=timedelta(), rounds=2))
    assert {story.round(HERE, None) for _ in range(600)} == {None}
    found = [story.round(HERE, None) for _ in range(24 * 60 - 600 + 1)]
    assert found[-1] is Drift.NEVER_RESOLVED
    assert found[-2] is None


def test_one_that_never_came_is_opened_after_two_rounds_and_the_group_interval() -> None:
    story = Story()
    assert [story.round(None, THERE) for _ in range(6)] == [None] * 5 + [Drift.NEVER_DELIVERED]
    quick = Story(replace(POLICY, group_interval=timedelta()))
    assert [quick.round(None, THERE) for _ in range(2)] == [None, Drift.NEVER_DELIVERED]


@pytest.mark.parametrize(
    ("there", "policy"),
    [
        (replace(THERE, active=False, silenced_by=("s",)), POLICY),
        (replace(THERE, active=False, inhibited=True), POLICY),
        (replace(THERE, wanted=False), POLICY),
        (THERE, replace(POLICY, opens=False)),
    ],
    ids=["silenced", "inhibited", "routed elsewhere", "not to be opened"],
)
def test_what_should_not_have_come_is_not_opened(there: There, policy: Policy) -> None:
    story = Story(replace(policy, group_interval=timedelta()))
    assert {story.round(None, there) for _ in range(9)} == {None}
    assert story.track is None


def test_a_heartbeat_is_not_judged() -> None:
    assert {Story().round(replace(HERE, incident_id=None), None)} == {None}


@given(st.lists(st.sampled_from(["there", "gone", "bad"]), max_size=30), st.integers(2, 5))
def test_nothing_ends_before_it_was_gone_in_enough_good_rounds_in_a_row(
    course: list[str], rounds: int
) -> None:
    story = Story(replace(POLICY, group_interval=timedelta(), rounds=rounds))
    story.round(HERE, THERE)
    gone = 0
    for what in course:
        if what == "bad":
            story.bad()
            gone = 0
            continue
        gone = gone + 1 if what == "gone" else 0
        found = story.round(HERE, None if what == "gone" else THERE)
        assert (found is Drift.NEVER_RESOLVED) is (gone >= rounds)


@dataclass(frozen=True)
class Member:
    up: timedelta
    cluster: str = "disabled"


@pytest.mark.parametrize(
    ("members", "silent", "beat_at", "beats", "why"),
    [
        ([Member(6 * MINUTE)], None, None, False, None),
        ([Member(6 * MINUTE), Member(5 * MINUTE)], None, None, True, Doubt.RESTARTED),
        ([Member(60 * MINUTE, "settling")], None, None, True, Doubt.SETTLING),
        ([Member(60 * MINUTE, "ready")], None, None, True, None),
        ([Member(60 * MINUTE)], "main", None, True, Doubt.HEARTBEAT_MISSING),
        ([Member(60 * MINUTE)], None, NOON - MINUTE, False, Doubt.HEARTBEAT_GONE),
        ([Member(60 * MINUTE)], None, NOON - MINUTE, True, None),
        # So long ago that it was taken away on purpose.
        ([Member(60 * MINUTE)], None, NOON - timedelta(days=2), False, None),
    ],
)
def test_answers_are_doubted(
    members: list[Member], silent: str | None, beat_at: datetime | None, beats: bool, why: Doubt | None
) -> None:
    found = doubt(members, POLICY, silent, beat_at, NOON, beats=beats)
    assert (found and found[0]) == why


def test_receivers_are_those_that_posted_or_those_that_are_written_down() -> None:
    assert POLICY.wants(["page", "chat"], ["chat"])
    assert not POLICY.wants(["page"], [])
    written = replace(POLICY, receiver=Matcher("receiver", "=~", "page|chat"))
    assert written.wants(["chat"], [])
    assert not written.wants(["chat-too"], ["chat-too"])


def test_a_comparison_tells_what_keeps_incidents_quiet_and_which_fire_on() -> None:
    here = {
        "a": replace(HERE, fingerprint="a"),
        "b": replace(HERE, fingerprint="b", incident_id=2, closed=True),
    }
    there = {"a": There("a", active=False, silenced_by=("s",), inhibited=True), "b": There("b", active=True)}
    tracks = {"old": Track(Standing.PRESENT, 0, NOON, met=True)}
    found = compare(here, there, tracks, Round(NOON, None, follows=False), POLICY)
    assert found.tracks["old"] is None
    assert not found.ended
    assert not found.lost
    silence = SilenceView("s", "alice", "disk swap", NOON)
    views = shown(found, {"s": silence})
    assert views == {1: AtSource(1, (silence,), inhibited=True), 2: AtSource(2, still_firing=True)}


def test_the_timeline_is_told_of_each_change_once() -> None:
    quiet = AtSource(1, (SilenceView("s", "alice", "disk swap", NOON),), inhibited=True)
    assert [entry.text for entry in told(None, quiet)] == [
        "silenced at its source by alice until 2026-03-01 12:00 UTC: disk swap",
        "inhibited at its source: another alert there keeps it quiet",
    ]
    assert told(quiet, quiet) == []
    assert [entry.kind for entry in told(quiet, None)] == ["unsilenced_at_source", "uninhibited_at_source"]
    assert [entry.kind for entry in told(quiet, AtSource(1, still_firing=True))] == ["still_firing_at_source"]
    assert told(AtSource(1, still_firing=True), None) == []
    many = AtSource(1, tuple(SilenceView(f"s{n}") for n in range(5)))
    assert told(None, many)[0].text == "silenced at its source by s0; by s1; by s2 and 2 more"
