"""What is special about an incident at its source: what keeps its alerts quiet there, and that they fire on there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from incidentd.domain.incident import RECONCILE, Entry
from incidentd.domain.reconcile import Comparison

_NAMED = 3
"""How many silences the timeline names at once."""


@dataclass(frozen=True, slots=True)
class SilenceView:
    """A silence at the source, as people are shown it."""

    id: str
    created_by: str = ""
    comment: str = ""
    ends_at: datetime | None = None
    """None if its Alertmanager did not say."""


@dataclass(frozen=True, slots=True)
class AtSource:
    """What is special about an incident at its source."""

    incident_id: int
    silenced_by: tuple[SilenceView, ...] = ()
    inhibited: bool = False
    still_firing: bool = False
    """Closed here, while its alerts fire there."""


def shown(found: Comparison, silences: Mapping[str, SilenceView]) -> dict[int, AtSource]:
    """What is special about which incidents; `silences` by id, as far as they are known."""
    ids = found.quiet.keys() | found.inhibited | found.closed
    return {
        i: AtSource(
            i,
            tuple([silences.get(each, SilenceView(each)) for each in sorted(found.quiet.get(i, ()))]),
            i in found.inhibited,
            i in found.closed,
        )
        for i in sorted(ids)
    }


def told(before: AtSource | None, after: AtSource | None) -> list[Entry]:
    """What the timeline says of a change of these: one entry for each thing that began or ended."""
    was, now = before or AtSource(0), after or AtSource(0)
    entries = []
    known = {each.id for each in was.silenced_by}
    fresh = [each for each in now.silenced_by if each.id not in known]
    if fresh:
        ids = {"silences": [each.id for each in fresh]}
        entries.append(Entry("silenced_at_source", RECONCILE, _silenced(fresh), ids))
    elif was.silenced_by and not now.silenced_by and now.still_firing is was.still_firing:
        entries.append(Entry("unsilenced_at_source", RECONCILE, "no longer silenced at its source"))
    if now.inhibited and not was.inhibited:
        text = "inhibited at its source: another alert there keeps it quiet"
        entries.append(Entry("inhibited_at_source", RECONCILE, text))
    elif was.inhibited and not now.inhibited and now.still_firing is was.still_firing:
        entries.append(Entry("uninhibited_at_source", RECONCILE, "no longer inhibited at its source"))
    if now.still_firing and not was.still_firing:
        text = "closed here, but still firing at its source"
        entries.append(Entry("still_firing_at_source", RECONCILE, text))
    return entries


def _silenced(fresh: Sequence[SilenceView]) -> str:
    more = f" and {len(fresh) - _NAMED} more" if len(fresh) > _NAMED else ""
    return "silenced at its source " + "; ".join([said(each) for each in fresh[:_NAMED]]) + more


def said(silence: SilenceView) -> str:
    """A silence in words: ``by alice until 2026-11-20 12:00 UTC: disk swap``."""
    words = [f"by {silence.created_by}" if silence.created_by else f"by {silence.id}"]
    if silence.ends_at is not None:
        words.append(f"until {silence.ends_at:%Y-%m-%d %H:%M} UTC")
    return " ".join(words) + (f": {silence.comment}" if silence.comment else "")
