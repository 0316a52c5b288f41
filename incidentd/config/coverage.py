"""Over what critical alerts would leave, and whether that is enough for a page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from incidentd.config.problems import KeyPath, dotted
from incidentd.config.route import RootRoute, RouteNode
from incidentd.config.tree import CONSOLE, Config
from incidentd.domain.severity import Severity

_UNSURE = "apprise"
"""The kind that answers yes or no and nothing else."""
_ALONE = (
    "and if that cannot deliver nobody is paged; add another channel, here or as its fallback "
    "(a console does not count)"
)
_NO_ANSWER = (
    "and apprise does not tell why a message failed or when to try again; add a channel of another kind, "
    "here or as its fallback"
)


class _Stop(NamedTuple):
    """A route whose channels are told of an alert."""

    path: KeyPath
    notify: tuple[str, ...]
    sure: bool
    """Every critical alert ends here; else only those whose other labels fit."""


def weak_pages(config: Config) -> Iterator[str]:
    """A warning for each route where critical alerts leave over one channel alone, or over apprise alone."""
    kinds = {name: channel.kind for name, channel in config.channels.items()}
    if set(kinds.values()) == {CONSOLE}:
        return  # somebody who tries it out
    # Matchers see the severity as mapped, under the label it is read from.
    stops = list(_stops(config.route, ("route",), config.route.notify, config.severity.label))
    told = {name for stop in stops if stop.sure for name in stop.notify}
    for stop in stops:
        reached = _with_fallbacks(config, told.union(stop.notify)) if stop.notify else set()
        counting = sorted(name for name in reached if kinds[name] != CONSOLE)
        if reached and (why := _weakness([kinds[name] for name in counting])):
            names = ", ".join(counting or sorted(reached))
            yield f"{dotted((*stop.path, 'notify'))}: critical alerts reach {names} alone, {why}"


def _weakness(kinds: list[str]) -> str:
    """What is wrong with channels of these kinds, consoles left out, as the ways of a page; empty if nothing is."""
    if kinds and all(kind == _UNSURE for kind in kinds):
        return _NO_ANSWER
    return _ALONE if len(kinds) <= 1 else ""


def _with_fallbacks(config: Config, names: set[str]) -> set[str]:
    return names.union(*(config.channels[name].fallback for name in names))


def _stops(
    node: RootRoute | RouteNode, path: KeyPath, notify: tuple[str, ...], label: str, *, sure: bool = True
) -> Iterator[_Stop]:
    """Where a critical alert that has come to `node` can end; all but its severity, in `label`, is unknown."""
    asked, caught, maybe = False, False, False
    for index, child in enumerate(node.routes):
        if not _may_match(child, label):
            continue
        certain = all(matcher.name == label for matcher in child.matchers)
        below = notify if child.notify is None else child.notify
        yield from _stops(child, (*path, "routes", index), below, label, sure=sure and certain and not maybe)
        asked, caught = True, caught or certain
        if certain and not child.continue_:
            return
        # One that may match and does not let go on: whether later ones are asked is unknown from here.
        maybe = maybe or not (certain or child.continue_)
    if not caught:
        yield _Stop(path, notify, sure and not asked)


def _may_match(route: RouteNode, label: str) -> bool:
    critical = {label: Severity.CRITICAL.value}
    return all(matcher.matches(critical) for matcher in route.matchers if matcher.name == label)
