"""The report of a month by mail: to each mailbox once, whatever replicas, relays and restarts do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import structlog

from incidentd.channels.base import ChannelEnv
from incidentd.channels.email import EmailConfig, EmailSender
from incidentd.clock import Clock
from incidentd.config import Config
from incidentd.domain.monthly import Month, due
from incidentd.domain.notification import Verdict
from incidentd.domain.runbook import Runbook
from incidentd.jobs.scheduler import Job
from incidentd.rendering.document import document
from incidentd.rendering.formats import Format, heading, rendered
from incidentd.store import settings
from incidentd.store.engine import Store, Tx
from incidentd.workflows.reporting import compiled

EVERY = timedelta(minutes=5)
_LEASE = timedelta(minutes=10)
"""Longer than handing one mail over may take: by then another replica may try."""
_SENT = "sent"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Mailing:
    """Sends the report of the last month. What was sent stands in the database."""

    store: Store
    clock: Clock
    config: Callable[[], Config]
    """That in force: a reload replaces it."""
    env: ChannelEnv
    books: Callable[[], Sequence[Runbook]]
    """The runbooks in force."""

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Name, interval and work."""
        return (Job("monthly_report", EVERY, self.send),)

    async def send(self) -> None:
        """Send what is due to those that have not got it."""
        config, now = self.config(), self.clock.now()
        plan = config.figures.monthly_report
        month = due(now, plan.time_zone, plan.at) if plan is not None else None
        channel = config.channels.get(plan.channel) if plan is not None else None
        if month is None or not isinstance(channel, EmailConfig):
            return
        sender = EmailSender(channel, self.env)
        try:
            for mailbox in sender.targets:
                await self._to(sender, mailbox, month, config, now)
        finally:
            await sender.close()

    async def _to(
        self, sender: EmailSender, mailbox: str, month: Month, config: Config, now: datetime
    ) -> None:
        name = f"monthly_report:{mailbox}"
        sent = f"{month.name} {_SENT}"
        lease = f"{month.name} until {(now + _LEASE).isoformat()}"
        if not await self.store.read_now(lambda tx: _free(settings.get(tx, name), month, now)):
            return
        if not await self.store.write(lambda tx: _claim(tx, name, month, lease, now)):
            return
        books, window = self.books(), month.until - month.since
        made = await self.store.read(lambda tx: compiled(tx, config, books, month.until, window, None))
        outcome = await sender.post(mailbox, letter(document(made), mailbox, month, self.env.domain))
        if outcome.verdict is Verdict.OK:
            await self.store.write(lambda tx: settings.advance(tx, name, lease, sent))
            log.info("monthly_report_sent", month=month.name)
        else:
            # No address in a log; the lease ends by itself, and then it is tried again.
            log.warning("monthly_report_not_sent", month=month.name, error=outcome.detail or outcome.code)


def letter(report: dict[str, object], mailbox: str, month: Month, domain: str) -> EmailMessage:
    """The mail: the report as text, and as a page that stands alone. A repeat has the same Message-ID."""
    found = EmailMessage(policy=SMTP)
    found["To"] = mailbox
    found["Subject"] = f"Incident report {month.name}"
    found["Date"] = format_datetime(month.until)
    found["Message-ID"] = f"<report-{month.name}@{domain}>"
    found["Auto-Submitted"] = "auto-generated"
    found.set_content(f"{heading(report)}\n\n{rendered(report, Format.MD)}", cte="quoted-printable")
    page = rendered(report, Format.HTML).encode()
    found.add_attachment(page, maintype="text", subtype="html", filename=f"incidents-{month.name}.html")
    return found


def _free(value: str | None, month: Month, now: datetime) -> bool:
    """True if `month` was not sent and nobody is at it."""
    if value is None:
        return True
    name, _, rest = value.partition(" ")
    if name != month.name:
        return name < month.name
    return rest != _SENT and datetime.fromisoformat(rest.removeprefix("until ")) <= now


def _claim(tx: Tx, name: str, month: Month, lease: str, now: datetime) -> bool:
    known = settings.get(tx, name)
    return _free(known, month, now) and settings.advance(tx, name, known, lease)
