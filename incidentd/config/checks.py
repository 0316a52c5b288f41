"""What no single field can know: names that refer to other sections, and what deserves a warning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from incidentd.config.access_checks import access_warnings
from incidentd.config.automation import open_to_commands
from incidentd.config.callers import idle_sections
from incidentd.config.coverage import weak_pages
from incidentd.config.digest import EMAIL
from incidentd.config.document import Document
from incidentd.config.explain import nearest
from incidentd.config.paging_checks import paged_channels, paging_warnings
from incidentd.config.problems import KeyPath, Problem, dotted
from incidentd.config.tree import CONSOLE, Config


def broken_references(document: Document) -> Iterator[Problem]:
    """Names that nothing bears. Looks at the raw file, so that other mistakes do not hide these."""
    raw = document.raw
    channels = _names(raw, "channels", (CONSOLE,))
    escalations = _names(raw, "escalation", ())
    for path, route in _routes(_mapping(raw).get("route"), ("route",)):
        for index, name in enumerate(_list(route.get("notify"))):
            yield from _unknown(document, (*path, "notify", index), name, channels, "channel")
        yield from _unknown(document, (*path, "escalation"), route.get("escalation"), escalations, "policy")
    for index, name in enumerate(_list(_mapping(_mapping(raw).get("digest")).get("channels"))):
        yield from _unknown(document, ("digest", "channels", index), name, channels, "channel")
    report = _mapping(_mapping(_mapping(raw).get("figures")).get("monthly_report"))
    place = ("figures", "monthly_report", "channel")
    yield from _unknown(document, place, report.get("channel"), channels, "channel")
    audit = _mapping(_mapping(raw).get("audit"))
    mails = tuple(
        n for n, c in _mapping(_mapping(raw).get("channels")).items() if _mapping(c).get("kind") == "email"
    )
    path = ("audit", "anchor", "email")
    yield from _unknown(document, path, _mapping(audit.get("anchor")).get("email"), mails, "e-mail channel")
    page = _mapping(_mapping(_mapping(raw).get("status_page")).get("subscribers"))
    path = ("status_page", "subscribers", "email")
    yield from _unknown(document, path, page.get("email"), mails, "e-mail channel")
    for name, channel in _mapping(_mapping(raw).get("channels")).items():
        others = tuple(other for other in channels if other != name)
        for index, other in enumerate(_list(_mapping(channel).get("fallback"))):
            path = ("channels", str(name), "fallback", index)
            yield from _unknown(document, path, other, others, "other channel")
    sources = _names(raw, "sources", ("main",))
    for index, token in enumerate(_list(_mapping(_mapping(raw).get("auth")).get("tokens"))):
        path = ("auth", "tokens", index, "source")
        yield from _unknown(document, path, _mapping(token).get("source"), sources, "source")


def warnings(config: Config) -> Iterator[str]:
    """What works, but perhaps not as meant."""
    server = config.server
    yield from access_warnings(config)
    if not server.loopback and not server.public_url_given:
        yield f"server.public_url: not set, so links in messages point to {server.public_url}"
    if not config.route.notify:
        yield "route.notify: empty, so nobody is told of alerts that no route matches"
    yield from _channel_warnings(config)
    yield from idle_sections(config)
    yield from paging_warnings(config)
    yield from open_to_commands(config.automation)
    if config.digest is not None:
        yield from config.digest.idle(config.mail_channels)
    monthly = config.figures.monthly_report
    if monthly is not None and monthly.channel not in config.mail_channels:
        yield f"figures.monthly_report.channel: {monthly.channel} is of no kind {EMAIL}, so nothing is mailed"
    for name, source in config.sources.items():
        if not source.alertmanagers and "reconcile" in source.model_fields_set:
            yield f"sources.{name}.reconcile: without alertmanagers there is nobody to ask"


def _unwatched(config: Config) -> Iterator[str]:
    """A public page that would stay green if nothing reached us any more."""
    page = config.status_page
    if page.components and page.stale:
        for name, source in config.sources.items():
            if not source.watched:
                yield (
                    f"sources.{name}.heartbeats: none is written there, so the status page stays green when no more "
                    "alerts come; write how often its Watchdog comes, or status_page.stale: false"
                )


def _channel_warnings(config: Config) -> Iterator[str]:
    told = config.route.channels().union(*(channel.fallback for channel in config.channels.values()))
    told |= paged_channels(config) | {config.status_page.subscribers.email or ""}
    for name, channel in config.channels.items():
        if name not in told:
            yield f"channels.{name}: no route notifies it"
        if channel.kind == "webhook" and channel.texts is not None:
            yield f"channels.{name}.texts: change nothing, for a webhook carries data; delete them"
    yield from weak_pages(config)
    yield from _unwatched(config)


def _unknown(
    document: Document, path: KeyPath, name: object, known: tuple[str, ...], what: str
) -> Iterable[Problem]:
    # What is no text at all is pydantic's to refuse.
    if not isinstance(name, str) or name in known:
        return
    accepted = ", ".join(known) or "none, for none is configured"
    text = f'"{name}" is no configured {what}; accepted: {accepted}{nearest(name, known)}'
    yield Problem(dotted(path), text, document.line(path))


def _routes(route: object, path: KeyPath) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    if isinstance(route, Mapping):
        yield path, route
        for index, child in enumerate(_list(route.get("routes"))):
            yield from _routes(child, (*path, "routes", index))


def _names(raw: object, section: str, default: tuple[str, ...]) -> tuple[str, ...]:
    written = _mapping(raw).get(section)
    return default if written is None else tuple(map(str, _mapping(written)))


def _mapping(raw: object) -> Mapping[str, Any]:
    return raw if isinstance(raw, Mapping) else {}


def _list(raw: object) -> list[Any]:
    return raw if isinstance(raw, list) else []
