"""The trail of a decision: what it followed from, kept with it, for the configuration may be another one tomorrow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from incidentd.domain.correlate import EACH_ALERT
from incidentd.domain.routing import Route
from incidentd.domain.severity import Severity, SeverityRules

MOST_PASSED = 20
"""Routes that fit not which a trail names; the rest is a number."""
_LONGEST = 200
"""Characters of a label's value that a trail keeps."""


@dataclass(frozen=True, slots=True)
class Passed:
    """A route that was looked at before the one that fits, and its first matcher that does not."""

    route: str
    matcher: str
    label: str
    """That the matcher asks for."""
    value: str
    """Of that label; a missing one has the empty value."""


def passed(root: Route, labels: Mapping[str, str]) -> tuple[Passed, ...]:
    """The routes that were looked at and did not fit, in the order of `routing.decide`."""
    return tuple(_passed(root, labels, ""))


def _passed(parent: Route, labels: Mapping[str, str], prefix: str) -> Iterator[Passed]:
    for route in parent.routes:
        wrong = next((matcher for matcher in route.matchers if not matcher.matches(labels)), None)
        text = f"{prefix}{route}"
        if wrong is not None:
            yield Passed(text, str(wrong), wrong.name, labels.get(wrong.name, "")[:_LONGEST])
            continue
        yield from _passed(route, labels, f"{text} > ")
        if not route.continue_:
            return


def routing_trail(root: Route, labels: Mapping[str, str]) -> dict[str, object]:
    """Why no earlier route was taken: ``{"passed": [...], "more": how many are not named}``."""
    found = passed(root, labels)
    named = [
        {"route": p.route, "matcher": p.matcher, "label": p.label, "value": p.value}
        for p in found[:MOST_PASSED]
    ]
    return {"passed": named, "more": len(found) - len(named)}


def severity_trail(rules: SeverityRules, labels: Mapping[str, str]) -> dict[str, object]:
    """How a severity was read: the label, its value as sent, and ``by`` which rule it was understood.

    ``name``: it is a severity; ``map``: the configuration says what it means; ``default``: it is missing or unknown.
    """
    raw = labels.get(rules.label, "")
    word = raw.strip().lower()
    if word in set(Severity):
        by = "name"
    elif any(word == name.lower() for name in rules.map):
        by = "map"
    else:
        by = "default"
    return {"label": rules.label, "value": raw[:_LONGEST], "by": by}


def grouping_trail(by: tuple[str, ...], labels: Mapping[str, str]) -> dict[str, object]:
    """The grouping labels and their values; ``each`` for an incident for each alert."""
    if by == (EACH_ALERT,):
        return {"each": True}
    return {"by": list(by), "values": [labels.get(name, "")[:_LONGEST] for name in by]}
