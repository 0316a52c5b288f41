"""A fake mail relay by aiosmtpd, in the test's own loop, with scripted answers per command."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from collections import deque
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from types import TracebackType
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

DROP = "drop"
"""A scripted answer: end the connection instead."""
HANG = "hang"
"""A scripted answer: say nothing more."""


@dataclass(frozen=True)
class Mail:
    """One accepted mail: its envelope, and its content parsed again."""

    sender: str
    to: tuple[str, ...]
    raw: bytes
    content: EmailMessage


class SmtpFake:
    """`async with SmtpFake() as relay`, then `relay.host`, `relay.port`, `relay.mails`."""

    def __init__(
        self,
        login: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        *,
        implicit: bool = False,
    ) -> None:
        """`tls` is offered by STARTTLS and then required, or with `implicit` spoken from the first byte."""
        self.host = "127.0.0.1"
        self.port = 0
        self.mails: list[Mail] = []
        self.offered: list[bytes] = []
        """Every mail that was handed over, whether or not it was accepted then."""
        self.violations: list[str] = []
        self._login = login
        self._tls = None if implicit else tls
        self._wrapped = tls if implicit else None
        self._script: dict[str, deque[str]] = {}
        self._leaving = asyncio.Event()
        self._arrived = asyncio.Condition()

    def script(self, command: str, *answers: str) -> None:
        """The next answers to MAIL, RCPT or DATA; to ``RCPT:address`` for one mailbox for ever."""
        self._script.setdefault(command, deque()).extend(answers)

    async def wait_for(self, count: int, seconds: float = 5) -> None:
        """Wait until `count` mails were accepted; TimeoutError if they are not."""
        async with asyncio.timeout(seconds), self._arrived:
            await self._arrived.wait_for(lambda: len(self.mails) >= count)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, self.host, 0, ssl=self._wrapped)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        self._server.close()
        await self._server.wait_closed()

    def _protocol(self) -> SMTP:
        with warnings.catch_warnings():
            # It warns of AUTH without TLS; on loopback that is what is tested.
            warnings.simplefilter("ignore")
            return self._quiet_protocol()

    def _quiet_protocol(self) -> SMTP:
        return SMTP(
            self,
            hostname="relay.test",
            enable_SMTPUTF8=False,
            tls_context=self._tls,
            require_starttls=self._tls is not None,
            auth_required=self._login is not None,
            # Without a login it offers none, as aiosmtpd does before TLS.
            auth_require_tls=self._tls is not None or self._login is None,
            authenticator=self._authenticate,
        )

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        good = (
            isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode()) == self._login
        )
        return AuthResult(success=good, handled=False)

    async def handle_MAIL(  # noqa: N802 - aiosmtpd calls it by this name
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return await self._answer("MAIL", server)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd calls it by this name
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        fixed = self._script.get(f"RCPT:{address}")
        answer = await self._give(fixed[0] if fixed else self._next("RCPT"), server)
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(  # noqa: N802 - aiosmtpd calls it by this name
        self, server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        raw = envelope.original_content or b""
        self.offered.append(raw)
        self.violations += judge_mail(raw)
        answer = await self._answer("DATA", server)
        if answer.startswith("2"):
            content = message_from_bytes(raw, policy=policy.default)
            mail = Mail(envelope.mail_from or "", tuple(envelope.rcpt_tos), raw, content)
            async with self._arrived:
                self.mails.append(mail)
                self._arrived.notify_all()
        return answer

    async def _answer(self, command: str, server: SMTP) -> str:
        return await self._give(self._next(command), server)

    def _next(self, command: str) -> str:
        waiting = self._script.get(command)
        return waiting.popleft() if waiting else "250 2.0.0 fine"

    async def _give(self, answer: str, server: SMTP) -> str:
        if answer == HANG:
            await self._leaving.wait()
        if answer in {DROP, HANG} and isinstance(server.transport, asyncio.Transport):
            server.transport.abort()
        return answer


def judge_mail(raw: bytes) -> list[str]:
    """The rules of mail that `raw` breaks."""
    head = message_from_bytes(raw, policy=policy.default)
    # A report, which is known by its attachment, and a head of the audit log belong to no thread.
    alone = head.get_content_type() == "multipart/mixed" or head["Subject"].startswith(
        "incidentd audit log: "
    )
    wanted = [n for n in _ONCE if n not in _THREAD] if alone else _ONCE
    broken = [f"{name}: {head.get_all(name)}" for name in wanted if len(head.get_all(name, [])) != 1]
    broken += [f"unexpected header {name}" for name in head.keys() if name.lower() not in _ALLOWED]  # noqa: SIM118
    if any(len(line) > 998 for line in raw.split(b"\r\n")):
        broken.append("a line over 998 bytes")
    if b"\n" in raw.replace(b"\r\n", b"") or not raw.isascii():
        broken.append("bare line ends or 8 bit")
    if head["Auto-Submitted"] != "auto-generated":
        broken.append("Auto-Submitted")
    if "=?" in f"{head['Message-ID']}{head['References']}":
        broken.append("identifiers are encoded: threads break")
    return broken


_ONCE = ("From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted")
_THREAD = ("In-Reply-To", "References")
_ALLOWED = {name.lower() for name in _ONCE} | {
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "x-auto-response-suppress",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "list-id",
    "x-peer",
    "x-mailfrom",
    "x-rcptto",
}
