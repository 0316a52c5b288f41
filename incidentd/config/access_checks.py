"""Who may come in: what is unclear about it, and what deserves a warning."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from incidentd.config.access import Scope
from incidentd.config.document import Document
from incidentd.config.explain import nearest
from incidentd.config.problems import KeyPath, Problem, dotted
from incidentd.config.tree import Config

_OIDC_HINT = "pip install 'incidentd[oidc]'"


def unclear_access(config: Config, document: Document) -> Iterator[Problem]:
    """What would let in somebody else than is meant, or nobody."""
    for path, what in (*_tokens(config), *_teams(config), *_certificates(config), *_oidc(config)):
        yield Problem(dotted(path), what, document.line(path))


def _tokens(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """Tokens of which it could not be told who sent them."""
    names: dict[str, str] = {}
    values: dict[str, str] = {}
    for index, token in enumerate(config.auth.tokens):
        given = [("name", names, token.name), ("token", values, token.token.get_secret_value())]
        if token.previous is not None:
            given.append(("previous", values, token.previous.get_secret_value()))
        for key, seen, value in given:
            path: KeyPath = ("auth", "tokens", index, key)
            first = seen.setdefault(value, dotted(path))
            if first != dotted(path):
                yield path, f"is the same as {first}; accepted: a different {key} for each"


def _teams(config: Config) -> Iterator[tuple[KeyPath, str]]:
    known = tuple(config.auth.teams)
    for index, token in enumerate(config.auth.tokens):
        for place, team in enumerate(token.teams):
            if team not in known:
                accepted = ", ".join(known) or "none, for none is configured"
                path: KeyPath = ("auth", "tokens", index, "teams", place)
                yield path, f'"{team}" is no configured team; accepted: {accepted}{nearest(team, known)}'
        if token.teams and token.scopes & {Scope.INGEST, Scope.ADMIN}:
            path = ("auth", "tokens", index, "teams")
            yield path, "cannot hold for the scopes ingest and admin; accepted: read, respond, manage"


def _certificates(config: Config) -> Iterator[tuple[KeyPath, str]]:
    clients = config.auth.client_certificates.clients
    if clients and not config.server.trusted_proxies:
        path: KeyPath = ("auth", "client_certificates", "clients")
        yield (
            path,
            "need server.trusted_proxies; accepted: the networks of the proxy that checks certificates",
        )
    seen: dict[tuple[str, str], int] = {}
    taken = {token.name for token in config.auth.tokens}
    for index, client in enumerate(clients):
        for key, value in (("name", client.name), ("subject", client.subject)):
            path = ("auth", "client_certificates", "clients", index, key)
            if seen.setdefault((key, value), index) != index or (key == "name" and value in taken):
                yield path, f"is given twice; accepted: a different {key} for each"
        if client.source is not None and client.source not in config.sources:
            path = ("auth", "client_certificates", "clients", index, "source")
            yield path, f'"{client.source}" is no configured source; accepted: {", ".join(config.sources)}'


def _oidc(config: Config) -> Iterator[tuple[KeyPath, str]]:
    oidc = config.auth.oidc
    if oidc is None:
        return
    path: KeyPath = ("auth", "oidc")
    if importlib.util.find_spec("joserfc") is None:
        yield path, f"needs the library that checks ID tokens: {_OIDC_HINT}"
    if "openid" not in oidc.scopes:
        yield (*path, "scopes"), "leave out openid; accepted: openid and others"
    if not _safe(oidc.issuer):
        yield (*path, "issuer"), "is not https; accepted: https, or http on this machine for a test"
    if not _safe(config.server.public_url):
        what = "is not https, so signing in would show its secrets to the network; accepted with auth.oidc: https"
        yield ("server", "public_url"), what
    if oidc.default_role is None and not any(groups for _, groups in oidc.roles):
        yield (*path, "roles"), "name no group, so nobody could sign in; accepted: groups, or a default_role"


def _safe(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or parts.hostname in {"127.0.0.1", "localhost", "::1"}


def access_warnings(config: Config) -> Iterable[str]:
    """What works, but perhaps not as meant."""
    server = config.server
    if not server.loopback and not config.auth.guarded:
        yield (
            f"server.host: {server.host} is reachable from outside and auth.tokens is empty; "
            "the daemon refuses to start unless a token was made with `incidentd token create`"
        )
    for network in server.trusted_proxies:
        if network.prefixlen == 0:
            yield f"server.trusted_proxies: {network} is everybody, so anybody can say to be anybody else"
