"""What is wrong with rules: certain only where the rule itself says it."""

from __future__ import annotations

import pytest

from incidentd.domain.matcher import parse_matchers
from incidentd.domain.routing import Route
from incidentd.domain.rule_lint import AlertRule, Code, Finding, Fit, Level, Surroundings, fits, lint
from incidentd.domain.severity import Severity, SeverityRules

GOOD = {"severity": "critical", "team": "db", "cluster": "a", "service": "x"}
RUNBOOK = {"runbook_url": "https://runbooks.example/x"}


def route(text: str, *routes: Route, goes_on: bool = False) -> Route:
    return Route(parse_matchers(text), ("pager",), continue_=goes_on, routes=routes)


def around(*routes: Route, **more: object) -> Surroundings:
    rules = SeverityRules(map={"P1": Severity.CRITICAL})
    root = Route(notify=("console",), routes=routes)
    return Surroundings(root, rules, ("alertname", "cluster", "service"), **more)  # type: ignore[arg-type]


def rule(labels: dict[str, str], annotations: dict[str, str] | None = None) -> AlertRule:
    return AlertRule("DiskFull", labels, RUNBOOK if annotations is None else annotations)


def codes(found: list[Finding]) -> list[Code]:
    return [finding.code for finding in found]


def found(labels: dict[str, str], *routes: Route, **more: object) -> list[Code]:
    return codes(list(lint([rule(labels)], around(*routes, **more))))


def test_a_rule_that_says_everything_is_clean() -> None:
    assert found(GOOD, route('team="db"')) == []


def test_a_rule_that_only_the_root_catches_is_an_error_that_names_whom_the_root_tells() -> None:
    [only, dead] = lint([rule(GOOD)], around(route('team="web"')))
    assert (only.code, only.code.level, dead.code) == (Code.NO_ROUTE, Level.ERROR, Code.DEAD_ROUTE)
    assert "which tells console" in only.what


def test_with_a_root_alone_no_rule_misses_a_route_of_its_own() -> None:
    assert found(GOOD) == []


@pytest.mark.parametrize("value", ["{{ $labels.team }}", None])
def test_a_label_that_the_rule_does_not_fix_may_match(value: str | None) -> None:
    labels = {name: text for name, text in GOOD.items() if name != "team"}
    if value is not None:
        labels["team"] = value
    expected = [Code.ROUTE_UNSURE] + ([Code.NO_OWNER] if value is None else [])
    assert found(labels, route('team="web"')) == expected


def test_an_empty_value_is_a_missing_label_and_known_to_be_one() -> None:
    assert Code.NO_ROUTE in found({**GOOD, "team": ""}, route('team="db"'))


def test_an_external_label_counts_like_one_of_the_rule() -> None:
    labels = {"severity": "critical", "service": "x"}
    known = {"cluster": "prod", "team": "db"}
    assert found(labels, route('cluster="prod"'), external_labels=known) == []


def test_the_name_is_a_label_whatever_the_rule_writes_there() -> None:
    assert found({**GOOD, "alertname": "Other"}, route('alertname="DiskFull"')) == []


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("critical", []),
        (" Critical", []),
        ("p1", []),
        ("{{ $labels.severity }}", []),
        ("crit", [Code.UNKNOWN_SEVERITY]),
        ("", [Code.NO_SEVERITY]),
    ],
)
def test_the_severity_is_read_as_intake_reads_it(word: str, expected: list[Code]) -> None:
    assert found({**GOOD, "severity": word}, route('team="db"')) == expected


def test_routes_see_the_severity_as_mapped() -> None:
    assert found({**GOOD, "severity": "P1"}, route('severity="critical"')) == []
    assert Code.NO_ROUTE in found({**GOOD, "severity": "odd"}, route('severity="critical"'))


def test_a_missing_severity_can_be_any_of_the_three_and_nothing_else() -> None:
    labels = {name: text for name, text in GOOD.items() if name != "severity"}
    assert found(labels, route('severity=~"critical|warning|info"')) == [Code.NO_SEVERITY]
    assert found(labels, route('severity="critical"')) == [Code.ROUTE_UNSURE, Code.NO_SEVERITY]


def test_a_heartbeat_needs_neither_route_nor_runbook_nor_owner() -> None:
    watchdog = AlertRule("Watchdog", {"severity": "none"}, {})
    beats = [parse_matchers('alertname="Watchdog"')]
    assert codes(list(lint([watchdog], around(heartbeats=beats)))) == []


def test_what_whoever_is_paged_would_miss_is_a_warning() -> None:
    bare = rule({"severity": "critical", "cluster": "a", "service": "x"}, {"runbook_url": " "})
    assert codes(list(lint([bare], around()))) == [Code.NO_RUNBOOK, Code.NO_OWNER]
    owned = rule({**GOOD, "owner": "alice"}, {})
    assert codes(list(lint([owned], around(owner_label="owner")))) == [Code.NO_RUNBOOK]


@pytest.mark.parametrize(
    ("matchers", "told"),
    [('alertname="DiskFull"', False), ('alertname=~"Disk.*", env="prod"', False), ('alertname="Down"', True)],
)
def test_a_rule_that_a_runbook_of_the_folder_may_fit_needs_no_link(matchers: str, told: bool) -> None:
    books = [parse_matchers('alertname="Other"'), parse_matchers(matchers)]
    found = codes(list(lint([rule(GOOD, {})], around(runbooks=books))))
    assert found == ([Code.NO_RUNBOOK] if told else [])


def test_a_grouping_label_that_is_not_set_is_good_to_know_and_each_alert_needs_none() -> None:
    labels = {"severity": "info", "team": "db", "service": "x"}
    [only] = lint([rule(labels)], around())
    assert (only.code.level, "cluster" in only.what) == (Level.INFO, True)
    assert list(lint([rule(labels)], Surroundings(grouping=("...",)))) == []


def test_a_route_behind_one_that_takes_all_is_dead_and_so_is_nothing_below_it_told() -> None:
    first, behind = route('team="db"'), route('severity="critical"', route('env="x"'))
    [dead] = lint([rule(GOOD)], around(first, behind))
    assert dead.code is Code.DEAD_ROUTE
    assert dead.what.startswith('route.routes.1 {severity="critical"}:')


def test_a_route_behind_one_that_goes_on_or_may_not_match_is_alive() -> None:
    assert found(GOOD, route('team="db"', goes_on=True), route('severity="critical"')) == []
    assert found(GOOD, route('env="x"'), route('severity="critical"')) == []


def test_a_route_inside_a_route_can_be_dead_alone() -> None:
    [dead] = lint([rule(GOOD)], around(route('team="db"', route('severity="info"'))))
    assert dead.what.startswith("route.routes.0.routes.0 ")


def test_without_any_rule_no_route_is_called_dead() -> None:
    assert list(lint([], around(route('team="db"')))) == []


def test_a_matcher_is_certain_if_every_possible_value_says_the_same() -> None:
    values = {"severity": ["critical", "warning"]}
    assert fits(parse_matchers('severity!="info"'), values) is Fit.YES
    assert fits(parse_matchers('severity="critical"'), values) is Fit.MAYBE
    assert fits(parse_matchers('severity="critical",other="x"'), {"severity": ["info"]}) is Fit.NO
