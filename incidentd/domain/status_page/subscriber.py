"""Who asked to be told of what becomes public, what of it, and the links by which they change their mind. Pure."""

from __future__ import annotations

import base64
import enum
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

CONFIRM_WITHIN = timedelta(days=2)
"""Who has not confirmed that long after the last question is forgotten."""
ASK_AGAIN = timedelta(minutes=10)
"""One address is asked to confirm at most that often."""
MOST_ASKS = 3
"""And so many times, until it is confirmed or forgotten."""
MOST_FAILURES = 10
"""Notices in a row that could not be delivered: then no more are tried."""
_CODE = 12
_MAC = 20


class Kind(enum.StrEnum):
    """How a subscriber is told."""

    EMAIL = "email"
    WEBHOOK = "webhook"


class Standing(enum.StrEnum):
    """Whether a subscriber is told."""

    PENDING = "pending"
    """Asked for, not confirmed: nothing but the question is sent."""
    ACTIVE = "active"
    QUARANTINED = "quarantined"
    """What was sent came back: nothing more is sent until it is confirmed anew."""


class SubscribeRefusedError(Exception):
    """Nobody can subscribe like that now. `later`: seconds after which it may be possible.

    `word`: which of the page's texts tells people why, in their language.
    """

    def __init__(self, detail: str, later: int | None = None, *, word: str = "refused") -> None:
        super().__init__(detail)
        self.detail = detail
        self.later = later
        self.word = word


@dataclass(frozen=True, slots=True)
class Rules:
    """What the configuration allows."""

    url: str = ""
    """Where the public reaches this daemon, without a slash at the end."""
    channel: str | None = None
    """The channel that mails leave by; None: nobody can subscribe by themselves."""
    webhooks: bool = True
    private: bool = False
    """Webhooks may lead into private networks."""
    asks_per_minute: int = 30
    most: int = 50_000


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One of them."""

    id: int
    code: str
    """Names it in links and to operators."""
    kind: Kind
    address: str = field(repr=False)
    """A bare mail address, or where to post."""
    contact: str = field(repr=False)
    """The mail address that confirms; empty: an operator made it."""
    standing: Standing
    components: tuple[str, ...] | None
    """What they want to hear of; None: everything, components to come too."""
    created_at: datetime
    asked_at: datetime
    """When the question to confirm was last written."""
    asks: int = 1
    confirmed_at: datetime | None = None
    failures: int = 0
    """Notices in a row that could not be delivered."""

    def wants(self, components: Iterable[str]) -> bool:
        """True for what concerns these components; what concerns none is for everybody."""
        concerned = list(components)
        return self.components is None or not concerned or any(c in self.components for c in concerned)

    def asked_again(self, now: datetime, components: tuple[str, ...] | None) -> Subscriber | None:
        """The same after another request for an address that is known; None if it is not asked again now."""
        if self.standing is Standing.ACTIVE or now - self.asked_at < ASK_AGAIN or self.asks >= MOST_ASKS:
            return None
        # Anybody can ask for any address: what its owner has confirmed is theirs to change.
        wanted = components if self.confirmed_at is None else self.components
        return replace(self, asked_at=now, asks=self.asks + 1, components=wanted)

    def confirmed(self, now: datetime) -> Subscriber:
        """The same, told from now on."""
        return replace(
            self, standing=Standing.ACTIVE, confirmed_at=self.confirmed_at or now, failures=0, asks=0
        )

    def without(self, component: str, known: Sequence[str]) -> Subscriber | None:
        """The same, not told of `component` any more; None if nothing is left. `known`: all there are."""
        before = known if self.components is None else self.components
        left = tuple(c for c in before if c != component)
        return replace(self, components=left) if any(c in known for c in left) else None

    def reached(self) -> Subscriber:
        """The same after a notice that was taken."""
        return replace(self, failures=0)

    def failed(self, *, for_good: bool) -> Subscriber:
        """The same after a notice that could not be delivered; `for_good`: its address takes nothing."""
        count = self.failures + 1
        over = for_good or count >= MOST_FAILURES
        return replace(self, failures=count, standing=Standing.QUARANTINED if over else self.standing)


def chosen(given: Sequence[str], known: Sequence[str]) -> tuple[str, ...] | None:
    """What somebody asked for, in the order of the page: None for everything. Raises `SubscribeRefusedError`."""
    unknown = [c for c in given if c not in known]
    if unknown:
        raise SubscribeRefusedError(
            "one of the components does not exist on this page", word="refused_component"
        )
    return tuple(c for c in known if c in given) if given else None


@dataclass(frozen=True, slots=True)
class Links:
    """Makes and reads the links of subscribers. All replicas share `secret`.

    Whoever holds a link may confirm, change and end that one subscription: it is sent to its mailbox alone.
    """

    secret: bytes = field(repr=False)
    """At least 32 random bytes."""
    url: str

    def manage(self, code: str) -> str:
        """Where a subscription is confirmed, changed and ended."""
        return f"{self.url}/subscriptions/{self.token(code)}"

    def unsubscribe(self, code: str) -> str:
        """Where one post ends it, as RFC 8058 has it."""
        return f"{self.manage(code)}/unsubscribe"

    def token(self, code: str) -> str:
        """The last part of the link."""
        return code + base64.b32encode(self._mac(b"link", code)[:_MAC]).decode().lower()

    def read(self, token: str) -> str | None:
        """The code in a token of ours; None for any other."""
        code = token[:_CODE]
        if not (token.isascii() and len(code) == _CODE):
            return None
        return code if hmac.compare_digest(self.token(code), token) else None

    def signing(self, code: str) -> str:
        """What signs the posts to a webhook: ``whsec_`` and base64, as Standard Webhooks has it."""
        return "whsec_" + base64.b64encode(self._mac(b"webhook", code)).decode()

    def _mac(self, purpose: bytes, code: str) -> bytes:
        # The purpose keeps links apart from signing keys.
        return hmac.digest(
            self.secret, b"incidentd subscriber\0" + purpose + b"\0" + code.encode(), hashlib.sha256
        )
