"""`digest`: what interrupts nobody is mailed together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import time
from typing import Literal

from pydantic import Field

from incidentd.config.escalation import DAYS, Clock
from incidentd.config.section import Section, TimeZone
from incidentd.domain import digest as domain
from incidentd.fields import Slug

EMAIL = "email"
"""The kind of channel that can wait for a digest."""


class Digest(Section):
    """When incidents whose severity is of urgency `none` are mailed, all in one mail to each mailbox."""

    time_zone: TimeZone
    """The IANA time zone in which `at` is meant."""
    at: Clock = Field(default=time(8), json_schema_extra={"default": "08:00"})
    """When it leaves, such as `"08:00"`."""
    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = Field(
        default=("mon", "tue", "wed", "thu", "fri", "sat", "sun"), min_length=1
    )
    """Days on which it leaves; what happens on others waits for the next of them."""
    channels: tuple[Slug, ...] | None = Field(default=None, min_length=1)
    """The `email` channels whose mails wait for it; absent: all. Others are told at once as ever."""

    def plan(self, mail: Iterable[str]) -> domain.Digest:
        """The same for the domain; `mail` are the names of all e-mail channels."""
        known = frozenset(mail)
        channels = known if self.channels is None else known.intersection(self.channels)
        return domain.Digest(
            self.time_zone, self.at, channels, frozenset(DAYS.index(day) for day in self.days)
        )

    def idle(self, mail: Iterable[str]) -> Iterator[str]:
        """A warning for each channel that cannot wait for it, or one if none can."""
        known = set(mail)
        for name in self.channels or ():
            if name not in known:
                yield f"digest.channels: {name} is no channel of kind {EMAIL}, so it is told at once"
        if not known:
            yield f"digest: no channel is of kind {EMAIL}, so nothing is told in it"
