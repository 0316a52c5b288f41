"""`status_page.subscribers`: whom the page tells by itself."""

from __future__ import annotations

from pydantic import Field

from incidentd.config.section import Section
from incidentd.domain.status_page.subscriber import Rules
from incidentd.fields import BaseUrl, Slug


class Subscribers(Section):
    """Who may ask to be told of what becomes public: see [status-subscribers.md](status-subscribers.md)."""

    email: Slug | None = None
    """The e-mail channel whose relay and sender the mails leave by; its `to` gets none of them. Without one nobody can
    subscribe by themselves, for whoever asks confirms by mail."""
    url: BaseUrl | None = None
    """Where links in mails lead: this daemon as the public reaches it. Without one, `status_page.url`; needed if that
    is a static export, which can take no forms."""
    webhooks: bool = True
    """People may ask for posts to an address of theirs; they confirm it by mail too."""
    private_addresses: bool = False
    """Webhooks may lead into private networks; for pages that only your own people reach. Otherwise they lead to the
    public internet only, whatever name is given."""
    mails_per_minute: int = Field(default=300, ge=1, le=100_000)
    """How fast mails leave, from each replica. What pages people goes first in any case."""
    asks_per_minute: int = Field(default=30, ge=1, le=10_000)
    """How many mails for confirmation are written a minute, all replicas together; who asks then is told to come
    again."""
    most: int = Field(default=50_000, ge=1, le=1_000_000)
    """Subscribers that are kept, confirmed or not."""

    def rules(self, page_url: str) -> Rules:
        """The same for the domain; `page_url` is the page's address."""
        return Rules(
            url=(self.url or page_url).rstrip("/"),
            channel=self.email,
            webhooks=self.webhooks,
            private=self.private_addresses,
            asks_per_minute=self.asks_per_minute,
            most=self.most,
        )
