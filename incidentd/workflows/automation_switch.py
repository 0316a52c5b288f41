"""The switch that ends automation at once, for all replicas, without a change of the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from incidentd.store import settings
from incidentd.store.codec import dumps, loads
from incidentd.store.engine import Tx
from incidentd.workflows import audit

_NAME = "automation_stopped"


@dataclass(frozen=True, slots=True)
class Switch:
    """How it stands."""

    by: str = ""
    """Who stopped it; empty: it is not stopped."""
    at: str = ""
    """When, as RFC 3339."""
    comment: str = ""

    @property
    def why(self) -> str | None:
        """Why nothing runs; None if that may."""
        said = f": {self.comment}" if self.comment else ""
        return f"automation was stopped by {self.by}{said}" if self.by else None


def switch(tx: Tx) -> Switch:
    """As it stands."""
    known = settings.get(tx, _NAME)
    return Switch(*loads(known)) if known else Switch()


def stopped(tx: Tx) -> str | None:
    """Why nothing may run; None if that may."""
    return switch(tx).why


def throw(tx: Tx, actor: str, comment: str, now: datetime, *, stop: bool) -> Switch:
    """Stop everything, or let it go on; asking for what is so already changes nothing."""
    before = settings.get(tx, _NAME)
    standing = Switch(*loads(before)) if before else Switch()
    if bool(standing.by) is stop:
        return standing
    after = Switch(actor, now.isoformat(timespec="seconds"), comment) if stop else Switch()
    settings.advance(tx, _NAME, before, dumps([after.by, after.at, after.comment]))
    action = "automation.stopped" if stop else "automation.resumed"
    audit.note(tx, now, actor, action, "", None, {"comment": comment} if comment else None)
    return after
