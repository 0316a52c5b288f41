"""One body in an empty world: what it shows, and what of it opens nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from incidentd.domain.escalation import Policy, Step, parse_target
from incidentd.ingest import alertmanager
from incidentd.replay.dry_run import as_json, as_text, dry_run
from incidentd.workflows.paging import Paging
from incidentd.workflows.rules import Rules
from tests.replay.story import ESCALATING, kept
from tests.workflows.world import RULES, at, fires, over


def shown(rules: Rules, *alerts: object) -> str:
    """The lines for people."""
    post = alertmanager.parse(kept(0, *alerts).body, "main", at(0))  # type: ignore[arg-type]
    return "\n".join(as_text(dry_run(post, rules, at(0))))


def test_a_resolve_that_was_never_seen_firing_opens_nothing() -> None:
    assert "incident    none: blip" in shown(RULES, over("a", 0, 1))


def test_a_step_that_reaches_nobody_is_told_and_the_next_one_follows_at_once() -> None:
    steps = (
        Step(timedelta(), (parse_target("user:carol"),)),
        Step(timedelta(minutes=5), (parse_target("user:alice"),)),
    )
    paging = Paging(policies={"primary": Policy("primary", steps)}, people=ESCALATING.paging.people)
    text = shown(replace(RULES, paging=paging), fires("a", 0, "critical"))
    assert "carol is not configured" in text
    assert "+0m00s  alice over phone (+49 1)  escalated: step 2 of 2" in text


def test_alerts_that_were_set_aside_are_named_with_the_reason() -> None:
    post = alertmanager.parse(b'{"version": "4", "groupKey": "{}", "alerts": [1]}', "main", at(0))
    value = as_json(dry_run(post, RULES, at(0)))
    assert value["quarantined"][0]["where"] == "alerts[0]"
    assert value["incidents"] == []
