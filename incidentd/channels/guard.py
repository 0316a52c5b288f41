"""Which addresses no request may go to, whatever name led there. Pure, but for asking the resolver.

Addresses that arrive at run time may lead to the public internet alone: into our own network they would lend our
place in it to a stranger. Destinations that the configuration names are the operator's choice and may be private; only
the metadata services of clouds, which hand out credentials, are refused there unless the address itself is written.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address

_NAT64 = IPv6Network("64:ff9b::/96")
_METADATA = frozenset(
    map(
        ip_address,
        (
            "169.254.169.254",  # AWS, Azure, Google, OpenStack and others
            "169.254.170.2",  # AWS, for containers
            "169.254.170.23",  # AWS, for pods
            "100.100.100.200",  # Alibaba
            "192.0.0.192",  # Oracle, the older one
            "fd00:ec2::254",  # AWS over IPv6
            "fd00:ec2::23",
            "fd20:ce::254",  # Google over IPv6
        ),
    )
)


class ForbiddenAddressError(Exception):
    """A request would have gone where none may go. Says which kind of address, not which."""


def forbidden(address: str) -> str | None:
    """Why a request to `address`, an IP address, may not leave if the address came from outside; None if it may."""
    try:
        found = ip_address(address)
    except ValueError:
        return "not an IP address"
    return next((reason for each in _meant(found) if (reason := _forbidden(each))), None)


def metadata(address: str) -> bool:
    """True if `address`, an IP address, is where a cloud hands out credentials to the machine."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(each in _METADATA for each in _meant(found))


def _forbidden(address: Address) -> str | None:
    if address in _METADATA:
        return "a metadata service"
    # Multicast can count as global, and so did private ranges in some versions of Python.
    for kind in ("loopback", "multicast", "link_local", "unspecified", "private", "reserved"):
        if getattr(address, f"is_{kind}"):
            return f"{kind.replace('_', '-')} address"
    return None if address.is_global else "not a public address"


def _meant(address: Address) -> tuple[Address, ...]:
    """The address and every IPv4 address wrapped in it: a gateway or the kernel unwraps it on the way."""
    if not isinstance(address, IPv6Address):
        return (address,)
    inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    value = int(address)
    if address in _NAT64 or value >> 32 == 0:  # the second is the old way to embed an IPv4 address
        inner.append(IPv4Address(value & 0xFFFFFFFF))
    wrapped = tuple(found for found in inner if found is not None)
    if address.ipv4_mapped is not None or address in _NAT64:
        return wrapped  # the wrapping itself is no place
    return (address, *wrapped)


async def addresses_of(host: str, port: int) -> list[str]:
    """All IP addresses of `host`, the preferred first. Raises OSError if it has none."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True, slots=True)
class Guard:
    """How names become addresses, and which of those are refused."""

    resolve: Callable[[str, int], Awaitable[list[str]]] = addresses_of
    forbidden: Callable[[str], str | None] = forbidden
    metadata: Callable[[str], bool] = metadata

    async def checked(self, host: str, port: int) -> str:
        """The address to dial for `host`, resolved once: a name could lead elsewhere a moment later.

        Raises ForbiddenAddressError if any of its addresses is refused, OSError if it has none.
        """
        addresses = await self.resolve(host, port)
        for address in addresses:
            if reason := self.forbidden(address.partition("%")[0]):
                raise ForbiddenAddressError(reason)
        if not addresses:
            raise OSError("the name has no address")
        return addresses[0]
