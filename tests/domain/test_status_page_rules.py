"""How components and the page fare: the order in which things happen decides nothing, and all that ends is over."""

from __future__ import annotations

import itertools
import string
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.domain.status_page.derive import component_status, roll_up, statuses
from incidentd.domain.status_page.facts import Facts, Maintenance, Override, Publication
from incidentd.domain.status_page.layout import Layout, Part
from incidentd.domain.status_page.texts import TEXTS, effect_in, listed_in, texts_in
from incidentd.domain.status_page.words import Level, Phase, Policy, Stage, State, Status, worst

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEYS = ("a", "b", "c")
LAYOUT = Layout(
    "p", "Acme", "https://status.example.com", "Etc/UTC", tuple([Part(key, key.upper()) for key in KEYS])
)
STATUSES = st.lists(st.sampled_from(Status), max_size=6)


def publication(
    phase: Phase, effects: dict[str, Status], number: int, state: State = State.PUBLISHED
) -> Publication:
    return Publication(
        number, f"p{number}", state, "It broke", phase, Policy.APPROVE, NOW, NOW, NOW, effects=effects,
        published_at=NOW,
    )  # fmt: skip


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    """Anything that may be written down at one instant."""
    effects = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(Status))
    told = [
        publication(draw(st.sampled_from(Phase)), draw(effects), number, draw(st.sampled_from(State)))
        for number in range(draw(st.integers(0, 4)))
    ]
    planned = [
        Maintenance(
            number, f"m{number}", "Work", draw(st.sampled_from(Stage)),
            tuple(draw(st.sets(st.sampled_from(KEYS), min_size=1))), NOW, NOW + timedelta(hours=1), NOW, "alice", NOW,
        )
        for number in range(draw(st.integers(0, 3)))
    ]  # fmt: skip
    return Facts(publications=tuple(told), maintenances=tuple(planned))


@given(STATUSES, STATUSES)
def test_the_worst_of_two_lists_is_the_same_in_any_order_and_however_often_it_is_said(
    first: list[Status], second: list[Status]
) -> None:
    assert worst(first + second) is worst(second + first)
    assert worst([worst(first), worst(second)]) is worst(first + second)
    assert worst(first + first) is worst(first)
    assert worst([*first, Status.OPERATIONAL]) is worst(first)


@given(facts(), st.randoms())
def test_the_order_of_what_was_written_down_changes_nothing(found: Facts, drawn: Random) -> None:
    told, planned = list(found.publications), list(found.maintenances)
    drawn.shuffle(told)
    drawn.shuffle(planned)
    other = replace(found, publications=(*told, *told), maintenances=tuple(planned))
    assert statuses(LAYOUT, other, NOW) == statuses(LAYOUT, found, NOW)


@given(facts())
def test_all_is_well_again_once_everything_is_over(found: Facts) -> None:
    over = replace(
        found,
        publications=tuple([replace(p, phase=Phase.RESOLVED) for p in found.publications]),
        maintenances=tuple([replace(m, stage=Stage.COMPLETED) for m in found.maintenances]),
    )
    fares = statuses(LAYOUT, over, NOW)
    assert set(fares.values()) == {Status.OPERATIONAL}
    assert roll_up(LAYOUT, list(fares.values()), []) == (Level.NONE, "All Systems Operational")


@given(facts())
def test_one_more_incident_never_makes_anything_better(found: Facts) -> None:
    before = statuses(LAYOUT, found, NOW)
    more = publication(Phase.INVESTIGATING, {"a": Status.PARTIAL}, 99)
    after = statuses(LAYOUT, replace(found, publications=(*found.publications, more)), NOW)
    assert all(after[key].rank >= before[key].rank for key in KEYS)
    assert after["a"].rank >= Status.PARTIAL.rank


@given(facts())
def test_drafts_change_nothing_unless_the_component_follows_them(found: Facts) -> None:
    published = replace(found, publications=tuple([p for p in found.publications if p.public]))
    assert statuses(LAYOUT, found, NOW) == statuses(LAYOUT, published, NOW)
    follows = replace(LAYOUT, parts=(Part("a", "A", auto_component=True),))
    draft = publication(Phase.INVESTIGATING, {"a": Status.MAJOR}, 1, State.DRAFT)
    assert statuses(follows, Facts(publications=(draft,)), NOW) == {"a": Status.MAJOR}


@given(facts(), st.sampled_from(Status))
def test_a_persons_override_wins_until_it_ends(found: Facts, wanted: Status) -> None:
    override = Override(1, "a", wanted, "", "alice", NOW - timedelta(hours=1), NOW + timedelta(hours=1))
    part, told, planned = LAYOUT.parts[0], found.publications, found.maintenances
    assert component_status(part, [override], told, planned, NOW) is wanted
    later = NOW + timedelta(hours=1)
    plain = component_status(part, [], told, planned, later)
    assert component_status(part, [override], told, planned, later) is plain


@pytest.mark.parametrize(
    ("found", "impacts", "said"),
    [
        ([Status.UNDER_MAINTENANCE], [], (Level.MAINTENANCE, "Service Under Maintenance")),
        ([Status.DEGRADED], [], (Level.MINOR, "Partially Degraded Service")),
        ([Status.PARTIAL, Status.UNDER_MAINTENANCE], [], (Level.MAJOR, "Partial System Outage")),
        ([Status.MAJOR, Status.OPERATIONAL, Status.OPERATIONAL], [], (Level.MAJOR, "Partial System Outage")),
        ([Status.MAJOR, Status.OPERATIONAL], [], (Level.CRITICAL, "Major Service Outage")),
        ([Status.OPERATIONAL], [Level.MINOR], (Level.MINOR, "Minor Service Outage")),
        ([Status.OPERATIONAL], [Level.NONE], (Level.NONE, "All Systems Operational")),
        ([], [], (Level.NONE, "All Systems Operational")),
    ],
)
def test_the_page_says_how_it_fares_in_the_words_that_readers_know(
    found: list[Status], impacts: list[Level], said: tuple[Level, str]
) -> None:
    assert roll_up(LAYOUT, found, impacts) == said


@pytest.mark.parametrize("language", ["en", "de", "fr", "es", "pt-BR"])
def test_public_texts_of_every_language_have_the_same_gaps(language: str) -> None:
    texts = texts_in(language)
    assert texts.keys() == TEXTS.keys()
    for key, text in texts.items():
        names = [
            {name for _, name, _, _ in string.Formatter().parse(each) if name} for each in (text, TEXTS[key])
        ]
        assert names[0] == names[1], key


def test_a_text_is_in_the_language_of_its_page() -> None:
    assert listed_in("de-AT", ["API", "Suche", "Mail"]) == "API, Suche und Mail"
    assert effect_in("fr", Status.MAJOR) == "panne majeure"
    assert effect_in("nl", Status.MAJOR) == "major outage"
    said = [effect_in(tag, status) for tag, status in itertools.product(("en", "de", "fr", "es"), Status)]
    assert len(set(said)) == len(said)
