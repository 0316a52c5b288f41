"""One alert as a sender told it, and the identity Alertmanager gives it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

_FNV_OFFSET = 0xCBF29CE484222325
_FNV_PRIME = 0x100000001B3
_MASK = 0xFFFFFFFFFFFFFFFF


class AlertStatus(enum.StrEnum):
    """What the sender says of an alert. Absence from a body says nothing at all."""

    FIRING = "firing"
    RESOLVED = "resolved"


def service_of(labels: Mapping[str, str]) -> str:
    """The thing that breaks: label ``service``, else ``job``, else empty."""
    return labels.get("service") or labels.get("job") or ""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of one webhook body.

    Identity is (`source`, `fingerprint`); an occurrence is that plus `starts_at`. Everything else, annotations
    above all, is an attribute that may change between posts.
    """

    source: str
    fingerprint: str
    status: AlertStatus
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    """Aware, UTC, cut to microseconds (senders give up to nine fraction digits)."""
    ends_at: datetime | None
    """When the condition ended, only if `status` is resolved; Go's zero time has become None."""
    generator_url: str = ""
    cut: tuple[str, ...] = ()
    """Names of labels and annotations that were shortened for storage, e.g. ``annotation description``."""
    administrative: bool = False
    """The sender says the rule was paused or deleted: a resolve that repaired nothing and stays out of MTTR."""

    @property
    def firing(self) -> bool:
        """True while the sender says the condition holds."""
        return self.status is AlertStatus.FIRING

    @property
    def name(self) -> str:
        """The rule's name, or a placeholder: Alertmanager accepts alerts without ``alertname``."""
        return self.labels.get("alertname") or "(no alertname)"

    @property
    def service(self) -> str:
        """The thing that breaks: label ``service``, else ``job``, else empty."""
        return service_of(self.labels)

    @property
    def title(self) -> str:
        """What a person reads first: the ``summary`` annotation on one line, else the rule's name."""
        return " ".join(self.annotations.get("summary", "").split()) or self.name


def fingerprint_of(labels: Mapping[str, str]) -> str:
    """Alertmanager's fingerprint of a label set: 16 hexadecimal digits.

    FNV-1a, 64 bit, over name, 0xFF, value, 0xFF of each label in bytewise order of names; empty values are left
    out (prometheus/common model/signature.go, labelSetToFingerprint).
    """
    digest = _FNV_OFFSET
    for name, value in sorted((name.encode(), value.encode()) for name, value in labels.items() if value):
        for byte in name + b"\xff" + value + b"\xff":
            digest = ((digest ^ byte) * _FNV_PRIME) & _MASK
    return f"{digest:016x}"
