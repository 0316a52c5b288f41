"""Calendar feeds: whose they are, and the secret token in their address. Pure.

Calendar programs can send no credentials, so the address is one. It is derived from a secret of this installation:
nothing is stored for it, and it ends with the schedule or the person it is about.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from incidentd.domain.schedule import Schedule, Shift


class FeedKind(StrEnum):
    """What a feed is about."""

    SCHEDULE = "schedule"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Feed:
    """One calendar."""

    kind: FeedKind
    name: str
    """Of the schedule, or of the user."""

    def has(self, schedule: Schedule, shift: Shift) -> bool:
        """True if the shift of `schedule` stands in this calendar."""
        if self.kind is FeedKind.SCHEDULE:
            return schedule.name == self.name and bool(shift.people)
        return self.name in shift.people


def feeds(schedules: Iterable[str], users: Iterable[str]) -> list[Feed]:
    """Every feed there is."""
    return [
        *(Feed(FeedKind.SCHEDULE, name) for name in schedules),
        *(Feed(FeedKind.PERSON, name) for name in users),
    ]


def token(secret: bytes, feed: Feed) -> str:
    """The token of a feed, 43 characters that are safe in an address."""
    content = f"incidentd calendar\0{feed.kind}\0{feed.name}".encode()
    return base64.urlsafe_b64encode(hmac.digest(secret, content, "sha256")).rstrip(b"=").decode()


def feed_of(secret: bytes, known: Iterable[Feed], given: str) -> Feed | None:
    """The feed whose token this is, or None. All are compared, so that the time it takes tells nothing."""
    matching: Mapping[bool, Feed] = {
        hmac.compare_digest(token(secret, feed).encode(), given.encode()): feed for feed in known
    }
    return matching.get(True)
