"""Whom a request came from: the client's address, its certificate, and the page that a browser sent it from.

What a header says of that is believed only if a proxy that the configuration names has set it.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from incidentd.config import Config, Server
from incidentd.config.access import ClientCertificate
from incidentd.web.local import loopback_host

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
UNKNOWN: Final = "unknown"
_MOST_HOPS: Final = 20
_SAME: Final = frozenset({"same-origin", "none"})


def client_of(request: web.Request, server: Server) -> str:
    """The client's address: the peer's, or behind trusted proxies the last that they did not add themselves."""
    return client_behind(request.remote or "", request.headers.getall("X-Forwarded-For", ()), server)


def client_behind(peer: str, forwarded: Iterable[str], server: Server) -> str:
    """The same by the peer's address and the values of `X-Forwarded-For`."""
    if not server.trusted_proxies or not _trusted(peer, server):
        return peer or UNKNOWN
    hops = [hop.strip() for value in forwarded for hop in value.split(",")]
    for hop in reversed(hops[-_MOST_HOPS:]):
        if _address(hop) is None:
            break  # whoever wrote that is no proxy of ours
        if not _trusted(hop, server):
            return hop
    return peer


def network_of(client: str) -> str:
    """By what a client is counted: its IPv4 address, or its IPv6 /64, of which everybody has 2^64 addresses."""
    address = _address(client)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return client if address is None else str(address)


def local(client: str) -> bool:
    """True for this machine: its users, and proxies that nobody has named."""
    address = _address(client)
    return address is not None and address.is_loopback


def certificate_of(request: web.Request, config: Config) -> ClientCertificate | None:
    """The configured client whose certificate the proxy has checked; None if there is none."""
    known = config.auth.client_certificates
    if not known.clients or not _trusted(request.remote or "", config.server):
        return None
    subjects = request.headers.getall(known.header, ())
    if len(subjects) != 1:
        return None  # two of them: the proxy has added its own to what the client sent
    if known.verified_header is not None and request.headers.getall(known.verified_header, ()) != ["SUCCESS"]:
        return None
    return next((client for client in known.clients if client.subject == subjects[0]), None)


def from_elsewhere(request: web.Request, config: Config) -> bool:
    """True if a page of another site caused this request, as far as browsers tell."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site.lower() not in _SAME
    origin = request.headers.get("Origin")
    if origin is None:
        return False
    ours = {request.headers.get("Host", "").lower(), urlsplit(config.server.public_url).netloc.lower()}
    try:
        return urlsplit(origin).netloc.lower() not in ours
    except ValueError:
        return True


def known_host(request: web.Request, config: Config) -> bool:
    """True if the browser was asked for a name of ours: another one, rebound to our address, is somebody's trick."""
    host = request.headers.get("Host", "")
    if loopback_host(host):
        return True
    server = config.server
    ours = {urlsplit(server.public_url).hostname or "", server.host, *server.hosts}
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name in {each.lower() for each in ours}


def _trusted(text: str, server: Server) -> bool:
    address = _address(text)
    return address is not None and any([address in network for network in server.trusted_proxies])


@functools.lru_cache(maxsize=4096)
def _address(text: str) -> Address | None:
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
