"""Drafts of incidents, their way to the public, and their end: by rule, by the clock, and by people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from incidentd.domain.matcher import parse_matcher
from incidentd.domain.severity import Severity
from incidentd.domain.status_page import by_hand
from incidentd.domain.status_page.by_hand import StatusRefusedError, Words
from incidentd.domain.status_page.derive import next_change
from incidentd.domain.status_page.facts import Facts, Override, Publication
from incidentd.domain.status_page.layout import VARIABLES, Layout, Part, Quorum, check_text
from incidentd.domain.status_page.publishing import Seen, Step, follow, see, tick
from incidentd.domain.status_page.words import Level, Phase, Policy, State, Status

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EFFECT = {Severity.CRITICAL: Status.MAJOR, Severity.WARNING: Status.DEGRADED}
POLICY = {Severity.CRITICAL: Policy.APPROVE, Severity.WARNING: Policy.NEVER}
API = {"service": "api"}


def part(name: str, policy: Policy | None = None, **more: Any) -> Part:
    publish = POLICY if policy is None else dict.fromkeys(Severity, policy)
    match = (parse_matcher(f'service="{name}"'),)
    return Part(name, name.title(), match=match, effect=EFFECT, publish=publish, **more)


LAYOUT = Layout("page", "Acme", "https://x", "Etc/UTC", (part("api"), part("blog")))


def seen(layout: Layout = LAYOUT, *alerts: dict[str, str], **more: Any) -> Seen:
    values = {"open": True, "severity": Severity.CRITICAL, "started_at": NOW - MINUTE, **more}
    plain = Seen(incident_id=7, effects={}, policy=Policy.NEVER, **values)
    return see(layout, plain, alerts or (API,))


def stepped(step: Step | None) -> Step:
    assert step is not None
    return step


def drafted(layout: Layout = LAYOUT, **more: Any) -> Publication:
    return replace(stepped(follow(layout, None, seen(layout, **more), NOW, "code")).publication, id=1)


def published(layout: Layout = LAYOUT) -> Publication:
    known = drafted(layout)
    return known if known.public else by_hand.publish(layout, known, Words("alice", "u1"), NOW).publication


def test_an_incident_of_a_component_becomes_a_draft_that_people_hear_of() -> None:
    step = stepped(follow(LAYOUT, None, seen(), NOW, "code"))
    draft = step.publication
    assert (step.kind, step.tell, step.update) == ("status_draft", True, None)
    assert (draft.state, draft.title, draft.impact) == (State.DRAFT, "Api: major outage", Level.CRITICAL)
    assert draft.remind_at == NOW + LAYOUT.remind_after
    assert "incidentctl status publish code" in step.said


@pytest.mark.parametrize(
    "away",
    [{"open": False}, {"quiet": True}, {"severity": Severity.WARNING}, {"severity": Severity.INFO}],
    ids=["over", "maintenance or a drill", "never", "no effect"],
)
def test_nothing_is_drafted_of_what_is_no_news(away: dict[str, Any]) -> None:
    assert follow(LAYOUT, None, seen(**away), NOW, "code") is None
    assert follow(LAYOUT, None, seen(LAYOUT, {"service": "other"}), NOW, "code") is None


def test_of_several_components_the_most_cautious_policy_counts() -> None:
    layout = replace(LAYOUT, parts=(part("api", Policy.AUTO), part("blog", Policy.DELAYED)))
    assert seen(layout, API, {"service": "blog"}).policy is Policy.DELAYED
    assert seen(layout, API).policy is Policy.AUTO


def test_a_quorum_decides_how_bad_it_is_by_how_many_fail() -> None:
    layout = replace(LAYOUT, parts=(part("api", quorum=Quorum("instance", 2, 3)),))
    found = [
        seen(layout, *[{**API, "instance": f"i{n}"} for n in range(count)]).effects["api"]
        for count in (1, 2, 3)
    ]
    assert found == [Status.DEGRADED, Status.PARTIAL, Status.MAJOR]
    # The same one twice is one, and a quorum makes nothing worse than its severity means.
    assert seen(layout, API, API).effects["api"] is Status.DEGRADED
    alerts = [{**API, "instance": f"i{n}"} for n in range(3)]
    loud = replace(layout, parts=(part("api", Policy.AUTO, quorum=Quorum("instance", 1, 1)),))
    assert seen(loud, *alerts, severity=Severity.WARNING).effects["api"] is Status.DEGRADED


def test_an_automatic_one_is_public_at_once_and_a_delayed_one_unless_somebody_discards_it() -> None:
    auto = replace(LAYOUT, parts=(part("api", Policy.AUTO),))
    step = stepped(follow(auto, None, seen(auto), NOW, "code"))
    assert (step.publication.state, step.update is not None) == (State.PUBLISHED, True)
    delayed = replace(LAYOUT, parts=(part("api", Policy.DELAYED),))
    draft = drafted(delayed)
    assert tick(delayed, draft, NOW + delayed.delay - MINUTE, "u") is None
    assert stepped(tick(delayed, draft, NOW + delayed.delay, "u")).kind == "status_published"
    gone = by_hand.discard(draft, NOW).publication
    assert tick(delayed, gone, NOW + delayed.delay, "u") is None
    assert follow(delayed, gone, seen(delayed), NOW, "u") is None
    over = stepped(follow(delayed, gone, seen(delayed, open=False), NOW, "u")).publication
    assert stepped(follow(delayed, over, seen(delayed), NOW, "u2")).kind == "status_draft"


def test_a_critical_draft_that_waits_is_told_of_again_once() -> None:
    step = stepped(tick(LAYOUT, drafted(), NOW + LAYOUT.remind_after, "u"))
    assert (step.kind, step.tell) == ("status_reminder", True)
    assert tick(LAYOUT, step.publication, NOW + timedelta(days=1), "u") is None


def test_a_draft_follows_its_incident_and_goes_with_it() -> None:
    both = seen(LAYOUT, API, {"service": "blog"})
    step = stepped(follow(LAYOUT, drafted(), both, NOW, "u"))
    assert step.publication.title == "Api and Blog: major outage"
    assert follow(LAYOUT, step.publication, both, NOW, "u") is None
    warned = replace(step.publication, remind_at=None)
    assert stepped(follow(LAYOUT, warned, seen(), NOW, "u")).publication.remind_at is not None
    gone = stepped(follow(LAYOUT, drafted(), seen(open=False), NOW, "u"))
    assert gone.publication.state is State.DISCARDED
    auto = replace(LAYOUT, parts=(part("api", Policy.AUTO), part("blog", Policy.AUTO)))
    now_auto = stepped(follow(auto, drafted(), seen(auto, API, {"service": "blog"}), NOW, "u"))
    assert now_auto.kind == "status_published"


def test_a_public_one_is_monitored_then_resolved_and_comes_back_within_the_time() -> None:
    known = published()
    assert follow(LAYOUT, known, seen(), NOW, "u") is None
    ended = stepped(follow(LAYOUT, known, seen(open=False), NOW, "u")).publication
    assert (ended.phase, ended.effects) == (Phase.MONITORING, {"api": Status.OPERATIONAL})
    assert follow(LAYOUT, ended, seen(open=False), NOW, "u") is None
    back = stepped(follow(LAYOUT, ended, seen(), NOW, "u")).publication
    assert (back.phase, back.effects, back.settle_at) == (Phase.IDENTIFIED, {"api": Status.MAJOR}, None)
    over = stepped(tick(LAYOUT, ended, NOW + LAYOUT.settle, "u")).publication
    assert (over.phase, over.impact) == (Phase.RESOLVED, Level.CRITICAL)
    soon, late = over.updated_at + LAYOUT.reopen, over.updated_at + LAYOUT.reopen + MINUTE
    assert stepped(follow(LAYOUT, over, seen(), soon, "u")).kind == "status_updated"
    assert stepped(follow(LAYOUT, over, seen(), late, "new")).kind == "status_draft"


def test_what_flaps_is_left_to_people() -> None:
    assert follow(LAYOUT, published(), seen(open=False, flapping=True), NOW, "u") is None


def test_more_components_are_told_by_themselves_only_where_that_is_the_policy() -> None:
    both = seen(LAYOUT, API, {"service": "blog"})
    step = stepped(follow(LAYOUT, published(), both, NOW, "u"))
    assert (step.kind, step.publication.effects) == ("status_behind", {"api": Status.MAJOR})
    auto = replace(LAYOUT, parts=(part("api", Policy.AUTO), part("blog", Policy.AUTO)))
    told = stepped(follow(auto, published(auto), seen(auto, API, {"service": "blog"}), NOW, "u"))
    assert told.publication.effects == {"api": Status.MAJOR, "blog": Status.MAJOR}
    lowered = by_hand.update(auto, told.publication, Words("a", "u", effects={"api": Status.PARTIAL}), NOW)
    left = stepped(follow(auto, lowered.publication, seen(auto, {"service": "blog"}), NOW, "u") or lowered)
    # What a person has lowered stays as it is.
    assert left.publication.effects["api"] is Status.PARTIAL


def test_missing_heartbeats_are_told_to_all_by_themselves() -> None:
    away = seen(LAYOUT, {}, stale=True, severity=Severity.CRITICAL)
    step = stepped(follow(LAYOUT, None, away, NOW, "code"))
    assert (step.kind, step.publication.title) == ("status_published", "Monitoring data is delayed")
    assert step.publication.impact is Level.MINOR
    quiet = replace(LAYOUT, stale=False)
    assert follow(quiet, None, seen(quiet, {}, stale=True), NOW, "code") is None


def test_a_person_says_more_lowers_and_ends_it_and_what_they_ended_stays_ended() -> None:
    more = Words(
        "alice", "u2", "Half of it works.", effects={"api": Status.PARTIAL}, next_update_at=NOW + MINUTE
    )
    step = by_hand.update(LAYOUT, published(), more, NOW)
    assert step.update is not None
    assert [(a.old, a.new) for a in step.update.affected] == [(Status.MAJOR, Status.PARTIAL)]
    assert (step.publication.impact, step.publication.next_update_at) == (Level.CRITICAL, NOW + MINUTE)
    ended = by_hand.update(
        LAYOUT, step.publication, Words("alice", "u3", phase=Phase.RESOLVED), NOW, incident_open=True
    ).publication
    assert (ended.by_hand, ended.effects, ended.next_update_at) == (True, {"api": Status.OPERATIONAL}, None)
    assert follow(LAYOUT, ended, seen(), NOW, "u") is None
    free = stepped(follow(LAYOUT, ended, seen(open=False), NOW, "u")).publication
    assert not free.by_hand
    told = by_hand.update(LAYOUT, free, Words("alice", "u4", "Why.", phase=Phase.POSTMORTEM), NOW)
    assert told.update is not None
    assert told.update.affected == ()


def test_what_is_not_in_the_table_is_refused() -> None:
    known = published()
    wrongs: tuple[Callable[[], Step], ...] = (
        lambda: by_hand.publish(LAYOUT, known, Words("a", "u"), NOW),
        lambda: by_hand.discard(known, NOW),
        lambda: by_hand.update(LAYOUT, drafted(), Words("a", "u"), NOW),
        lambda: by_hand.update(LAYOUT, known, Words("a", "u", phase=Phase.POSTMORTEM), NOW),
        lambda: by_hand.update(
            LAYOUT, replace(known, phase=Phase.RESOLVED), Words("a", "u", phase=Phase.POSTMORTEM), NOW
        ),
    )
    for wrong in wrongs:
        with pytest.raises(StatusRefusedError):
            wrong()


def test_a_correction_is_another_revision_of_the_same_update() -> None:
    step = by_hand.publish(LAYOUT, drafted(), Words("alice", "u1", "Tpyo."), NOW)
    assert step.update is not None
    fixed = by_hand.correct(step.publication, step.update, Words("bob", "u1", "Typo."), NOW + MINUTE)
    assert fixed.update is not None
    assert (fixed.update.revision, fixed.update.body, fixed.update.at) == (2, "Typo.", NOW)


def test_one_that_no_alert_told_of_is_opened_by_hand() -> None:
    step = by_hand.opened(LAYOUT, Words("alice", "u", effects={"blog": Status.DEGRADED}), "code", NOW)
    assert (step.publication.title, step.publication.impact) == ("Blog: degraded performance", Level.MINOR)
    bare = by_hand.opened(LAYOUT, Words("alice", "u", title="We look"), "code", NOW)
    assert bare.publication.impact is Level.MINOR


def test_every_text_is_chained_to_the_one_before() -> None:
    said = by_hand.publish(LAYOUT, drafted(), Words("alice", "u1", "One."), NOW).update
    assert said is not None
    first, other = said.linked(""), replace(said, body="Two.").linked("")
    assert (len(first.hash), first.hash == other.hash, said.linked("").hash == first.hash) == (
        64,
        False,
        True,
    )
    assert said.linked(first.hash).hash != first.hash


def test_a_component_is_found_by_id_or_name_if_only_one_is_meant() -> None:
    twice = replace(LAYOUT, parts=(part("api"), Part("x", "Api", group="Core"), Part("y", "Blog")))
    assert [getattr(twice.part(wanted), "id", None) for wanted in ("x", "Core - Api", "Blog", "nothing")] == [
        "x", "x", "y", None,
    ]  # fmt: skip
    assert twice.part("api") is twice.parts[0]


@pytest.mark.parametrize("text", ["{hostname}", "{started:x}", "{page!r}"])
def test_a_public_text_speaks_of_nothing_else(text: str) -> None:
    with pytest.raises(ValueError, match="cannot stand in a public text"):
        check_text(text, VARIABLES)
    assert check_text("{page}: {components}", VARIABLES) == "{page}: {components}"


def test_the_page_changes_when_an_override_ends() -> None:
    def override(number: int, until: datetime | None) -> Override:
        return Override(number, "api", Status.PARTIAL, "", "alice", NOW, until)

    found = Facts(overrides=(override(1, NOW + 2 * MINUTE), override(2, None), override(3, NOW)))
    assert next_change(found, NOW) == NOW + 2 * MINUTE
    assert next_change(Facts(), NOW) is None
