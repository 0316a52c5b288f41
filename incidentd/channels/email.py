"""The e-mail channel: one mail to all its addresses, over a relay that is spoken to with TLS."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from incidentd.channels.base import Channel, ChannelConfig, ChannelEnv
from incidentd.channels.email_parts import address, mail
from incidentd.channels.smtp import Dialogue, Letter, Relay, Reply, Stage, converse
from incidentd.channels.tasks import LateError, Tasks
from incidentd.domain.notification import Message, Outcome, Verdict
from incidentd.fields import Duration, Secret

_PORTS = {"implicit": 465, "starttls": 587, "none": 25}
_GRACE = 1.0
_REMEMBERED = 1000
_MUST_LOG_IN = 530
_EXCEEDED = 552
_TOO_BIG = {"5.2.3", "5.3.4"}


def _mailbox(text: str) -> str:
    address(text)
    return text


MailAddress = Annotated[str, AfterValidator(_mailbox)]
"""``ops@example.com`` or ``Ops <ops@example.com>``."""


class SmtpConfig(BaseModel):
    """The relay that takes our mail."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:_-]{1,253}$")]
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """465 with implicit TLS, 587 with STARTTLS, 25 without, unless given."""
    tls: Literal["implicit", "starttls", "none"] = "starttls"
    """STARTTLS is required, never optional. ``none`` is for a relay on this machine."""
    username: str | None = None
    password: Secret | None = None
    timeout: Annotated[Duration, Field(gt=timedelta(0), le=timedelta(seconds=60))] = timedelta(seconds=10)
    """For the whole conversation."""
    ca_file: Path | None = None
    """Certificates to trust instead of the machine's."""

    @model_validator(mode="after")
    def _fits_together(self) -> SmtpConfig:
        if self.tls == "none" and not _loopback(self.host):
            raise ValueError("tls: none is for a relay on this machine only; accepted: implicit or starttls")
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password belong together: give both or neither")
        return self


class EmailConfig(ChannelConfig):
    """Who is written to, and how."""

    kind: Literal["email"]
    smtp: SmtpConfig
    sender: Annotated[MailAddress, Field(alias="from")]
    to: Annotated[list[MailAddress], Field(min_length=1, max_length=50)]


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def render(config: EmailConfig, message: Message, domain: str) -> EmailMessage:
    """The mail; `domain` is the right-hand side of its Message-ID."""
    return mail(message, address(config.sender), [address(to) for to in config.to], domain)


def judge(talk: Dialogue) -> Outcome:
    """What a conversation came to. 4xx are tried again; 5xx are judged by the stage they came at."""
    if talk.stage is Stage.DONE:
        return _delivered(talk)
    if talk.reply is not None:
        return _refused_at(talk.stage, talk.reply)
    if talk.fault == "no_recipient":
        return _nobody(talk)
    if talk.fault in _BROKEN:
        return Outcome(Verdict.DESTINATION_BROKEN, talk.fault, _BROKEN[talk.fault])
    if talk.stage is Stage.DATA:
        return Outcome(Verdict.AMBIGUOUS, talk.fault, "the relay went silent after it was given the mail")
    return Outcome(Verdict.RETRY, talk.fault, "the relay did not answer")


_BROKEN = {
    "auth_not_offered": "the relay offers no log-in we know: check port and tls",
    "ca_file_unreadable": "smtp.ca_file cannot be read",
    "starttls_missing": "the relay offers no STARTTLS and nothing is sent in the clear; see tls: implicit",
    "tls_error": "the relay's certificate is not trusted, or it speaks no TLS at this port",
}


def _delivered(talk: Dialogue) -> Outcome:
    if not talk.refused:
        return Outcome(Verdict.OK, "250")
    count = f"{len(talk.refused)} of {len(talk.refused) + len(talk.accepted)} mailboxes refused"
    detail = f"{count}: {_mailboxes(talk)}"
    if any(not reply.permanent for reply in talk.refused.values()):
        return Outcome(Verdict.RETRY, "some_not_yet", detail)
    return Outcome(Verdict.OK, "some_refused", detail)


def _nobody(talk: Dialogue) -> Outcome:
    replies = talk.refused.values()
    first = next((reply for reply in replies if not reply.permanent), None)
    if first is not None:
        return Outcome(Verdict.RETRY, str(first.code), f"no mailbox accepted yet: {_mailboxes(talk)}")
    # 5.7: a policy, such as "relaying denied", is about us and not about the mailboxes.
    about_us = all(reply.code == _MUST_LOG_IN or reply.enhanced.startswith("5.7.") for reply in replies)
    verdict = Verdict.DESTINATION_BROKEN if about_us else Verdict.TARGET_GONE
    code = next((str(reply.code) for reply in replies), "no_recipient")
    return Outcome(verdict, code, f"every mailbox refused: {_mailboxes(talk)}")


def _refused_at(stage: Stage, reply: Reply) -> Outcome:
    text = f"{reply.code} {reply.enhanced}".strip()
    if not reply.permanent:
        return Outcome(Verdict.RETRY, str(reply.code), f"the relay answered {text}")
    too_big = reply.code == _EXCEEDED or reply.enhanced in _TOO_BIG
    if stage is Stage.DATA or too_big:
        return Outcome(Verdict.CONTENT_REJECTED, str(reply.code), f"the relay refuses this mail: {text}")
    detail = f"the relay refuses us ({stage.name.lower()}): {text}; check credentials and the from address"
    return Outcome(Verdict.DESTINATION_BROKEN, str(reply.code), detail)


def _mailboxes(talk: Dialogue) -> str:
    shown = [f"{masked(to)} {reply.code} {reply.enhanced}".strip() for to, reply in talk.refused.items()]
    return ", ".join(shown[:5])


def masked(mailbox: str) -> str:
    """``u***@example.com``: enough to find it, too little to write to it."""
    name, _, domain = mailbox.rpartition("@")
    return f"{name[:1]}***@{domain}"


@dataclass(frozen=True, slots=True)
class EmailSender:
    """Hands mails to one relay, each in a conversation of its own."""

    config: EmailConfig
    env: ChannelEnv
    tasks: Tasks = field(default_factory=Tasks)
    reached: OrderedDict[str, frozenset[str]] = field(default_factory=OrderedDict)
    """Per delivery whom earlier attempts have reached. Lost at a restart: then they get the mail twice."""

    @property
    def target(self) -> str:
        """The first address and how many more."""
        others = len(self.config.to) - 1
        return address(self.config.to[0]).addr_spec + (f" and {others} more" if others else "")

    async def send(self, message: Message) -> Outcome:
        """Hand the mail over, for those mailboxes that no earlier attempt of this delivery reached."""
        done = self.reached.get(message.delivery_id, frozenset())
        everybody = [address(to).addr_spec for to in self.config.to]
        content = render(self.config, message, self.env.domain).as_bytes()
        letter = Letter(
            address(self.config.sender).addr_spec, [to for to in everybody if to not in done], content
        )
        talk = await self._converse(letter)
        if talk.stage is Stage.DONE and talk.refused:
            self._remember(message.delivery_id, done.union(talk.accepted))
        outcome = judge(talk)
        if done and outcome.verdict is Verdict.TARGET_GONE:
            # The others have it: for the channel as a whole that is a delivery with refusals.
            return replace(outcome, verdict=Verdict.OK, code="some_refused")
        return outcome

    async def probe(self) -> Outcome:
        """Connect and log in, nothing more."""
        return judge(await self._converse(None))

    async def close(self) -> None:
        """Let conversations that are under way end."""
        await self.tasks.drain(self._seconds)

    @property
    def _seconds(self) -> float:
        return self.config.smtp.timeout.total_seconds()

    async def _converse(self, letter: Letter | None) -> Dialogue:
        record = Dialogue()
        try:
            await self.tasks.run(converse(self._relay(), letter, record), self._seconds, _GRACE)
        except LateError:
            return replace(record, fault="timeout", reply=None) if record.stage is not Stage.DONE else record
        return record

    def _relay(self) -> Relay:
        smtp = self.config.smtp
        return Relay(
            host=smtp.host,
            port=smtp.port or _PORTS[smtp.tls],
            tls=smtp.tls,
            username=smtp.username,
            password=smtp.password.get_secret_value() if smtp.password else None,
            ca_file=smtp.ca_file,
            local_name=_greeting(self.env.domain),
            timeout=self._seconds,
        )

    def _remember(self, delivery: str, reached: frozenset[str]) -> None:
        self.reached[delivery] = reached
        while len(self.reached) > _REMEMBERED:
            self.reached.popitem(last=False)


def _greeting(domain: str) -> str:
    try:
        return f"[{ipaddress.IPv4Address(domain)}]"
    except ValueError:
        return domain


def _open(config: EmailConfig, _name: str, env: ChannelEnv) -> EmailSender:
    return EmailSender(config, env)


CHANNEL = Channel(
    kind="email",
    description="Mail through an SMTP relay, threaded by incident.",
    config_model=EmailConfig,
    example={
        "kind": "email",
        "smtp": {"host": "smtp.example.com", "username": "incidentd", "password": "${SMTP_PASSWORD}"},
        "from": "Incidents <incidents@example.com>",
        "to": ["ops@example.com"],
    },
    open=_open,
)
