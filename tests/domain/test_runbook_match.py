"""Which runbook an incident gets: the one that says most exactly what it is for, and always the same one."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.domain.matcher import parse_matcher
from incidentd.domain.runbook import Runbook, Step
from incidentd.domain.runbook_match import Choice, Shelf, Why, choose, fits, misses, rivals, specificity
from incidentd.domain.severity import Severity

LABELS = {"alertname": "Down", "job": "api", "env": "prod"}


def book(name: str, *match: str, service: str | None = None, severities: Sequence[Severity] = ()) -> Runbook:
    return Runbook(
        name=name,
        title=name,
        match=tuple(map(parse_matcher, match)),
        steps=(Step(1, "look"),),
        text="",
        hash=name,
        service=service,
        severities=tuple(severities),
    )


def chosen(*books: Runbook, severity: Severity = Severity.CRITICAL) -> Choice:
    return choose(books, LABELS, "checkout", severity)


@pytest.mark.parametrize(
    ("winner", "loser"),
    [
        (book("z", 'alertname="Down"'), book("a", 'alertname=~"Down|Up"')),
        (book("z", 'alertname="Down"', 'job="api"'), book("a", 'alertname="Down"')),
        (book("z", 'alertname="Down"'), book("a", 'alertname=~".+"', 'job=~".+"', 'env=~".+"')),
        (book("z", 'alertname="Down"', 'job=~"api|web"'), book("a", 'alertname="Down"', 'job!="db"')),
        (book("z", 'alertname="Down"', 'env!="dev"'), book("a", 'alertname="Down"')),
        (book("z", 'alertname="Down"', service="checkout"), book("a", 'alertname="Down"')),
        (
            book("z", 'alertname="Down"', severities=[Severity.CRITICAL]),
            book("a", 'alertname="Down"', severities=[Severity.CRITICAL, Severity.WARNING]),
        ),
        (
            book("z", 'alertname="Down"', severities=[Severity.CRITICAL, Severity.WARNING]),
            book("a", 'alertname="Down"'),
        ),
        (book("z", 'alertname="Down"', 'job=~"a.*"'), book("a", 'alertname="Down"', 'team=""')),
    ],
)
def test_the_more_exact_one_wins_whatever_its_name(winner: Runbook, loser: Runbook) -> None:
    found = chosen(loser, winner)
    assert (found.runbook, found.why, found.others) == (winner, Why.SPECIFIC, (loser.name,))


def test_of_equally_exact_ones_the_first_by_name_wins_and_the_reason_says_so() -> None:
    found = chosen(book("b", 'alertname="Down"'), book("a", 'job="api"'))
    assert found.runbook is not None
    assert (found.runbook.name, found.why) == ("a", Why.NAME)
    assert found.text == "first_by_name: 1 equal; also fits: b"


def test_one_that_fits_alone_is_the_only_match_and_none_is_none() -> None:
    assert chosen(book("a", 'alertname="Down"'), book("b", 'job="db"')).text == "only_match: 1 equal"
    assert chosen(book("b", 'job="db"')) == Choice(None, Why.NONE)
    assert chosen().text == "no runbook matches"


@pytest.mark.parametrize(
    "other",
    [
        book("x", 'alertname="Down"', 'job="web"'),
        book("x", 'alertname="Down"', service="search"),
        book("x", 'alertname="Down"', severities=[Severity.WARNING]),
        book("x", 'alertname!~"D.*"'),
        book("x", 'team="core"'),
    ],
)
def test_every_condition_must_hold(other: Runbook) -> None:
    assert not fits(other, LABELS, "checkout", Severity.CRITICAL)
    assert chosen(other).runbook is None


CONDITIONS = [
    f'{name}{op}"{value}"'
    for name, op, value in itertools.product(
        ("alertname", "job"), ("=", "!=", "=~", "!~"), ("Down", "api", "", "a.*")
    )
]
BOOKS = st.lists(
    st.builds(
        lambda name, match, service, severities: book(name, *match, service=service, severities=severities),
        st.sampled_from("abcdef"),
        st.lists(st.sampled_from(CONDITIONS), min_size=1, max_size=3),
        st.sampled_from([None, "checkout", "search"]),
        st.lists(st.sampled_from(list(Severity)), max_size=2, unique=True),
    ),
    max_size=6,
    unique_by=lambda each: each.name,
)


@given(BOOKS, st.randoms(use_true_random=False), st.sampled_from(["Down", "api", "", "abc"]))
def test_the_choice_fits_is_unbeaten_and_does_not_depend_on_the_order(
    books: list[Runbook], random: object, value: str
) -> None:
    labels = {"alertname": value, "job": "api"}
    found = choose(books, labels, "checkout", Severity.WARNING)
    fitting = [each for each in books if fits(each, labels, "checkout", Severity.WARNING)]
    assert (found.runbook is None) == (not fitting)
    random.shuffle(books)  # type: ignore[attr-defined]  # hypothesis draws a random.Random
    assert choose(books, labels, "checkout", Severity.WARNING) == found
    if found.runbook is not None:
        best = max(map(specificity, fitting))
        assert specificity(found.runbook) == best
        assert found.runbook.name == min(each.name for each in fitting if specificity(each) == best)
        assert {found.runbook.name, *found.others} == {each.name for each in fitting}


@given(BOOKS, st.lists(st.sampled_from(["Down", "api", "", "other"]), max_size=8))
def test_a_shelf_remembers_and_never_answers_for_another_incident(
    books: list[Runbook], names: list[str]
) -> None:
    shelf = Shelf(tuple(books))
    for name, severity in itertools.product(names * 2, Severity):
        labels = {"alertname": name, "pod": name}
        assert shelf.choose(labels, name, severity) == choose(books, labels, name, severity)


def test_a_shelf_forgets_before_it_grows_without_bound() -> None:
    shelf = Shelf((book("a", 'pod=~".+"'),))
    for number in range(10_000):
        assert shelf.choose({"pod": str(number)}, "", Severity.INFO).runbook is not None
    assert len(shelf._known) <= 4096


def test_a_runbook_is_found_by_its_name() -> None:
    shelf = Shelf((book("a", 'x="y"'), book("b", 'x="y"')))
    assert shelf.named("b") is shelf.runbooks[1]
    assert shelf.named("c") is None


@given(BOOKS, st.sampled_from(["Down", "api", "", "abc"]), st.sampled_from(list(Severity)))
def test_one_fits_exactly_if_nothing_of_it_is_missed(
    books: list[Runbook], value: str, severity: Severity
) -> None:
    labels = {"alertname": value, "job": "api"}
    for each in books:
        wrong, right = misses(each, labels, "checkout", severity)
        assert (wrong == []) == fits(each, labels, "checkout", severity)
        conditions = len(each.match) + (each.service is not None) + bool(each.severities)
        assert len(wrong) + right == conditions


@given(BOOKS, st.sampled_from(["Down", "api", "", "abc"]), st.sampled_from(list(Severity)))
def test_one_with_the_conditions_of_another_is_never_chosen(
    books: list[Runbook], value: str, severity: Severity
) -> None:
    lost = {loser.name: winner.name for loser, winner in rivals(books)}
    found = choose(books, {"alertname": value, "job": "api"}, "checkout", severity).runbook
    assert found is None or found.name not in lost
    assert all(winner < loser for loser, winner in lost.items())


def test_the_order_of_conditions_makes_no_other_runbook() -> None:
    first, second = book("a", 'x="1"', 'y="2"'), book("b", 'y="2"', 'x="1"')
    assert rivals([second, first]) == [(second, first)]
    assert rivals([first, book("c", 'x="1"', 'y="2"', service="shop")]) == []
