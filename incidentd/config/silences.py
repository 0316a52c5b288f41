"""`silences`: how long those may be that people make from incidents, and when they are reminded of them."""

from __future__ import annotations

from datetime import timedelta

from incidentd.config.section import PositiveDuration, Section
from incidentd.domain.silence import Policy


class Silences(Section):
    """Silences that are made from incidents in the Alertmanagers of their source."""

    warn_before: PositiveDuration = timedelta(minutes=15)
    """So long before a silence ends its incident's channels and whoever holds it are told; of one that is shorter than
    four times this, when a quarter of it is left."""
    forgotten_after: PositiveDuration = timedelta(hours=24)
    """A silence that has held for so long is listed as forgotten."""
    longest: PositiveDuration = timedelta(days=7)
    """The longest silence that can be asked for at once."""

    @property
    def policy(self) -> Policy:
        """The same for the domain."""
        return Policy(self.warn_before, self.forgotten_after, self.longest)
