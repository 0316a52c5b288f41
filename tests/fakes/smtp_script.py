"""A mail relay that answers by a script, from its greeting on: what aiosmtpd, being a good one, never says."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping

from tests.fakes.faulty import Connection, Fault

CLOSE = "close"
"""A scripted answer: end the connection politely instead."""
RESET = "reset"
"""A scripted answer: break the connection."""
VANISH = "vanish"
"""A scripted answer: end the connection below TLS, which takes that for an attack."""
HANG = "hang"
"""A scripted answer: say nothing more."""
DRIP = "drip"
"""A scripted answer: one that never ends, a byte at a time."""
ENDLESS = "endless"
"""A scripted answer: one that never ends, as fast as it is taken."""

_USUAL = {
    "GREETING": "220 relay.test",
    "EHLO": "250-relay.test\r\n250-STARTTLS\r\n250 AUTH PLAIN",
    "STARTTLS": "220 2.0.0 go ahead",
    "AUTH": "235 2.7.0 fine",
    "DATA": "354 go ahead",
    "BODY": "250 2.0.0 taken",
    "QUIT": "221 2.0.0 bye",
}


def scripted(answers: Mapping[str, str], tls: ssl.SSLContext | None = None) -> Fault:
    """A relay that answers to ``GREETING``, a command, or ``BODY`` as told, and as usual to everything else.

    Behind STARTTLS it speaks `tls`; without, it goes on in the clear.
    """

    async def fault(connection: Connection) -> None:
        said = {**_USUAL, **answers}
        if not await _say(connection, said["GREETING"]):
            return
        while line := await connection.reader.readline():
            command = line.decode(errors="replace").partition(" ")[0].strip().upper()
            answer = said.get(command, "250 2.0.0 fine")
            if not await _say(connection, answer):
                return
            if command == "STARTTLS" and answer.startswith("220"):
                if tls is None:  # it did not mean it
                    await connection.reader.read(65536)
                    await _say(connection, "500 5.5.1 what")
                    return
                await connection.writer.start_tls(tls)
            if command == "DATA" and answer.startswith("354"):
                await connection.reader.readuntil(b"\r\n.\r\n")
                if not await _say(connection, said["BODY"]):
                    return

    return fault


async def _say(connection: Connection, answer: str) -> bool:
    """False if the talk is over."""
    if answer == CLOSE:
        return False
    if answer == RESET:
        connection.reset()
        return False
    if answer == VANISH:
        connection.writer.get_extra_info("socket").shutdown(socket.SHUT_WR)
        await connection.silence()
        return False
    if answer == HANG:
        await connection.silence()
        return False
    if answer == DRIP:
        await connection.drip(b"250-drip\r\n")
        return False
    while True:
        connection.writer.write(f"{'250-' + 'x' * 4096 if answer == ENDLESS else answer}\r\n".encode())
        await connection.writer.drain()
        if answer != ENDLESS:
            return True
