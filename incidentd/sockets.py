"""Taking the daemon's port before anything else is started: a taken port is the first thing to be told."""

from __future__ import annotations

import contextlib
import socket

from incidentd.lifecycle import StartError


def bind(host: str, port: int) -> list[socket.socket]:
    """Bound sockets, not listening yet, for every address of `host`; with port 0 all on one free port.

    Raises `StartError` if an address cannot be had.
    """
    taken: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            taken.append(_bound(family, kind, protocol, (address[0], port_of(taken) if taken else port)))
    except OSError as error:
        close(taken)
        raise StartError(
            f"cannot listen on {host}:{port}: {error.strerror}. "
            "Is another incidentd running? Choose another with --port or server.port"
        ) from error
    return taken


def port_of(taken: list[socket.socket]) -> int:
    """The port they share."""
    return int(taken[0].getsockname()[1])


def url_of(host: str, port: int) -> str:
    """Where a client finds them."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def close(sockets: list[socket.socket]) -> None:
    """Give the port back."""
    for each in sockets:
        with contextlib.suppress(OSError):
            each.close()


def _bound(family: int, kind: int, protocol: int, address: tuple[object, int]) -> socket.socket:
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        made.bind(address)
    except OSError:
        made.close()
        raise
    made.setblocking(False)  # noqa: FBT003 - the socket module's signature
    return made
