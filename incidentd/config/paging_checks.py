"""Escalation and drills: names that nothing bears, and people that nothing reaches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from incidentd.config.document import Document
from incidentd.config.explain import nearest
from incidentd.config.problems import KeyPath, Problem, dotted
from incidentd.config.route import RootRoute, RouteNode
from incidentd.config.tree import CONSOLE, Config
from incidentd.domain.escalation import Kind, Policy, parse_target

_SECTION = {Kind.SCHEDULE: "schedules", Kind.USER: "users", Kind.CHANNEL: "channels"}


def broken_targets(document: Document) -> Iterator[Problem]:
    """Targets of escalations and drills, channels of contact rules, that are not configured. Looks at the raw file."""
    raw = _mapping(document.raw)
    for name, policy in _mapping(raw.get("escalation")).items():
        path: KeyPath = ("escalation", str(name))
        for index, step in enumerate(_list(_mapping(policy).get("steps"))):
            yield from _targets(document, (*path, "steps", index, "notify"), _mapping(step).get("notify"))
        yield from _targets(document, (*path, "last_resort"), _mapping(policy).get("last_resort"))
    for name, drill in _mapping(raw.get("drills")).items():
        yield from _targets(document, ("drills", str(name), "notify"), _mapping(drill).get("notify"))
    channels = _names(raw, Kind.CHANNEL)
    for name, user in _mapping(raw.get("users")).items():
        for index, rule in enumerate(_list(_mapping(user).get("contact"))):
            channel = _mapping(rule).get("channel")
            if isinstance(channel, str) and channel not in channels:
                path = ("users", str(name), "contact", index, "channel")
                yield _unknown(document, path, channel, channels, "channel")


def unfit_contacts(config: Config, document: Document) -> Iterator[Problem]:
    """Contact rules that could never reach the person."""
    for name, user in config.users.items():
        for index, rule in enumerate(user.contact):
            channel = config.channels.get(rule.channel)
            missing = {"email": "email", "slack": "slack"}.get(channel.kind if channel else "")
            if missing is None or rule.as_ == "channel" or getattr(user, missing):
                continue
            path: KeyPath = ("users", name, "contact", index)
            what = (
                f"{rule.channel} needs users.{name}.{missing}, which is not set; accepted: set it, "
                "or as: channel to tell it where the channel goes"
            )
            yield Problem(dotted(path), what, document.line(path))


def paging_warnings(config: Config) -> Iterator[str]:
    """Policies that nothing starts, and people whom a policy names and nothing reaches."""
    named = set(_policies(config.route))
    for name, section in config.escalation.items():
        if name not in named:
            yield f"escalation.{name}: no route names it, so it never starts"
        policy = section.policy(name)
        for user in sorted(_users(policy)):
            person = config.users.get(user)
            if person is not None and not person.contact and not _default_reaches(config, user):
                yield (
                    f"users.{user}: escalation.{name} tells them, but nothing reaches them; "
                    "set contact, or email or slack with such a channel"
                )
        if not section.last_resort:
            yield f"escalation.{name}.last_resort: empty, so after the last step nobody is told"


def paged_channels(config: Config) -> set[str]:
    """Channels that an escalation tells something, as such or to reach a person."""
    targets = {
        target
        for name, section in config.escalation.items()
        for step in section.policy(name).steps
        for target in step.notify
    } | {target for name, section in config.escalation.items() for target in section.policy(name).last_resort}
    found = {target.name for target in targets if target.kind is Kind.CHANNEL}
    if any(target.kind is not Kind.CHANNEL for target in targets):
        found |= {rule.channel for user in config.users.values() for rule in user.contact}
        kinds = {"email": "email", "slack": "slack"}
        easy = [user for user in config.users.values() if not user.contact]
        for field, kind in kinds.items():
            first = next((name for name, each in config.channels.items() if each.kind == kind), None)
            if first is not None and any(getattr(user, field) for user in easy):
                found.add(first)
    return found


def _policies(route: RootRoute | RouteNode) -> Iterator[str]:
    if route.escalation is not None:
        yield route.escalation
    for node in route.routes:
        yield from _policies(node)


def _users(policy: Policy) -> set[str]:
    return {t.name for step in policy.steps for t in step.notify if t.kind is Kind.USER}


def _default_reaches(config: Config, name: str) -> bool:
    user, kinds = config.users[name], {channel.kind for channel in config.channels.values()}
    bots = any(
        getattr(channel, "token", None) for channel in config.channels.values() if channel.kind == "slack"
    )
    return bool((user.email and "email" in kinds) or (user.slack and bots))


def _targets(document: Document, path: KeyPath, written: object) -> Iterator[Problem]:
    for index, text in enumerate(_list(written)):
        try:
            target = parse_target(text) if isinstance(text, str) else None
        except ValueError:
            target = None  # pydantic says what is wrong with it
        if target is None:
            continue
        known = _names(_mapping(document.raw), target.kind)
        if target.name not in known:
            yield _unknown(document, (*path, index), target.name, known, target.kind.value)


def _unknown(document: Document, path: KeyPath, name: str, known: tuple[str, ...], what: str) -> Problem:
    accepted = ", ".join(known) or "none, for none is configured"
    text = f'"{name}" is no configured {what}; accepted: {accepted}{nearest(name, known)}'
    return Problem(dotted(path), text, document.line(path))


def _names(raw: Mapping[str, Any], kind: Kind) -> tuple[str, ...]:
    written = raw.get(_SECTION[kind])
    if written is None:
        return (CONSOLE,) if kind is Kind.CHANNEL else ()
    return tuple(map(str, _mapping(written)))


def _mapping(raw: object) -> Mapping[str, Any]:
    return raw if isinstance(raw, Mapping) else {}


def _list(raw: object) -> list[Any]:
    return raw if isinstance(raw, list) else []
