"""Putting signed heads of the audit log out of the database's reach: into a file, to a webhook, by mail."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog

from incidentd.audit.chain import canonical
from incidentd.audit.checkpoint import Checkpoint
from incidentd.channels.base import Http, HttpFailure, Sender
from incidentd.channels.email import EmailSender
from incidentd.config.audit import Anchor
from incidentd.domain.notification import Verdict
from incidentd.metrics import Metrics

log = structlog.get_logger()
_GOOD: Final = range(200, 300)


@dataclass(slots=True)
class Anchors:
    """Tells each place of the newest head. What could not be told is told with the next look, or a newer one is."""

    anchor: Callable[[], Anchor]
    """That in force: a reload replaces it."""
    senders: Callable[[], Mapping[str, Sender]]
    http: Http
    metrics: Metrics
    _told: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    """Place -> which head it was told, and when. After a restart each is told anew, which harms nothing."""

    async def tell(self, head: Checkpoint, now: datetime, *, at_once: bool = False) -> None:
        """Tell those that are due. `at_once`: all that do not know it, for the daemon is about to end."""
        anchor = self.anchor()
        if anchor.file is not None and self._due("file", head, now, None):
            self._note("file", head, now, await asyncio.to_thread(_append, anchor.file, head))
        every = None if at_once else anchor
        if anchor.webhook is not None and self._due("webhook", head, now, every):
            self._note("webhook", head, now, await self._post(anchor.webhook.get_secret_value(), head))
        if anchor.email is not None and self._due("email", head, now, every):
            self._note("email", head, now, await self._mail(anchor.email, head))

    def _due(self, place: str, head: Checkpoint, now: datetime, anchor: Anchor | None) -> bool:
        told = self._told.get(place)
        if told is None:
            return True
        return told[0] < head.seq and (anchor is None or now - told[1] >= anchor.every)

    def _note(self, place: str, head: Checkpoint, now: datetime, problem: str) -> None:
        if problem:
            self.metrics.audit_anchor_failures.labels(place).inc()
            log.error("audit_head_not_anchored", place=place, seq=head.seq, error=problem)
            return
        self._told[place] = (head.seq, now)
        self.metrics.audit_anchored.labels(place).set(head.seq)

    async def _post(self, url: str, head: Checkpoint) -> str:
        headers = {"Content-Type": "application/json"}
        try:
            answer = await self.http.request("POST", url, headers, canonical(head.document))
        except HttpFailure as failure:
            return str(failure)
        return "" if answer.status in _GOOD else f"HTTP {answer.status}"

    async def _mail(self, channel: str, head: Checkpoint) -> str:
        sender = self.senders().get(channel)
        if not isinstance(sender, EmailSender):
            return f"{channel} is no e-mail channel that is configured"
        text = (
            "The audit log's newest signed head. Keep this mail: with the line below in a file,\n"
            "`incidentd audit verify BUNDLE --head FILE` shows whether the log was rewritten or cut.\n\n"
            f"{canonical(head.document).decode()}\n"
        )
        outcomes = await sender.write(f"incidentd audit log: head {head.seq}", text)
        bad = [outcome for outcome in outcomes if outcome.verdict is not Verdict.OK]
        return f"{bad[0].verdict.value} {bad[0].code}" if bad else ""


def _append(path: Path, head: Checkpoint) -> str:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(canonical(head.document) + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return str(error)
    return ""
