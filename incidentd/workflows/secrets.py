"""Secrets the daemon makes for itself: signing keys of webhook channels that have none configured."""

from __future__ import annotations

import base64
from collections.abc import Iterable

from incidentd.clock import random_bytes
from incidentd.store import settings
from incidentd.store.engine import Tx


def webhook_secrets(tx: Tx, channels: Iterable[str]) -> dict[str, str]:
    """The lasting secret of each of these channels; made at the first call, the same for all replicas."""
    return {name: settings.get_or_create(tx, f"webhook_secret:{name}", _make) for name in channels}


def _make() -> str:
    # Standard Webhooks: 24 to 64 random bytes, base64, with this prefix.
    return "whsec_" + base64.b64encode(random_bytes(32)).decode()
