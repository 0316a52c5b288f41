"""Token-free mode: what a request must look like so that no web page and no proxy can act for somebody else.

Without tokens everybody on this machine may do everything. A browser on this machine also runs other people's
pages, so requests that a page can cause (DNS rebinding, cross-site POST) are refused, and so is what came through
a proxy, for then the daemon is exposed.
"""

from __future__ import annotations

import functools
import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web

from incidentd.fields import is_machine
from incidentd.security_events import Activity

ANONYMOUS = "anonymous"
_MAX_NAME = 64
_SAME = frozenset({"same-origin", "none"})
_PROXY = frozenset({"forwarded", "via", "x-real-ip"})


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was wrong with a request."""

    activity: Activity
    why: str


_CROSS_SITE = Refusal(Activity.CROSS_SITE, "without tokens no cross-site request is served")
_FORWARDED = Refusal(Activity.FORWARDED, "a proxy stands in front of the daemon: configure auth.tokens")


def refusal(request: web.Request) -> Refusal | None:
    """Why this request is refused in token-free mode; None if it is not."""
    headers = request.headers
    host = headers.get("Host", "")
    if not loopback_host(host):
        return Refusal(
            Activity.FOREIGN_HOST, "without tokens only a loopback Host is served; configure auth.tokens"
        )
    if request.remote is not None and not loopback_host(_as_host(request.remote)):
        return Refusal(
            Activity.FOREIGN_CLIENT, "without tokens only this machine is served; configure auth.tokens"
        )
    origin = headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        return _CROSS_SITE
    site = headers.get("Sec-Fetch-Site")
    if site is not None and site.lower() not in _SAME:
        return _CROSS_SITE
    for name in headers:
        lower = name.lower()
        if lower.startswith("x-forwarded-") or lower in _PROXY:
            return _FORWARDED
    return None


@functools.lru_cache(maxsize=256)
def loopback_host(host: str) -> bool:
    """True if a Host header names this machine: localhost, *.localhost, 127.0.0.0/8 or [::1], with any port."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _as_host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def user(request: web.Request) -> str:
    """The name a person gives in ``X-Incidentd-User``, printable; ``anonymous`` if none or a reserved one."""
    given = request.headers.get("X-Incidentd-User", "")
    name = "".join(character for character in given if character.isprintable() and not _surrogate(character))
    name = name.strip()[:_MAX_NAME].strip()
    return ANONYMOUS if not name or is_machine(name) else name


def _surrogate(character: str) -> bool:
    return "\ud800" <= character <= "\udfff"
