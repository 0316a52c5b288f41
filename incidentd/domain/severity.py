"""How bad an alert is, and how its label says so."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class Severity(enum.StrEnum):
    """Technical impact, worst first. ``critical`` pages, ``warning`` is told, ``info`` is recorded."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for the worst; compare ranks, never the words."""
        return _RANK[self]

    def worse_than(self, other: Severity) -> bool:
        """True if this severity outranks `other`."""
        return _RANK[self] < _RANK[other]


_RANK = {Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.INFO: 2}


@dataclass(frozen=True, slots=True)
class SeverityRules:
    """Which label carries the severity, what its values mean, and what an unknown or missing one means."""

    label: str = "severity"
    default: Severity = Severity.WARNING
    map: Mapping[str, Severity] = field(default_factory=dict)

    def severity_of(self, labels: Mapping[str, str]) -> Severity:
        """Severity of an alert: its label read case-insensitively, mapped by configuration, else the default."""
        word = labels.get(self.label, "").strip().lower()
        return _KNOWN.get(word) or self._mapped(word)

    def knows(self, word: str) -> bool:
        """True if `word`, as a label's value, means a severity and not just the default."""
        word = word.strip().lower()
        return word in _KNOWN or any(name.lower() == word for name in self.map)

    def _mapped(self, word: str) -> Severity:
        for name, severity in self.map.items():
            if name.lower() == word:
                return severity
        return self.default


_KNOWN = {severity.value: severity for severity in Severity}
