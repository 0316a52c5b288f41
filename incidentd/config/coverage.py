"""Whether a critical alert would leave over one channel that cannot tell whether it arrived."""

from __future__ import annotations

from collections.abc import Iterator

from incidentd.config.problems import KeyPath, dotted
from incidentd.config.route import RootRoute, RouteNode
from incidentd.config.tree import Config
from incidentd.domain.matcher import Matcher
from incidentd.domain.severity import Severity

_UNSURE = "apprise"
"""The kind that answers yes or no and nothing else."""


def unsure_pages(config: Config) -> Iterator[str]:
    """A warning for each route that can carry critical alerts and tells apprise channels alone."""
    unsure = {name for name, channel in config.channels.items() if channel.kind == _UNSURE}
    if not unsure:
        return
    for path, notify, matchers in _routes(config.route, ("route",), (), ()):
        channels = set(notify)
        reached = channels.union(
            *(config.channels[name].fallback for name in channels & set(config.channels))
        )
        if channels and reached <= unsure and _may_be_critical(matchers, config):
            names = ", ".join(sorted(channels))
            yield (
                f"{dotted((*path, 'notify'))}: critical alerts reach {names} alone, and apprise does not tell why a "
                "message failed or when to try again; add a channel of another kind, here or as its fallback"
            )


def _routes(
    node: RootRoute | RouteNode, path: KeyPath, above: tuple[str, ...], matchers: tuple[Matcher, ...]
) -> Iterator[tuple[KeyPath, tuple[str, ...], tuple[Matcher, ...]]]:
    """Every route below `node` and itself: its path, whom it tells, and all that must hold to get there."""
    own = node.matchers if isinstance(node, RouteNode) else ()
    notify = above if node.notify is None else node.notify
    yield path, notify, (*matchers, *own)
    for index, child in enumerate(node.routes):
        yield from _routes(child, (*path, "routes", index), notify, (*matchers, *own))


def _may_be_critical(matchers: tuple[Matcher, ...], config: Config) -> bool:
    """True if some value of the severity label means critical and meets what is asked of that label."""
    severity = config.severity
    asked = [matcher for matcher in matchers if matcher.name == severity.label]
    words = [Severity.CRITICAL.value, *severity.map]
    words += ["", "a word that means nothing"] if severity.default is Severity.CRITICAL else []
    values = [{severity.label: word} for word in words]
    return any(
        severity.rules.severity_of(labels) is Severity.CRITICAL
        and all(matcher.matches(labels) for matcher in asked)
        for labels in values
    )
