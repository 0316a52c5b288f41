"""`route`: who is told of what. Alertmanager's tree."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from incidentd.config.section import MatcherField, Section
from incidentd.domain.routing import Route


class RouteNode(Section):
    """One route below the root. The first sibling that matches wins, unless it says `continue`."""

    matchers: tuple[MatcherField, ...] = ()
    """All must hold; none at all match everything."""
    notify: tuple[str, ...] | None = None
    """Names of channels; absent takes those of the route above, `[]` records only and tells nobody."""
    escalation: str | None = None
    """Name of an escalation policy; absent takes that of the route above."""
    continue_: bool = Field(default=False, alias="continue")
    """If this route matches, its later siblings are tried too."""
    routes: tuple[RouteNode, ...] = ()
    """Routes inside this one."""

    @property
    def route(self) -> Route:
        """The same for the domain."""
        return Route(
            matchers=self.matchers,
            notify=self.notify,
            escalation=self.escalation,
            continue_=self.continue_,
            routes=tuple(node.route for node in self.routes),
        )


class RootRoute(Section):
    """The root of the tree: it catches all that no route below it matches."""

    notify: tuple[str, ...] = ("console",)
    """Names of channels told of what nothing below matches; absent names the console channels, else all."""
    escalation: str | None = None
    """Name of an escalation policy."""
    routes: tuple[RouteNode, ...] = ()
    """The routes, tried in order."""

    @property
    def tree(self) -> Route:
        """The whole tree for the domain."""
        return Route(
            notify=self.notify,
            escalation=self.escalation,
            routes=tuple(node.route for node in self.routes),
        )

    def channels(self) -> frozenset[str]:
        """Names of all channels that some route notifies."""
        return frozenset(self.notify).union(*(node.notify or () for node in _all(self.routes)))


def _all(nodes: tuple[RouteNode, ...]) -> Iterator[RouteNode]:
    for node in nodes:
        yield node
        yield from _all(node.routes)
