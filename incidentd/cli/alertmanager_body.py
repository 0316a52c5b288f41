"""The test alert as Alertmanager's webhook, version "4", would carry it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

_FNV_OFFSET, _FNV_PRIME, _U64 = 0xCBF29CE484222325, 0x100000001B3, 0xFFFFFFFFFFFFFFFF
# Alertmanager's zero time, which it sends as endsAt while an alert fires.
_NO_TIME = "0001-01-01T00:00:00Z"
_ALERTMANAGER = "http://alertmanager.example.com:9093"
_PROMETHEUS = "http://prometheus.example.com:9090"


@dataclass(frozen=True)
class TestAlert:
    """One test alert; equal names, services and severities are one alert."""

    __test__ = False  # pytest would take the name for a test class

    name: str
    service: str
    severity: str
    starts_at: str = ""

    @property
    def labels(self) -> dict[str, str]:
        """The labels, which alone make the identity."""
        return {
            "alertname": self.name,
            "cluster": "test",
            "instance": f"{self.service}-1.example.com:8080",
            "job": "incidentctl",
            "service": self.service,
            "severity": self.severity,
        }

    @property
    def annotations(self) -> dict[str, str]:
        """Texts for people."""
        return {
            "summary": f"Test alert for {self.service}",
            "description": "Nothing is wrong. Resolve it with `incidentctl test-alert --resolve`.",
            "runbook_url": f"https://runbooks.example.com/{quote(self.name, safe='')}",
        }

    @property
    def fingerprint(self) -> str:
        """The fingerprint Alertmanager gives these labels."""
        return fingerprint(self.labels)

    def started(self, at: str) -> TestAlert:
        """The same alert with its start, an RFC 3339 time."""
        return replace(self, starts_at=at)


def fingerprint(labels: Mapping[str, str]) -> str:
    """FNV-1a (64 bit) over sorted labels, as prometheus/common `model/signature.go` computes it."""
    result = _FNV_OFFSET
    for name, value in sorted((name.encode(), value.encode()) for name, value in labels.items() if value):
        for byte in name + b"\xff" + value + b"\xff":
            result = ((result ^ byte) * _FNV_PRIME) & _U64
    return f"{result:016x}"


def body(alerts: Sequence[TestAlert], now: datetime, *, resolved: bool) -> dict[str, Any]:
    """Return the webhook body for `alerts`, which are of one group: same name, cluster and service."""
    status = "resolved" if resolved else "firing"
    group = {key: alerts[0].labels[key] for key in ("alertname", "cluster", "service")}
    # Go's %q and JSON quote the same for what a label of a test holds.
    quoted = ", ".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in group.items())
    return {
        "version": "4",
        "groupKey": f"{{}}:{{{quoted}}}",
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "incidentd",
        "groupLabels": group,
        "commonLabels": _common([alert.labels for alert in alerts]),
        "commonAnnotations": _common([alert.annotations for alert in alerts]),
        "externalURL": _ALERTMANAGER,
        "alerts": [
            {
                "status": status,
                "labels": alert.labels,
                "annotations": alert.annotations,
                "startsAt": alert.starts_at,
                "endsAt": now.isoformat() if resolved else _NO_TIME,
                "generatorURL": f"{_PROMETHEUS}/graph?g0.expr=vector%281%29&g0.tab=1",
                "fingerprint": alert.fingerprint,
            }
            for alert in alerts
        ],
    }


def _common(maps: Sequence[Mapping[str, str]]) -> dict[str, str]:
    return {key: value for key, value in maps[0].items() if all(other.get(key) == value for other in maps)}
