"""Secrets the daemon makes for itself: keys of webhook channels that have none configured, and of acknowledge links."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from datetime import datetime

from incidentd.clock import random_bytes
from incidentd.domain.incident import OURSELVES
from incidentd.store import settings
from incidentd.store.engine import Tx
from incidentd.workflows import audit

_CALENDARS = "calendar_secret"
_SUBSCRIBERS = "subscriber_secret"


def webhook_secrets(tx: Tx, channels: Iterable[str], now: datetime) -> dict[str, str]:
    """The lasting secret of each of these channels; made at the first call, the same for all replicas."""
    return {name: _kept(tx, f"webhook_secret:{name}", _make, now) for name in channels}


def _kept(tx: Tx, name: str, make: Callable[[], str], now: datetime) -> str:
    if settings.get(tx, name) is None:
        audit.note(tx, now, OURSELVES, "secret.generated", f"secret:{name}")
    return settings.get_or_create(tx, name, make)


def _make() -> str:
    # Standard Webhooks: 24 to 64 random bytes, base64, with this prefix.
    return "whsec_" + base64.b64encode(random_bytes(32)).decode()


def ack_secret(tx: Tx, now: datetime) -> bytes:
    """The key of the links that acknowledge from a mail; made at the first call, the same for all replicas."""
    return base64.b64decode(_kept(tx, "ack_link_secret", _make_key, now))


def calendar_secret(tx: Tx, now: datetime) -> bytes:
    """The key of the addresses of calendar feeds; made at the first call, the same for all replicas."""
    return base64.b64decode(_kept(tx, _CALENDARS, _make_key, now))


def known_calendar_secret(tx: Tx) -> bytes | None:
    """The same if it was made, else None."""
    found = settings.get(tx, _CALENDARS)
    return None if found is None else base64.b64decode(found)


def subscriber_secret(tx: Tx, now: datetime) -> bytes:
    """The key of subscribers' links and signatures; made at the first call, the same for all replicas."""
    return base64.b64decode(_kept(tx, _SUBSCRIBERS, _make_key, now))


def known_subscriber_secret(tx: Tx) -> bytes | None:
    """The same if it was made, else None."""
    found = settings.get(tx, _SUBSCRIBERS)
    return None if found is None else base64.b64decode(found)


def _make_key() -> str:
    return base64.b64encode(random_bytes(32)).decode()
