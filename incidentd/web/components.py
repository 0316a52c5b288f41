"""How the public components fare: the worst effect of the open incidents that concern each of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from incidentd.config import Component, Effect
from incidentd.domain.severity import Severity

_RANK = {effect: rank for rank, effect in enumerate(Effect)}


@dataclass(frozen=True, slots=True)
class Fare:
    """One component now."""

    component: Component
    effect: Effect

    @property
    def rank(self) -> int:
        """0 for operational; higher is worse."""
        return _RANK[self.effect]


def fares(
    components: Sequence[Component], incidents: Sequence[tuple[Mapping[str, str], Severity]]
) -> tuple[Fare, ...]:
    """Every component with the worst effect of the open incidents, given as (labels, severity)."""
    return tuple(Fare(component, _effect(component, incidents)) for component in components)


def _effect(component: Component, incidents: Sequence[tuple[Mapping[str, str], Severity]]) -> Effect:
    worst = Effect.OPERATIONAL
    for labels, severity in incidents:
        effect = component.effect_of(severity)
        if _RANK[effect] > _RANK[worst] and all(matcher.matches(labels) for matcher in component.match):
            worst = effect
    return worst


def indicator(found: Sequence[Fare]) -> tuple[str, str]:
    """Statuspage's overall indicator and its English words, which readers of the format match on."""
    worst = max((fare.rank for fare in found), default=0)
    major = sum(fare.effect is Effect.MAJOR_OUTAGE for fare in found)
    if major and 2 * major >= len(found):
        return "critical", "Major Service Outage"
    if worst >= _RANK[Effect.PARTIAL_OUTAGE]:
        return "major", "Partial System Outage"
    if worst:
        return "minor", "Partially Degraded Service"
    return "none", "All Systems Operational"
