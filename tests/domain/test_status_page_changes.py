"""Drafts whose incident changes before they are public, and public ones whose incident comes back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from incidentd.domain.severity import Severity
from incidentd.domain.status_page.publishing import follow, tick
from incidentd.domain.status_page.words import Phase, Policy, State, Status
from tests.domain.test_status_page_publishing import (
    API,
    LAYOUT,
    MINUTE,
    NOW,
    drafted,
    part,
    published,
    seen,
    stepped,
)  # fmt: skip


def test_a_delayed_draft_waits_for_a_person_once_a_component_has_to_be_approved() -> None:
    layout = replace(LAYOUT, parts=(part("api", Policy.DELAYED), part("blog", Policy.APPROVE)))
    draft = drafted(layout)
    both = stepped(follow(layout, draft, seen(layout, API, {"service": "blog"}), NOW, "u")).publication
    assert (both.policy, both.publish_at) == (Policy.APPROVE, None)
    assert both.remind_at == NOW + layout.remind_after
    fewer = stepped(follow(layout, both, seen(layout), NOW + MINUTE, "u")).publication
    assert (fewer.policy, fewer.publish_at) == (Policy.DELAYED, NOW + MINUTE + layout.delay)


def test_a_delayed_draft_of_what_is_not_to_be_told_any_more_goes() -> None:
    publish = {Severity.CRITICAL: Policy.DELAYED}
    layout = replace(LAYOUT, parts=(replace(part("api"), publish=publish),))
    lower = seen(layout, severity=Severity.WARNING)
    gone = stepped(follow(layout, drafted(layout), lower, NOW, "u")).publication
    assert (gone.state, gone.publish_at) == (State.DISCARDED, None)
    assert stepped(follow(layout, gone, seen(layout), NOW, "new")).kind == "status_draft"
    # One that waits for a person is left to them.
    assert follow(LAYOUT, drafted(), seen(severity=Severity.WARNING), NOW, "u") is None


def test_a_draft_in_the_words_of_a_runbook_waits_for_a_person() -> None:
    auto = replace(LAYOUT, parts=(part("api", Policy.AUTO), part("blog", Policy.AUTO)))
    draft = replace(drafted(), draft_text="We look.")
    assert follow(auto, draft, seen(auto), NOW, "u") is None
    more = stepped(follow(auto, draft, seen(auto, API, {"service": "blog"}), NOW, "u")).publication
    assert (more.state, more.policy) == (State.DRAFT, Policy.APPROVE)


def test_what_comes_back_with_more_tells_of_that_only_where_it_is_the_policy() -> None:
    ended = stepped(follow(LAYOUT, published(), seen(open=False), NOW, "u")).publication
    back = stepped(follow(LAYOUT, ended, seen(LAYOUT, API, {"service": "blog"}), NOW, "u"))
    assert back.publication.effects == {"api": Status.MAJOR}
    assert "does not tell all of it" in back.said
    other = stepped(follow(LAYOUT, ended, seen(LAYOUT, {"service": "blog"}), NOW, "u"))
    assert (other.kind, other.update) == ("status_behind", None)
    assert follow(LAYOUT, other.publication, seen(LAYOUT, {"service": "blog"}), NOW, "u") is None


def test_what_flaps_is_not_called_over_while_it_fires() -> None:
    ended = stepped(follow(LAYOUT, published(), seen(open=False), NOW, "u")).publication
    over = stepped(tick(LAYOUT, ended, NOW + LAYOUT.settle, "u")).publication
    for known in (ended, over):
        back = stepped(follow(LAYOUT, known, seen(flapping=True), NOW + LAYOUT.settle, "u"))
        assert (back.publication.phase, back.tell) == (Phase.IDENTIFIED, True)
        assert tick(LAYOUT, back.publication, NOW + timedelta(days=1), "u") is None
        assert follow(LAYOUT, back.publication, seen(flapping=True), NOW, "u") is None
        done = stepped(follow(LAYOUT, back.publication, seen(open=False), NOW, "u")).publication
        assert done.settle_at == NOW + LAYOUT.settle
