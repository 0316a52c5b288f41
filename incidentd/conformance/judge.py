"""Compares what is seen with what must be. Pure: a view in, a fault or none out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from incidentd.conformance.bodies import Stage
from incidentd.conformance.model import Expect, Told
from incidentd.conformance.view import View

_NAMED = 5
_A_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Fault:
    """What was expected, and what was seen instead."""

    expected: str
    seen: str


def pages_of(view: View) -> int | None:
    """How often people were told; None if the view does not show it."""
    counts = [incident.pages for incident in view.incidents]
    known = [count for count in counts if count is not None]
    return None if len(known) < len(counts) else sum(known)


def judge(expect: Expect, view: View, stage: Stage, told_before: int | None) -> Fault | None:
    """The first thing that is not as expected; `told_before`: pages at the last look, None if they are not shown."""
    names = {fingerprint: key for key, fingerprint in stage.fingerprints.items()}
    return (
        _firing(expect, view, names)
        or _open(expect, view)
        or _told(expect, view, told_before)
        or _marks(expect, view, stage)
    )


def _firing(expect: Expect, view: View, names: dict[str, str]) -> Fault | None:
    if expect.firing is None:
        return None
    places = Counter(
        fingerprint
        for incident in view.incidents
        if incident.open
        for fingerprint in {alert.fingerprint for alert in incident.alerts if alert.status == "firing"}
    )
    seen = {names.get(fingerprint, f"unknown fingerprint {fingerprint}") for fingerprint in places}
    wanted = f"firing: {_listed(expect.firing)}, each in exactly one open incident"
    if seen != set(expect.firing):
        lost, extra = set(expect.firing) - seen, seen - set(expect.firing)
        parts = [f"missing: {_listed(lost)}"] if lost else []
        parts += [f"fires although it should not: {_listed(extra)}"] if extra else []
        return Fault(wanted, "; ".join(parts))
    twice = {names[fingerprint]: count for fingerprint, count in places.items() if count > 1}
    if twice:
        key, count = next(iter(twice.items()))
        return Fault(wanted, f"{key} fires in {count} open incidents")
    left = [incident.id for incident in view.incidents if incident.open]
    if not expect.firing and left:
        return Fault("no open incident", f"still open: {_listed([str(number) for number in left])}")
    return None


def _open(expect: Expect, view: View) -> Fault | None:
    count = sum(incident.open for incident in view.incidents)
    if expect.most_open is None or count <= expect.most_open:
        return None
    return Fault(f"at most {expect.most_open} open", f"{count} open")


def _told(expect: Expect, view: View, before: int | None) -> Fault | None:
    now = pages_of(view)
    if expect.told is None or now is None or before is None:
        return None
    more = now - before
    right = {Told.NOBODY: more == 0, Told.ONCE: more == 1, Told.AGAIN: more > 0}[expect.told]
    times = {0: "nobody was told", 1: "told once"}.get(more, f"told {more} times")
    return None if right else Fault(expect.told.value, times)


def _marks(expect: Expect, view: View, stage: Stage) -> Fault | None:
    if expect.truncated and not any(incident.open and incident.truncated for incident in view.incidents):
        return Fault("an open incident shows that the sender left alerts out", "none does")
    if expect.started:
        for alert in (alert for incident in view.incidents for alert in incident.alerts):
            if alert.starts_at is not None and abs(alert.starts_at - stage.first) > _A_MILLISECOND:
                return Fault(f"it started at {stage.first.isoformat()}", alert.starts_at.isoformat())
    return None


def _listed(keys: Collection[str]) -> str:
    if not keys:
        return "nothing"
    shown = sorted(keys)[:_NAMED]
    rest = len(keys) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")
