"""Steps that stay within incidentd: a draft for the status page, a silence at the source; each done once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from incidentd.automation.base import Result
from incidentd.config.status_page import StatusPage
from incidentd.domain.automation import RunState
from incidentd.domain.matcher import parse_matcher
from incidentd.domain.runbook import Action, Kind, Run, Runbook, Step
from incidentd.domain.runbook_match import Shelf
from incidentd.domain.status_page.by_hand import StatusRefusedError, Words
from incidentd.domain.status_page.words import Phase
from incidentd.store import publications
from incidentd.store import silences as silence_store
from incidentd.workflows import publish_by_hand
from incidentd.workflows.automation_acts import Act, perform
from tests.workflows.automating import POLICY, ask, finish, states, take
from tests.workflows.world import RULES, World, fires, stored

PAGE = StatusPage.model_validate(
    {
        "name": "Acme",
        "internal_domains": ["corp.example"],
        "components": [
            {"name": "API", "match": ['service="api"'], "publish": "never"},
            {"name": "Shop", "match": ['service="shop"']},
        ],
    }
)


def drafting(message: str = "Orders may fail.", components: tuple[str, ...] = ("Shop",)) -> Step:
    given: dict[str, Any] = {"message": message, "state": "identified", "components": list(components)}
    return Step(1, "Draft", Action(Kind.STATUS_DRAFT, Run.MANUAL, attributes=given))


def silencing(*matchers: str) -> Step:
    given = {"duration": "30m", "matchers": list(matchers), "comment": "swap"}
    return Step(1, "Silence", Action(Kind.SILENCE, Run.APPROVE, attributes=given))


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """A world with a status page and an Alertmanager, on both databases."""
    members = {"main": ("http://am:9093",)}
    rules = replace(RULES, automation=POLICY, layout=PAGE.layout("http://x"), alertmanagers=members)
    with stored(database_url, rules) as world:
        yield world


def done(world: World, step: Step) -> Result:
    """Have a machine take the one step of a new incident's runbook."""
    book = Runbook("a", "A", (parse_matcher('alertname=~".+"'),), (step,), "text", "hash")
    world.rules = replace(world.rules, runbooks=Shelf((book,)))
    world.post(fires("a"))
    return again(world)


def again(world: World) -> Result:
    ask(world, 1)
    [claimed] = take(world)
    act, rules, now = Act(claimed, world.incident(), "abcdefabcdef0123", "http://x"), world.rules, world.now
    result = world.write(lambda tx: perform(tx, act, rules, now))
    finish(world, claimed, result)
    return result


def test_a_draft_waits_with_its_words_and_whoever_publishes_it_says_them(world: World) -> None:
    result = done(world, drafting())
    assert (result.state, result.summary) == (RunState.SUCCEEDED, "draft abcdefabcdef: Orders may fail.")
    draft = world.write(lambda tx: publications.by_code(tx, "abcdefabcdef"))
    assert draft is not None
    assert (draft.state, draft.phase, draft.draft_text) == ("draft", Phase.IDENTIFIED, "Orders may fail.")
    assert "status_draft" in world.timeline()
    rules, now = world.rules, world.now
    words = Words("alice", "update000001")
    public = world.write(lambda tx: publish_by_hand.publish(tx, rules, draft, words, now))
    assert [(update.body, update.author) for update in public.updates] == [("Orders may fail.", "alice")]


def test_a_draft_whose_words_are_internal_is_refused_when_it_would_become_public(world: World) -> None:
    done(world, drafting("db1.corp.example is away"))
    draft = world.write(lambda tx: publications.by_code(tx, "abcdefabcdef"))
    rules, now = world.rules, world.now
    assert draft is not None
    with pytest.raises(StatusRefusedError, match="the text holds"):
        world.write(lambda tx: publish_by_hand.publish(tx, rules, draft, Words("alice", "u"), now))


def test_a_component_that_is_not_there_and_an_incident_that_is_public_are_refused(world: World) -> None:
    assert done(world, drafting(components=("Nowhere",))).state is RunState.REFUSED
    assert states(world)[1] == "failed"


def test_a_silence_is_asked_for_once_with_its_own_matchers(world: World) -> None:
    result = done(world, silencing('service="api"', 'instance=~"a|b"'))
    assert (result.state, result.summary) == (
        RunState.SUCCEEDED,
        'silence asked for, for 30m: service="api", instance=~"a|b"',
    )
    [made] = world.write(lambda tx: silence_store.of_incident(tx, 1))
    assert (made.created_by, made.comment) == ("alice", "swap")


def test_a_silence_that_no_alertmanager_could_keep_is_refused(world: World) -> None:
    result = done(world, silencing('service!="api"'))
    assert (result.state, result.summary) == (RunState.REFUSED, "a silence takes = and =~ only")
    assert world.write(lambda tx: silence_store.of_incident(tx, 1)) == []
