"""Links that acknowledge one incident for one recipient: signed, expiring, good for nothing else. Pure.

A token carries everything it allows, under one HMAC-SHA256: nothing is stored when it is made, and any replica
that has the key can check it. It is no password: whoever holds the mail holds it, so it acts once per incident at
most, for a day at most, and what it does is recorded as done by link.
"""

from __future__ import annotations

import base64
import binascii
import enum
import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from incidentd.domain.incident import Incident, State

LIFETIME = timedelta(hours=24)
"""From the writing of the delivery. A page that nobody answered for a day has long been followed by others."""

MAX_TOKEN = 1000
"""Characters; a longer one is not looked at."""

_PURPOSE = "ack"
_ACTION = "acknowledge"
_MAC = hashlib.sha256().digest_size
_NONCE = 12
_FIELDS = 7


@dataclass(frozen=True, slots=True)
class AckLink:
    """What a genuine token says. It may have expired."""

    incident_id: int
    episode: int
    recipient: str
    """The bare mail address it was sent to."""
    expires_at: datetime
    nonce: str
    """Tells this link from every other one."""

    @property
    def ref(self) -> str:
        """Name of the incident: ``INC-12``."""
        return f"INC-{self.incident_id}"

    def expired(self, now: datetime) -> bool:
        """True from `expires_at` on."""
        return now >= self.expires_at


@dataclass(frozen=True, slots=True)
class AckLinks:
    """Makes and checks the links. All replicas share `secret`."""

    secret: bytes = field(repr=False)
    """At least 32 random bytes."""
    public_url: str
    """Where people reach this daemon."""

    def url(
        self, incident_id: int, episode: int, recipient: str, issued_at: datetime, delivery_id: str
    ) -> str:
        """The link for one delivery.

        `issued_at` is when the delivery was written, not when it is sent: with it and `delivery_id` every attempt
        renders the same mail. Raises ValueError for a recipient with a line end.
        """
        if "\n" in recipient:
            raise ValueError("a recipient is one line")
        expires = int((issued_at + LIFETIME).timestamp())
        nonce = hmac.digest(self.secret, f"nonce\n{delivery_id}".encode(), "sha256")[:_NONCE]
        fields = (_PURPOSE, incident_id, episode, _ACTION, expires, _encoded(nonce), recipient)
        content = "\n".join(str(value) for value in fields).encode()
        return f"{self.public_url.rstrip('/')}/ack/{_encoded(self._mac(content) + content)}"

    def read(self, token: str) -> AckLink | None:
        """What `token` says, or None if it is not one of ours to the last bit."""
        raw = _decoded(token)
        if raw is None or not hmac.compare_digest(self._mac(raw[_MAC:]), raw[:_MAC]):
            return None
        # Signed by us: whatever stands here, we wrote.
        fields = raw[_MAC:].decode().split("\n")
        if len(fields) != _FIELDS or (fields[0], fields[3]) != (_PURPOSE, _ACTION):
            return None
        _, incident_id, episode, _, expires, nonce, recipient = fields
        return AckLink(
            int(incident_id), int(episode), recipient, datetime.fromtimestamp(int(expires), UTC), nonce
        )

    def _mac(self, content: bytes) -> bytes:
        # The name keeps signatures apart if this key is ever used for something else.
        return hmac.digest(self.secret, b"incidentd ack link\0" + content, "sha256")


class Standing(enum.Enum):
    """What a genuine link meets."""

    OPEN = "open"
    """It can acknowledge."""
    ACKNOWLEDGED = "acknowledged"
    """Somebody has, this link or another person."""
    RESOLVED = "resolved"
    REOPENED = "reopened"
    """The link is of an earlier episode: whoever got it has not heard of this one."""
    USED = "used"
    """It has acknowledged, and that was taken back since."""
    EXPIRED = "expired"
    GONE = "gone"
    """The incident is not kept any more."""


def standing(link: AckLink, incident: Incident | None, now: datetime, *, used: bool) -> Standing:
    """What `link` may do to the incident it names. `used`: it has acknowledged before."""
    if link.expired(now):
        return Standing.EXPIRED
    if incident is None:
        return Standing.GONE
    if incident.state is State.RESOLVED:
        return Standing.RESOLVED
    if incident.episode != link.episode:
        return Standing.REOPENED
    if incident.state is State.ACKNOWLEDGED:
        return Standing.ACKNOWLEDGED
    return Standing.USED if used else Standing.OPEN


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(token: str) -> bytes | None:
    if len(token) > MAX_TOKEN or not token.isascii():
        return None
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (binascii.Error, ValueError):
        return None
    # The decoder skips what it does not know: only the one spelling that we write counts.
    return raw if _encoded(raw) == token and len(raw) > _MAC else None
