"""The e-mail channel: a mail of its own to each address, over a relay that is spoken to with TLS."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from incidentd.channels.base import Channel, ChannelConfig, ChannelEnv, Rate
from incidentd.channels.email_parts import address, mail
from incidentd.channels.smtp import Dialogue, Letter, Relay, Reply, Stage, converse
from incidentd.channels.tasks import LateError, Tasks
from incidentd.clock import random_id
from incidentd.domain.notification import DeliveryClass, Message, Outcome, Verdict
from incidentd.fields import Duration, Secret

_PORTS = {"implicit": 465, "starttls": 587, "none": 25}
_GRACE = 1.0
_SHUTTING_DOWN = 421
_MUST_LOG_IN = 530
_EXCEEDED = 552
_TOO_BIG = {"5.2.3", "5.3.4"}
_BAD_SENDER = {"5.1.7", "5.1.8"}
_BAD_MAILBOX = {"5.2.1", "5.2.2"}
_PATIENCE = timedelta(minutes=1)
_RATE = Rate(per_second=0.5, burst=10)
"""Mails to one mailbox: thirty a minute, ten at once. Providers defer senders that write to one mailbox faster,
Gmail for one at sixty a minute."""


def _mailbox(text: str) -> str:
    address(text)
    return text


MailAddress = Annotated[str, AfterValidator(_mailbox)]
"""``ops@example.com`` or ``Ops <ops@example.com>``."""


class SmtpConfig(BaseModel):
    """The relay that takes our mail."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True
    )

    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:_-]{1,253}$")]
    """The relay's name, for which its certificate must be valid, or its address."""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """465 with implicit TLS, 587 with STARTTLS, 25 without, unless given."""
    tls: Literal["implicit", "starttls", "none"] = "starttls"
    """STARTTLS is required, never optional. `none` is for a relay on this machine."""
    username: str | None = None
    """Whom to log in as; goes with `password`. Neither: no log-in."""
    password: Secret | None = None
    """Sent only after TLS, except to a relay on this machine."""
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
    """The relay that takes our mail."""
    sender: Annotated[MailAddress, Field(alias="from")]
    """Whom the mails are from: `incidents@example.com` or `Incidents <incidents@example.com>`."""
    to: Annotated[list[MailAddress], Field(min_length=1, max_length=50)]
    """Mailboxes, each with deliveries, mails and retries of its own."""


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def render(config: EmailConfig, message: Message, domain: str) -> EmailMessage:
    """The mail to `message.target`; `domain` is the right-hand side of its Message-ID."""
    return mail(message, address(config.sender), mailbox(config, message.target), domain)


def mailbox(config: EmailConfig, target: str) -> Address:
    """The configured mailbox with this bare address, the first one for an empty `target`.

    A row outlives the configuration: an address that is not listed any more is written to as it stands. Raises
    ValueError if it is none.
    """
    listed = [address(to) for to in config.to]
    if not target:
        return listed[0]
    return next((to for to in listed if to.addr_spec == target), None) or address(target)


def judge(talk: Dialogue) -> Outcome:
    """What a conversation came to. 4xx are tried again; 5xx are judged by what they are about."""
    if talk.stage is Stage.DONE:
        return Outcome(Verdict.OK, "250")
    if talk.reply is not None:
        return _refused(talk.stage, talk.reply)
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
_REMEDY = {
    Verdict.RETRY: "the relay wants it later",
    Verdict.TARGET_GONE: "the relay knows no such mailbox, or it takes no mail: check the address",
    Verdict.CONTENT_REJECTED: "the relay refuses this mail",
    Verdict.DESTINATION_BROKEN: "the relay refuses us: check the credentials and the from address",
}


def _refused(stage: Stage, reply: Reply) -> Outcome:
    verdict = _verdict(stage, reply) if reply.permanent else Verdict.RETRY
    said = f"{reply.code} {reply.enhanced}".strip()
    detail = f"{_REMEDY[verdict]} ({stage.name.lower()}: {said})"
    return Outcome(verdict, str(reply.code), detail, of_target=_about_mailbox(stage, reply))


def _about_mailbox(stage: Stage, reply: Reply) -> bool:
    """Greylisted or full, say: a relay that shuts down or has no room for anything says so at this stage too."""
    about_relay = reply.code == _SHUTTING_DOWN or reply.enhanced.startswith("4.3.")
    return stage is Stage.RECIPIENT and not reply.permanent and not about_relay


def _verdict(stage: Stage, reply: Reply) -> Verdict:
    """What a permanent refusal is about: by its RFC 3463 status where that says it, else by its stage."""
    if stage < Stage.SENDER or reply.code == _MUST_LOG_IN or reply.enhanced in _BAD_SENDER:
        return Verdict.DESTINATION_BROKEN
    if reply.enhanced in _TOO_BIG:
        return Verdict.CONTENT_REJECTED
    if reply.enhanced.startswith("5.1.") or reply.enhanced in _BAD_MAILBOX:
        # Some relays look the mailbox up only when they have the whole mail.
        return Verdict.TARGET_GONE if stage >= Stage.RECIPIENT else Verdict.DESTINATION_BROKEN
    if stage is Stage.RECIPIENT:
        # 5.7: a policy, such as "relaying denied", is about us and not about the mailbox.
        about_us = reply.enhanced.startswith("5.7.")
        return Verdict.DESTINATION_BROKEN if about_us else Verdict.TARGET_GONE
    about_mail = stage is Stage.DATA or reply.code == _EXCEEDED
    return Verdict.CONTENT_REJECTED if about_mail else Verdict.DESTINATION_BROKEN


def _patient(outcome: Outcome, talk: Dialogue, message: Message) -> Outcome:
    """Greylisting lets a mail pass after minutes. A page is hurried all the same: it may be let in earlier."""
    later = outcome.verdict is Verdict.RETRY and talk.reply is not None
    if not later or message.notice.delivery_class is DeliveryClass.PAGE:
        return outcome
    return replace(outcome, retry_after=_PATIENCE)


@dataclass(frozen=True, slots=True)
class EmailSender:
    """Hands mails to one relay, each in a conversation of its own."""

    config: EmailConfig
    env: ChannelEnv
    tasks: Tasks = field(default_factory=Tasks)

    @property
    def targets(self) -> tuple[str, ...]:
        """Each mailbox, once."""
        return tuple(dict.fromkeys([address(to).addr_spec for to in self.config.to]))

    async def send(self, message: Message) -> Outcome:
        """Hand the mail over for the one mailbox it is to."""
        try:
            to = mailbox(self.config, message.target)
        except ValueError:
            return Outcome(Verdict.TARGET_GONE, "no_mailbox", "the delivery's target is not a mail address")
        content = render(self.config, message, self.env.domain).as_bytes()
        sender = address(self.config.sender).addr_spec
        talk = await self._converse(Letter(sender, to.addr_spec, content))
        return _patient(judge(talk), talk, message)

    async def post(self, to: str, content: EmailMessage) -> Outcome:
        """Hand over a mail that is about no incident; its headers are the caller's, but for who it is from."""
        content["From"] = address(self.config.sender)
        letter = Letter(address(self.config.sender).addr_spec, to, content.as_bytes())
        return judge(await self._converse(letter))

    async def write(self, subject: str, text: str) -> list[Outcome]:
        """Hand a plain letter about no incident to each mailbox; what came of each."""
        outcomes = []
        for mailbox_ in self.targets:
            letter = EmailMessage(policy=SMTP)
            letter["From"], letter["To"], letter["Subject"] = address(self.config.sender), mailbox_, subject
            letter["Date"] = format_datetime(self.env.clock.now())
            letter["Message-ID"] = f"<{random_id()}@{self.env.domain}>"
            letter["Auto-Submitted"] = "auto-generated"
            letter.set_content(text, cte="quoted-printable")
            sender = address(self.config.sender).addr_spec
            outcomes.append(judge(await self._converse(Letter(sender, mailbox_, letter.as_bytes()))))
        return outcomes

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
    personal=True,
    rate=_RATE,
)
