"""Made-up webhook bodies in the shape Alertmanager posts them: version "4", about 1 kB an alert, right fingerprints.

A fingerprint hashes the labels in the order of their names. The one label that differs between alerts of a kind is the
last of them, so everything before it is hashed once and a million alerts are made in seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

import orjson

from incidentd.domain.alert import fingerprint_of

NAMES, SERVICES = 20, 10
GROUPS = NAMES * SERVICES
"""Distinct (alertname, cluster, service) in the load: as many incidents under the default grouping."""

_OFFSET, _PRIME, _MASK = 0xCBF29CE484222325, 0x100000001B3, 0xFFFFFFFFFFFFFFFF
_END = b"\xff"
_UID, _PRINT = b"@uid@", b"@fingerprint@"
_SEVERITIES = ("critical", "warning", "info")


@dataclass(frozen=True, slots=True)
class Post:
    """One body and the identities in it."""

    body: bytes
    fingerprints: tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """Alerts that differ in the label ``uid`` alone: those of one rule for one service."""

    name: int
    service: int
    starts_at: str

    @cached_property
    def labels(self) -> dict[str, str]:
        service = f"service-{self.service:02}"
        return {
            "alertname": f"ErrorBudgetBurn{self.name:02}",
            "cluster": f"eu-{self.name % 3}",
            "container": service,
            "instance": f"10.2.{self.name}.{self.service}:9100",
            "job": f"prod/{service}",
            "namespace": "prod",
            "prometheus": "monitoring/k8s",
            "service": service,
            "severity": _SEVERITIES[self.name % 3],
            "team": f"team-{self.service % 4}",
        }

    @cached_property
    def _digest(self) -> int:
        pairs = [name.encode() + _END + value.encode() + _END for name, value in sorted(self.labels.items())]
        return _fnv(_OFFSET, b"".join([*pairs, b"uid", _END]))

    @cached_property
    def _texts(self) -> tuple[list[bytes], bytes]:
        """What stands around every uid, the last piece ending before the fingerprint, and what follows that."""
        uid, service = _UID.decode(), self.labels["service"]
        alert = {
            "status": "firing",
            "labels": self.labels | {"uid": uid},
            "annotations": {
                "dashboard": f"https://grafana.example.com/d/slo/budget?var-service={service}",
                "description": f"Pod {uid} of {service} burns its monthly error budget 14.4 times faster than "
                "allowed, measured over the last hour and over the last five minutes. At this pace nothing is left "
                "of it in two days.",
                "runbook_url": "https://runbooks.example.com/slo/error-budget-burn",
                "summary": f"Error budget of {service} burns in pod {uid}",
            },
            "startsAt": self.starts_at,
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example.com:9090/graph?g0.expr=slo%3Aerror_ratio_1h+%3E+0.0144&g0.tab=1",
            "fingerprint": _PRINT.decode(),
        }
        before, after = orjson.dumps(alert).split(_PRINT)
        return before.split(_UID), after

    def alert(self, uid: bytes) -> tuple[str, bytes]:
        """The fingerprint and the JSON of one alert. `uid` is plain ASCII."""
        fingerprint = f"{_fnv(self._digest, uid + _END):016x}"
        texts, after = self._texts
        return fingerprint, uid.join(texts) + fingerprint.encode() + after


def posts(run: str, per_post: int, first: int = 0) -> Iterator[Post]:
    """Bodies without end, every alert with an identity of its own; `run` keeps them apart from another run's.

    One body is one Alertmanager group: the same rule and cluster, the alerts of several services.
    """
    starts_at = (
        (datetime.now(UTC) - timedelta(minutes=1)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )
    kinds = [[Kind(name, service, starts_at) for service in range(SERVICES)] for name in range(NAMES)]
    _prove(kinds[0][0])
    number = first
    while True:
        same_name = kinds[(number // per_post) % NAMES]
        made = []
        for _ in range(per_post):
            # Stepped by post as well, so that single alerts reach every service too.
            service = (number + number // (per_post * NAMES)) % SERVICES
            made.append(same_name[service].alert(f"{run}-{number:08}".encode()))
            number += 1
        fingerprints, alerts = zip(*made, strict=True)
        yield Post(envelope(same_name[0].labels, b",".join(alerts)), fingerprints)


def envelope(labels: dict[str, str], alerts: bytes, status: str = "firing") -> bytes:
    """The body around `alerts`, as if Alertmanager grouped by alertname and cluster."""
    group = {name: labels[name] for name in ("alertname", "cluster") if name in labels}
    around = {
        "receiver": "incidentd",
        "status": status,
        "alerts": [],
        "groupLabels": group,
        "commonLabels": group,
        "commonAnnotations": {"runbook_url": "https://runbooks.example.com/slo/error-budget-burn"},
        "externalURL": "http://alertmanager.example.com:9093",
        "version": "4",
        "groupKey": "{}:{" + ", ".join(f'{name}="{value}"' for name, value in group.items()) + "}",
        "truncatedAlerts": 0,
    }
    return orjson.dumps(around).replace(b'"alerts":[]', b'"alerts":[' + alerts + b"]", 1)


def _fnv(digest: int, data: bytes) -> int:
    for byte in data:
        digest = ((digest ^ byte) * _PRIME) & _MASK
    return digest


def _prove(kind: Kind) -> None:
    """The short cut above must give what Alertmanager's own arithmetic gives."""
    fingerprint, text = kind.alert(b"proof")
    alert = orjson.loads(text)
    assert fingerprint == alert["fingerprint"] == fingerprint_of(alert["labels"]), (
        "wrong fingerprints in the load"
    )
