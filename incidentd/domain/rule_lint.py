"""What is wrong with alerting rules, seen from the configuration that will receive their alerts.

A rule says only a part of an alert's labels: the others come from the series of its expression, and a value may be a
template. What is not written in the rule is therefore unknown, and a matcher on it may match or not.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from incidentd.domain.correlate import EACH_ALERT
from incidentd.domain.matcher import Matcher
from incidentd.domain.routing import Route
from incidentd.domain.severity import Severity, SeverityRules

NAME = "alertname"
"""The label that Prometheus fills with the rule's name, whatever the rule writes there."""
RUNBOOK = "runbook_url"
"""The annotation that an incident takes the link to its runbook from."""
_TEMPLATE = "{{"


class Level(enum.StrEnum):
    """How bad a finding is, worst first."""

    ERROR = "error"
    """An alert would not do what was meant."""
    WARNING = "warning"
    """Whoever is paged will miss something."""
    INFO = "info"
    """Good to know, and often as it should be."""


class Code(enum.StrEnum):
    """What was found."""

    UNREADABLE = "unreadable"
    """A file, or a part of it, that is no alerting rule: nothing is known about what it holds."""
    NO_ROUTE = "no_route"
    """No route below the root can match."""
    UNKNOWN_SEVERITY = "unknown_severity"
    """The severity label has a value that means nothing."""
    NO_SEVERITY = "no_severity"
    NO_RUNBOOK = "no_runbook"
    NO_OWNER = "no_owner"
    ROUTE_UNSURE = "route_unsure"
    """Whether a route matches depends on labels that the rule does not set."""
    GROUPING_LABEL = "grouping_label"
    """A label of `grouping.by` that the rule does not set."""
    DEAD_ROUTE = "dead_route"
    """A route that none of the rules can reach."""
    SCHEDULE = "schedule"
    """Nobody, or not who was meant, is on duty at some time."""
    THIN_PAGING = "thin_paging"
    """Critical alerts leave over too little."""

    @property
    def level(self) -> Level:
        """How bad it is."""
        return _LEVELS.get(self, Level.WARNING)


_LEVELS = {
    Code.UNREADABLE: Level.ERROR,
    Code.NO_ROUTE: Level.ERROR,
    Code.UNKNOWN_SEVERITY: Level.ERROR,
    Code.ROUTE_UNSURE: Level.INFO,
    Code.GROUPING_LABEL: Level.INFO,
    Code.DEAD_ROUTE: Level.INFO,
}


@dataclass(frozen=True, slots=True)
class AlertRule:
    """One alerting rule, as far as it decides what becomes of its alerts."""

    name: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    group: str = ""
    file: str = ""
    line: int | None = None
    """Line in `file`, from 1, where it is known."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and what to do about it."""

    code: Code
    what: str
    remedy: str
    rule: AlertRule | None = None
    """None if it is about a file or the configuration."""
    file: str = ""
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the configuration makes of alerts, and what is known of all of them."""

    route: Route = field(default_factory=Route)
    severity: SeverityRules = field(default_factory=SeverityRules)
    grouping: Sequence[str] = (NAME,)
    heartbeats: Sequence[Sequence[Matcher]] = ()
    """Matcher sets; a rule that surely fits one is a sign of life and pages nobody."""
    owner_label: str = "team"
    external_labels: Mapping[str, str] = field(default_factory=dict)
    """Labels that Prometheus puts on every alert that does not have them."""
    runbooks: Sequence[Sequence[Matcher]] = ()
    """Matcher sets of the runbooks of the folder; an incident that may get one needs no link."""


class Fit(enum.IntEnum):
    """Whether something matches."""

    NO = 0
    MAYBE = 1
    YES = 2


Values = Mapping[str, Sequence[str]]
"""Label -> the values it can have. A label that is not in it can have any, or be missing."""
_Path = tuple[int, ...]


def lint(rules: Sequence[AlertRule], around: Surroundings) -> Iterator[Finding]:
    """Everything that is wrong with `rules`, rule by rule, then the routes that none of them can reach."""
    reached: set[_Path] = set()
    for rule in rules:
        values = values_of(rule, around)
        fit = _walk(around.route, (), values, reached)
        if not _heartbeat(values, around):
            yield from _findings(rule, values, fit, around)
    if rules:
        yield from _dead_routes(around.route, (), reached)


def values_of(rule: AlertRule, around: Surroundings) -> Values:
    """What is known of the labels that matchers see: the severity as mapped, as at intake."""
    written = {**around.external_labels, **rule.labels, NAME: rule.name}
    values = {name: [value] for name, value in written.items() if _TEMPLATE not in value}
    label = around.severity.label
    if label in values:
        values[label] = [around.severity.severity_of({label: values[label][0]}).value]
    else:
        values[label] = [severity.value for severity in Severity]
    return values


def fits(matchers: Iterable[Matcher], values: Values) -> Fit:
    """Whether all of `matchers` match labels with these values."""
    found = Fit.YES
    for matcher in matchers:
        if matcher.name not in values:
            found = min(found, Fit.MAYBE)
            continue
        answers = {matcher.matches({matcher.name: value}) for value in values[matcher.name]}
        found = min(found, Fit.YES if answers == {True} else Fit.MAYBE if True in answers else Fit.NO)
    return found


def _walk(parent: Route, path: _Path, values: Values, reached: set[_Path]) -> Fit:
    """Whether one of the children of `parent` takes the alert; all that may is added to `reached`."""
    taken = Fit.NO
    for index, route in enumerate(parent.routes):
        fit = fits(route.matchers, values)
        if fit is Fit.NO:
            continue
        reached.add((*path, index))
        _walk(route, (*path, index), values, reached)
        taken = max(taken, fit)
        if fit is Fit.YES and not route.continue_:
            break  # its later siblings are never asked
    return taken


def _heartbeat(values: Values, around: Surroundings) -> bool:
    return any(fits(matchers, values) is Fit.YES for matchers in around.heartbeats)


def _written_down(values: Values, around: Surroundings) -> bool:
    return any(fits(matchers, values) is not Fit.NO for matchers in around.runbooks)


def _findings(rule: AlertRule, values: Values, fit: Fit, around: Surroundings) -> Iterator[Finding]:
    yield from _routing(rule, values, fit, around)
    yield from _severity(rule, around)
    if not rule.annotations.get(RUNBOOK, "").strip() and not _written_down(values, around):
        remedy = (
            f"add the annotation {RUNBOOK}, the address of what to do, or a runbook that matches its labels"
        )
        yield Finding(Code.NO_RUNBOOK, "has no runbook", remedy, rule)
    written = {**around.external_labels, **rule.labels}
    if not written.get(around.owner_label, "").strip():
        what = f"says nobody is its owner: no label {around.owner_label}"
        remedy = f"add the label {around.owner_label}, or name yours with --owner-label"
        yield Finding(Code.NO_OWNER, what, remedy, rule)
    for name in around.grouping:
        if name not in (NAME, EACH_ALERT) and name not in written:
            what = f"does not set {name}, one of grouping.by"
            remedy = f"if the expression has no {name} either, all its alerts are one incident: set the label"
            yield Finding(Code.GROUPING_LABEL, what, remedy, rule)


def _routing(rule: AlertRule, values: Values, fit: Fit, around: Surroundings) -> Iterator[Finding]:
    if not around.route.routes:
        return  # the root is the only route there is: that is what was meant
    if fit is Fit.NO:
        told = ", ".join(around.route.notify or ()) or "nobody"
        what = f"has no route of its own: only the root catches it, which tells {told}"
        yield Finding(
            Code.NO_ROUTE, what, "add a route that matches it, or a label that a route asks for", rule
        )
    elif fit is Fit.MAYBE:
        asked = {matcher.name for route in around.route.routes for matcher in route.matchers}
        names = ", ".join(sorted(name for name in asked if len(values.get(name, ())) != 1))
        what = f"has a route only if the series of its expression, or a template, give it the right {names}"
        yield Finding(Code.ROUTE_UNSURE, what, f"set {names} in the rule to be sure", rule)


def _severity(rule: AlertRule, around: Surroundings) -> Iterator[Finding]:
    rules = around.severity
    written = {**around.external_labels, **rule.labels}.get(rules.label, "")
    if _TEMPLATE in written:
        return
    accepted = ", ".join([*(severity.value for severity in Severity), *rules.map])
    if not written.strip():
        what = f"has no label {rules.label}: it counts as {rules.default.value}"
        yield Finding(Code.NO_SEVERITY, what, f"add the label {rules.label}; accepted: {accepted}", rule)
    elif not rules.knows(written):
        what = f'has {rules.label} "{written}", which is unknown: it counts as {rules.default.value}'
        yield Finding(Code.UNKNOWN_SEVERITY, what, f"accepted: {accepted}; or add it to severity.map", rule)


def _dead_routes(parent: Route, path: _Path, reached: set[_Path]) -> Iterator[Finding]:
    for index, route in enumerate(parent.routes):
        here = (*path, index)
        if here in reached:
            yield from _dead_routes(route, here, reached)
            continue
        where = "route" + "".join(f".routes.{number}" for number in here)
        what = f"{where} {route}: none of these rules can reach it"
        yield Finding(Code.DEAD_ROUTE, what, "delete it, or lint the rules it is meant for too")
