"""What is replayed: the bodies of a period, what people did in it, and the overrides and maintenance they made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from incidentd.domain.maintenance import Window
from incidentd.domain.schedule import Override
from incidentd.ingest import alertmanager, grafana
from incidentd.ingest.types import Post
from incidentd.store.journal import Act as Act  # noqa: PLC0414 - part of a recording, as it is stored
from incidentd.store.journal import Kept as Kept  # noqa: PLC0414 - as above

PARSERS: dict[str, Callable[[bytes, str, datetime], Post]] = {
    "alertmanager": alertmanager.parse,
    "grafana": grafana.parse,
}
"""Format of a body -> what reads it."""


@dataclass(frozen=True, slots=True)
class MadeWindow:
    """A maintenance window that somebody made."""

    window: Window
    made_at: datetime
    cancelled_at: datetime | None = None

    def stands(self, now: datetime) -> bool:
        """It was made and not yet cancelled."""
        return self.made_at <= now and (self.cancelled_at is None or now < self.cancelled_at)


@dataclass(frozen=True, slots=True)
class Recording:
    """A period of the journal."""

    since: datetime
    until: datetime
    """Where it ends: what would have been told later is not looked at."""
    bodies: Iterable[Kept]
    """In the order they came."""
    acts: tuple[Act, ...] = ()
    overrides: tuple[Override, ...] = ()
    windows: tuple[MadeWindow, ...] = ()

    def events(self) -> Iterator[Kept | Act]:
        """Bodies and acts in the order of time; of one instant the body comes first."""
        acts = iter(sorted(self.acts, key=lambda act: act.at))
        act = next(acts, None)
        for body in self.bodies:
            while act is not None and act.at < body.at:
                yield act
                act = next(acts, None)
            yield body
        if act is not None:
            yield act
        yield from acts
