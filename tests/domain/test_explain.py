"""What is kept beside a decision, and how an explanation says instants and lists."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from incidentd.domain.explain import Kind, Statement, counted, in_order, listed, sentence, utc
from incidentd.domain.explain_trail import (
    MOST_PASSED,
    Passed,
    grouping_trail,
    passed,
    routing_trail,
    severity_trail,
)
from incidentd.domain.matcher import parse_matchers
from incidentd.domain.routing import Route
from incidentd.domain.severity import Severity, SeverityRules

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TREE = Route(
    routes=(
        Route(parse_matchers('team="web",severity="critical"')),
        Route(parse_matchers('audit="yes"'), continue_=True),
        Route(
            parse_matchers("team=db"),
            name="databases",
            routes=(Route(parse_matchers('env=~"prod.*"')), Route(parse_matchers("quiet=yes"))),
        ),
        Route(parse_matchers("team=never")),
    )
)


def test_every_route_before_the_one_that_fits_is_named_with_its_first_matcher_that_does_not() -> None:
    assert passed(TREE, {"team": "db", "env": "test"}) == (
        Passed('{team="web",severity="critical"}', 'team="web"', "team", "db"),
        Passed('{audit="yes"}', 'audit="yes"', "audit", ""),
        Passed('databases{team="db"} > {env=~"prod.*"}', 'env=~"prod.*"', "env", "test"),
        Passed('databases{team="db"} > {quiet="yes"}', 'quiet="yes"', "quiet", ""),
    )


def test_what_comes_after_the_route_that_fits_was_not_looked_at() -> None:
    found = passed(TREE, {"team": "web", "severity": "critical"})
    assert found == ()


def test_after_a_route_that_says_continue_the_next_ones_were_looked_at() -> None:
    assert [p.label for p in passed(TREE, {"audit": "yes"})] == ["team", "team", "team"]


def test_a_long_list_of_routes_is_cut_and_the_rest_counted() -> None:
    root = Route(routes=tuple([Route(parse_matchers(f"n=x{i}")) for i in range(MOST_PASSED + 3)]))
    trail = routing_trail(root, {"n": "y" * 1000})
    found = trail["passed"]
    assert isinstance(found, list)
    assert (len(found), trail["more"]) == (MOST_PASSED, 3)
    assert found[0] == {"route": '{n="x0"}', "matcher": 'n="x0"', "label": "n", "value": "y" * 200}


@pytest.mark.parametrize(
    ("value", "by"),
    [(" Critical ", "name"), ("P1", "map"), ("page", "map"), ("urgent", "default"), (None, "default")],
)
def test_how_a_severity_was_read_is_kept_as_it_was_sent(value: str | None, by: str) -> None:
    rules = SeverityRules("prio", map={"p1": Severity.CRITICAL, "page": Severity.CRITICAL})
    labels = {} if value is None else {"prio": value}
    assert severity_trail(rules, labels) == {"label": "prio", "value": value or "", "by": by}


def test_the_grouping_labels_are_kept_with_their_values() -> None:
    assert grouping_trail(("a", "b"), {"a": "1"}) == {"by": ["a", "b"], "values": ["1", ""]}
    assert grouping_trail(("...",), {"a": "1"}) == {"each": True}


def test_instants_are_said_in_utc_with_seconds_where_there_are_any() -> None:
    berlin = timezone(timedelta(hours=1))
    assert utc(NOON.astimezone(berlin)) == "2026-11-20 12:00 UTC"
    assert utc(NOON + timedelta(seconds=5)) == "2026-11-20 12:00:05 UTC"


def test_lists_numbers_and_lines_are_said_as_people_write_them() -> None:
    assert [listed(words) for words in ((), ("a",), ("a", "b"), ("a", "b", "c"))] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert listed(("a", "b"), "or") == "a or b"
    assert (counted(1, "alert"), counted(2, "alert")) == ("1 alert", "2 alerts")
    assert (sentence("told twice"), sentence(" Why? ")) == ("Told twice.", "Why?")


def test_what_has_no_instant_stays_behind_what_it_follows() -> None:
    def say(at: datetime | None, text: str) -> Statement:
        return Statement(at, Kind.EVENT, text, "x")

    later = NOON + timedelta(minutes=1)
    said = in_order([say(None, "first"), say(later, "late"), say(None, "with it"), say(NOON, "early")])
    assert [each.text for each in said] == ["first", "early", "late", "with it"]
