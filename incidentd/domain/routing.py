"""Who is told: the route tree with Alertmanager's semantics, and the decision for one set of labels."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from incidentd.domain.matcher import Matcher


class RoutingReason(enum.StrEnum):
    """Why these channels and no others."""

    ROUTE_MATCHED = "route_matched"
    """At least one route below the root fits, and somebody is told."""
    ROOT_CATCHES_ALL = "root_catches_all"
    """No route below the root fits: the root's own settings apply."""
    RECORD_ONLY = "record_only"
    """What fits says to tell nobody: the incident is kept, no channel and no escalation starts."""


@dataclass(frozen=True, slots=True)
class Route:
    """One node of the tree. It fits if all its matchers do; the root fits always."""

    matchers: tuple[Matcher, ...] = ()
    notify: tuple[str, ...] | None = None
    """Channels to tell; None takes the parent's, an empty tuple means record only."""
    escalation: str | None = None
    """Escalation policy; None takes the parent's, unless this node's `notify` says to tell nobody."""
    continue_: bool = False
    """If this node fits, its later siblings are tried too."""
    routes: tuple[Route, ...] = ()
    name: str = ""

    def fits(self, labels: Mapping[str, str]) -> bool:
        """True if every matcher does; a node without matchers fits everything."""
        return all(matcher.matches(labels) for matcher in self.matchers)

    def __str__(self) -> str:
        """The node as people read it: its name, if any, and its matchers in braces."""
        return f"{self.name}{{{','.join(map(str, self.matchers))}}}"


@dataclass(frozen=True, slots=True)
class RoutingDecision:
    """What follows for an alert from its labels."""

    notify: tuple[str, ...]
    """Channels of all nodes that fit, in order, each once."""
    escalation: str | None
    """The first policy among the nodes that fit."""
    path: tuple[str, ...]
    """One text per node that fits, from below the root down to it: ``{team="db"} > {severity="info"}``."""
    reason: RoutingReason


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A node that fits, with what it has inherited on the way down."""

    depth: int
    notify: tuple[str, ...]
    escalation: str | None
    text: str


ROOT = "root"
"""How a decision's path calls the root without a name."""


def decide(root: Route, labels: Mapping[str, str]) -> RoutingDecision:
    """Channels and escalation for `labels`, exactly as Alertmanager's dispatch/route.go walks the tree.

    Depth first; a node of which no child fits stands for itself; among siblings the first that fits ends the
    search unless it says continue. The root catches all: its own matchers, if any, are not asked.
    """
    top = _Leaf(0, root.notify or (), root.escalation, root.name or ROOT)
    leaves = tuple(_below(root, top, labels)) or (top,)
    notify = tuple(dict.fromkeys(channel for leaf in leaves for channel in leaf.notify))
    escalation = next((leaf.escalation for leaf in leaves if leaf.escalation is not None), None)
    return RoutingDecision(notify, escalation, tuple(leaf.text for leaf in leaves), _reason(leaves))


def _reason(leaves: tuple[_Leaf, ...]) -> RoutingReason:
    if not any(leaf.notify or leaf.escalation is not None for leaf in leaves):
        return RoutingReason.RECORD_ONLY
    return RoutingReason.ROUTE_MATCHED if leaves[0].depth else RoutingReason.ROOT_CATCHES_ALL


def _below(parent: Route, inherited: _Leaf, labels: Mapping[str, str]) -> Iterator[_Leaf]:
    """The leaves among the descendants of `parent` that fit, left to right."""
    for route in parent.routes:
        if not route.fits(labels):
            continue
        own = _settled(route, inherited)
        deeper = tuple(_below(route, own, labels))
        yield from deeper or (own,)
        if not route.continue_:
            return


def _settled(route: Route, inherited: _Leaf) -> _Leaf:
    notify = inherited.notify if route.notify is None else route.notify
    escalation = route.escalation
    # "Tell nobody" would be a lie if the parent's escalation still rang somebody's phone.
    if escalation is None and route.notify != ():
        escalation = inherited.escalation
    text = f"{inherited.text} > {route}" if inherited.depth else str(route)
    return _Leaf(inherited.depth + 1, notify, escalation, text)
