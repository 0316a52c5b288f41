"""One SMTP conversation, step by step, with a record of how far it got: the only module that speaks SMTP."""

from __future__ import annotations

import contextlib
import enum
import functools
import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import aiosmtplib

_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s|$)")
_LEAST, _PERMANENT = 200, 500
"""The least code that a server can answer with, for aiosmtplib has one of its own for what is none; and of the 5xx."""


class Stage(enum.IntEnum):
    """How far a conversation got. What fails at a stage means something else at the next."""

    CONNECT = 1
    TLS = 2
    LOGIN = 3
    SENDER = 4
    RECIPIENT = 5
    DATA = 6
    """The text is being handed over: whether it was taken is only known by the answer."""
    DONE = 7


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's refusal. Its text is not kept: it repeats addresses."""

    code: int
    enhanced: str = ""
    """RFC 3463 status such as ``5.1.1``, if the server gave one."""

    @property
    def permanent(self) -> bool:
        """5xx: the same again will be refused again."""
        return self.code >= _PERMANENT


@dataclass(slots=True)
class Dialogue:
    """The record of one conversation, filled while it goes on: readable even if it is broken off."""

    stage: Stage = Stage.CONNECT
    reply: Reply | None = None
    """The refusal that ended it, at `stage`."""
    fault: str = ""
    """What ended it if no reply did: ``timeout``, ``connection_lost``, ``tls_error`` ..."""


@dataclass(frozen=True, slots=True)
class Relay:
    """The server to hand mail to."""

    host: str
    port: int
    tls: Literal["implicit", "starttls", "none"]
    username: str | None
    password: str | None = field(repr=False)
    ca_file: Path | None
    local_name: str
    timeout: float
    """Seconds for each step."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What to hand over, to one mailbox: so its answer is about that mailbox alone."""

    sender: str
    to: str
    content: bytes = field(repr=False)


async def converse(relay: Relay, letter: Letter | None, record: Dialogue) -> None:
    """Hand `letter` over, or with None only log in. Whatever goes wrong stands in `record`."""
    client = aiosmtplib.SMTP(
        hostname=relay.host,
        port=relay.port,
        local_hostname=relay.local_name,
        timeout=relay.timeout,
        use_tls=relay.tls == "implicit",
        start_tls=False,
        tls_context=_context(relay, record),
    )
    try:
        if not record.fault:
            await _steps(client, relay, letter, record)
    except aiosmtplib.SMTPResponseException as error:
        if error.code < _LEAST:
            record.fault = "protocol_error"
        else:
            record.reply = _reply(error)
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        record.fault = record.fault or _fault(error)
    finally:
        # Without QUIT if it failed: some servers then wait for a client that says nothing more.
        if record.stage is Stage.DONE:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await client.quit(timeout=2)
        client.close()


async def _steps(client: aiosmtplib.SMTP, relay: Relay, letter: Letter | None, record: Dialogue) -> None:
    await client.connect()
    await client.ehlo()
    if relay.tls == "starttls":
        record.stage = Stage.TLS
        if not client.supports_extension("starttls"):
            # Never in the clear instead: an attacker in between would only have to hide the offer.
            record.fault = "starttls_missing"
            return
        await client.starttls()
    if relay.username is not None and relay.password is not None:
        record.stage = Stage.LOGIN
        await client.login(relay.username, relay.password)
    if letter is None:
        await client.noop()
    else:
        await _hand_over(client, letter, record)
    record.stage = Stage.DONE


async def _hand_over(client: aiosmtplib.SMTP, letter: Letter, record: Dialogue) -> None:
    record.stage = Stage.SENDER
    await client.mail(letter.sender)
    record.stage = Stage.RECIPIENT
    await client.rcpt(letter.to)
    record.stage = Stage.DATA
    await client.data(letter.content)


def _context(relay: Relay, record: Dialogue) -> ssl.SSLContext | None:
    if relay.tls == "none":
        return None
    try:
        return _trust(relay.ca_file)
    except OSError:
        record.fault = "ca_file_unreadable"
        return None


@functools.cache
def _trust(ca_file: Path | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)


def _reply(error: aiosmtplib.SMTPResponseException) -> Reply:
    status = _ENHANCED.match(error.message)
    return Reply(error.code, status[1] if status else "")


def _fault(error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return "tls_error"
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, aiosmtplib.SMTPServerDisconnected):
        return "connection_lost"
    if isinstance(error, aiosmtplib.SMTPConnectError | OSError):
        return "connect_error"
    return "auth_not_offered" if "AUTH" in str(error) else "protocol_error"
