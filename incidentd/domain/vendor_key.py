"""The key under which a vendor knows one episode of an incident: made here, and read back from what vendors tell."""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_KEY = 255
"""PagerDuty's limit of a ``dedup_key``."""
_NUMBERS = re.compile(r"([1-9][0-9]{0,17})-([1-9][0-9]{0,8})")


class Episode(NamedTuple):
    """One opening of one incident, from trigger to resolve."""

    incident_id: int
    number: int
    """1, and one more at each reopening."""


def vendor_key(instance: str, incident_id: int, episode: int) -> str:
    """``incidentd-INSTANCE-INCIDENT-EPISODE``: of stored values alone, so every repeat carries the same."""
    return f"incidentd-{instance}-{incident_id}-{episode}"[-MAX_KEY:]


def episode_of(key: str, instance: str) -> Episode | None:
    """What `vendor_key` made `key` of; None if it is another instance's, or nobody's."""
    prefix = f"incidentd-{instance}-"
    found = _NUMBERS.fullmatch(key, len(prefix)) if key.startswith(prefix) else None
    return Episode(int(found[1]), int(found[2])) if found else None
