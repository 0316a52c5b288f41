"""Routing: Alertmanager's tree, and who is told in the end."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.domain.matcher import Matcher, parse_matchers
from incidentd.domain.routing import Route, RoutingReason, decide

TREE = Route(
    notify=("console",),
    escalation="everyone",
    routes=(
        Route(parse_matchers('severity="info"'), notify=()),
        Route(parse_matchers('audit="yes"'), notify=("audit-mail", "console"), continue_=True),
        Route(
            parse_matchers("team=db"),
            notify=("db-slack",),
            name="databases",
            routes=(
                Route(
                    parse_matchers('severity="critical",env=~"prod.*"'), notify=("pager",), escalation="db"
                ),
                Route(parse_matchers("quiet=yes"), notify=()),
                Route(parse_matchers("severity=warning")),
            ),
        ),
        Route(parse_matchers("team=~db|web"), notify=("web-slack",)),
    ),
)


@pytest.mark.parametrize(
    ("labels", "notify", "escalation", "path", "reason"),
    [
        ({}, ("console",), "everyone", ("root",), RoutingReason.ROOT_CATCHES_ALL),
        ({"severity": "info"}, (), None, ('{severity="info"}',), RoutingReason.RECORD_ONLY),
        ({"team": "web"}, ("web-slack",), "everyone", ('{team=~"db|web"}',), RoutingReason.ROUTE_MATCHED),
        ({"team": "db"}, ("db-slack",), "everyone", ('databases{team="db"}',), RoutingReason.ROUTE_MATCHED),
        (
            {"team": "db", "severity": "critical", "env": "prod-eu"},
            ("pager",),
            "db",
            ('databases{team="db"} > {severity="critical",env=~"prod.*"}',),
            RoutingReason.ROUTE_MATCHED,
        ),
        (
            {"team": "db", "severity": "warning"},
            ("db-slack",),
            "everyone",
            ('databases{team="db"} > {severity="warning"}',),
            RoutingReason.ROUTE_MATCHED,
        ),
        (
            {"team": "db", "quiet": "yes"},
            (),
            None,
            ('databases{team="db"} > {quiet="yes"}',),
            RoutingReason.RECORD_ONLY,
        ),
        (
            {"audit": "yes", "team": "web"},
            ("audit-mail", "console", "web-slack"),
            "everyone",
            ('{audit="yes"}', '{team=~"db|web"}'),
            RoutingReason.ROUTE_MATCHED,
        ),
        (
            {"audit": "yes", "team": "db", "quiet": "yes"},
            ("audit-mail", "console"),
            "everyone",
            ('{audit="yes"}', 'databases{team="db"} > {quiet="yes"}'),
            RoutingReason.ROUTE_MATCHED,
        ),
    ],
)
def test_the_tree_decides_as_alertmanager_would(
    labels: dict[str, str],
    notify: tuple[str, ...],
    escalation: str | None,
    path: tuple[str, ...],
    reason: RoutingReason,
) -> None:
    decision = decide(TREE, labels)
    assert decision.notify == notify
    assert decision.escalation == escalation
    assert decision.path == path
    assert decision.reason is reason


def test_a_channel_named_by_several_routes_is_told_once() -> None:
    routes = (Route(notify=("a", "b", "a"), continue_=True), Route(notify=("b", "c")))
    assert decide(Route(routes=routes), {}).notify == ("a", "b", "c")


def test_the_first_route_with_an_escalation_gives_it() -> None:
    routes = (
        Route(notify=("a",), continue_=True),
        Route(notify=("b",), escalation="one", continue_=True),
        Route(notify=("c",), escalation="two"),
    )
    assert decide(Route(routes=routes), {}).escalation == "one"


def test_the_root_catches_all_even_if_it_has_matchers() -> None:
    root = Route(parse_matchers("team=db"), notify=("console",), name="default")
    decision = decide(root, {"team": "web"})
    assert decision.notify == ("console",)
    assert decision.path == ("default",)


def test_a_route_that_only_escalates_is_not_record_only() -> None:
    decision = decide(Route(routes=(Route(notify=(), escalation="primary"),)), {})
    assert decision.notify == ()
    assert decision.escalation == "primary"
    assert decision.reason is RoutingReason.ROUTE_MATCHED


def test_a_tree_that_names_no_channel_records_only() -> None:
    assert decide(Route(), {"severity": "critical"}).reason is RoutingReason.RECORD_ONLY


def test_below_a_record_only_route_nothing_is_inherited_but_silence() -> None:
    silent = Route(notify=(), routes=(Route(), Route(notify=("mail",))))
    root = Route(notify=("console",), escalation="primary", routes=(silent,))
    assert decide(root, {}).reason is RoutingReason.RECORD_ONLY


@dataclass
class ReferenceRoute:
    """Alertmanager's node: options settled when the tree is built, parent's first (NewRoute)."""

    spec: Route
    notify: tuple[str, ...]
    escalation: str | None
    children: list[ReferenceRoute] = field(default_factory=list)

    def match(self, labels: dict[str, str]) -> list[ReferenceRoute]:
        """Route.Match, line by line."""
        for matcher in self.spec.matchers:
            if not matcher.matches(labels):
                return []
        found: list[ReferenceRoute] = []
        for child in self.children:
            matches = child.match(labels)
            found.extend(matches)
            if matches and not child.spec.continue_:
                break
        if not found:
            found.append(self)
        return found


def reference(spec: Route, parent: ReferenceRoute | None = None) -> ReferenceRoute:
    notify = parent.notify if parent else ()
    escalation = parent.escalation if parent else None
    if spec.notify is not None:
        notify = spec.notify
        if not spec.notify:
            escalation = None
    if spec.escalation is not None:
        escalation = spec.escalation
    node = ReferenceRoute(spec, notify, escalation)
    node.children = [reference(child, node) for child in spec.routes]
    return node


names = st.sampled_from(["a", "b", "c"])
values = st.sampled_from(["", "x", "y"])
matchers = st.lists(
    st.builds(Matcher, names, st.sampled_from(["=", "!=", "=~", "!~"]), values), max_size=2
).map(tuple)
channels = st.none() | st.lists(st.sampled_from(["pager", "slack", "mail"]), max_size=2).map(tuple)
policies = st.none() | st.sampled_from(["one", "two"])


def nodes(children: st.SearchStrategy[Route]) -> st.SearchStrategy[Route]:
    below = st.lists(children, max_size=4).map(tuple)
    return st.builds(Route, matchers, channels, policies, st.booleans(), below)


trees = st.recursive(st.builds(Route, matchers, channels, policies, st.booleans()), nodes, max_leaves=12)
roots = st.builds(Route, notify=channels, escalation=policies, routes=st.lists(trees, max_size=4).map(tuple))


@given(roots, st.dictionaries(names, values))
def test_any_tree_decides_as_the_reference_written_from_alertmanagers_source(
    root: Route, labels: dict[str, str]
) -> None:
    matched = reference(root).match(labels)
    union: list[str] = []
    for channel in (channel for node in matched for channel in node.notify):
        if channel not in union:
            union.append(channel)
    escalations = [node.escalation for node in matched if node.escalation is not None]
    decision = decide(root, labels)
    assert decision.notify == tuple(union)
    assert decision.escalation == (escalations[0] if escalations else None)
    assert [text.split(" > ")[-1] for text in decision.path] == [
        "root" if node.spec is root else str(node.spec) for node in matched
    ]
    assert (decision.reason is RoutingReason.RECORD_ONLY) == (not union and not escalations)
