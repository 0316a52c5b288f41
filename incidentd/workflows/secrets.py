"""Secrets the daemon makes for itself: keys of webhook channels that have none configured, and of acknowledge links."""

from __future__ import annotations

import base64
from collections.abc import Iterable

from incidentd.clock import random_bytes
from incidentd.store import settings
from incidentd.store.engine import Tx

_CALENDARS = "calendar_secret"


def webhook_secrets(tx: Tx, channels: Iterable[str]) -> dict[str, str]:
    """The lasting secret of each of these channels; made at the first call, the same for all replicas."""
    return {name: settings.get_or_create(tx, f"webhook_secret:{name}", _make) for name in channels}


def _make() -> str:
    # Standard Webhooks: 24 to 64 random bytes, base64, with this prefix.
    return "whsec_" + base64.b64encode(random_bytes(32)).decode()


def ack_secret(tx: Tx) -> bytes:
    """The key of the links that acknowledge from a mail; made at the first call, the same for all replicas."""
    return base64.b64decode(settings.get_or_create(tx, "ack_link_secret", _make_key))


def calendar_secret(tx: Tx) -> bytes:
    """The key of the addresses of calendar feeds; made at the first call, the same for all replicas."""
    return base64.b64decode(settings.get_or_create(tx, _CALENDARS, _make_key))


def known_calendar_secret(tx: Tx) -> bytes | None:
    """The same if it was made, else None."""
    found = settings.get(tx, _CALENDARS)
    return None if found is None else base64.b64decode(found)


def _make_key() -> str:
    return base64.b64encode(random_bytes(32)).decode()
