"""Builds bodies as Alertmanager posts them: its fields, its fingerprints, its way of writing JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from importlib import resources
from typing import Any

from incidentd.conformance.model import Post, Said
from incidentd.domain.alert import fingerprint_of

LABEL = "conformance"
"""The label whose value is the token of one case in one run: what the adapter is asked for."""
_NO_TIME = "0001-01-01T00:00:00Z"
_NANOSECONDS = "456789"
# What Go's encoder writes as escapes although JSON does not ask for it.
_GO = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)


@dataclass
class Stage:
    """One case in one run: the names and the times of its alerts."""

    name: str
    token: str
    first: datetime
    """The start of its alerts, to the millisecond."""
    severity: str
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    extra: Mapping[str, str] = field(default_factory=dict)
    """Labels that all alerts of the run carry."""
    fingerprints: dict[str, str] = field(default_factory=dict)
    """By key, of everything posted so far."""
    last: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By key, what was last posted of it."""

    def labels_of(self, key: str) -> dict[str, str]:
        """The labels of an alert. Alertmanager drops those without a value."""
        usual = {
            "alertname": f"Conformance {self.name} {self.token}",
            "cluster": self.token,
            LABEL: self.token,
            "instance": f"{key}.example.com:9100",
            "job": "conformance",
            "service": self.token,
            "severity": self.severity,
        }
        whole = {**usual, **self.extra, **self.labels.get(key, {})}
        return {name: value for name, value in whole.items() if value}

    def bodies(self, post: Post) -> list[bytes]:
        """What is posted: one body, or one for each alert if they are groups of their own."""
        alerts = self._recorded(post) if post.recorded else [self._alert(said) for said in post.says]
        if post.apart:
            return [self._body([alert], post) for alert in alerts]
        return [self._body(alerts, post)]

    def ends(self, now: datetime) -> bytes | None:
        """A body that ends everything that was last said to fire; None if nothing was."""
        firing = [alert for alert in self.last.values() if alert["status"] == "firing"]
        over = [{**alert, "status": "resolved", "endsAt": written(now)} for alert in firing]
        return self._body(over, Post()) if over else None

    def _remember(self, key: str, alert: dict[str, Any]) -> dict[str, Any]:
        self.last[key] = alert
        return alert

    def _alert(self, said: Said) -> dict[str, Any]:
        labels = self.labels_of(said.key)
        if said.key not in self.fingerprints:
            self.fingerprints[said.key] = fingerprint_of(labels)
        alert = {
            "status": "resolved" if said.resolved else "firing",
            "labels": labels,
            "annotations": {"summary": said.summary, **said.annotations},
            "startsAt": written(self.first + timedelta(minutes=said.start), said.east),
            "endsAt": written(self.first + timedelta(minutes=said.end), said.east)
            if said.resolved
            else _NO_TIME,
            "generatorURL": "http://prometheus.example.com:9090/graph?g0.expr=vector%281%29&g0.tab=1",
            "fingerprint": self.fingerprints[said.key],
        }
        return self._remember(said.key, alert)

    def _recorded(self, post: Post) -> list[dict[str, Any]]:
        """The recorded alerts under this run's names and times; all else is as it was posted then."""
        text = resources.files("incidentd.conformance").joinpath("recorded", f"{post.recorded}.json")
        alerts = []
        for number, recorded in enumerate(json.loads(text.read_text(encoding="utf-8"))["alerts"]):
            key = f"r{number}"
            ours = {"cluster": self.token, LABEL: self.token, "service": self.token}
            name = f"{recorded['labels'].get('alertname', '')} {self.token}"
            labels = {**recorded["labels"], **ours, **self.extra, "alertname": name}
            labels["severity"] = self.severity
            self.fingerprints[key] = fingerprint_of(labels)
            alert = {
                **recorded,
                "status": "resolved" if post.resolved else "firing",
                "labels": labels,
                "startsAt": written(self.first),
                "endsAt": written(self.first + timedelta(minutes=5)) if post.resolved else _NO_TIME,
                "fingerprint": self.fingerprints[key],
            }
            alerts.append(self._remember(key, alert))
        return alerts

    def _body(self, alerts: Sequence[dict[str, Any]], post: Post) -> bytes:
        by = ("alertname", "instance") if post.apart else ("alertname",)
        labels = alerts[0]["labels"] if alerts else {}
        group = {name: labels[name] for name in by if name in labels}
        quoted = ", ".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in group.items())
        firing = any(alert["status"] == "firing" for alert in alerts)
        fields = {
            "receiver": "conformance",
            "status": "firing" if firing else "resolved",
            "alerts": [*alerts[:1], *post.beside, *alerts[1:]],
            "groupLabels": group,
            "commonLabels": _common(alert["labels"] for alert in alerts),
            "commonAnnotations": _common(alert["annotations"] for alert in alerts),
            "externalURL": "http://alertmanager.example.com:9093",
            "version": "4",
            "groupKey": f"{{}}:{{{quoted}}}",
            "truncatedAlerts": 0,
            **post.fields,
        }
        return go_json(fields)


def written(at: datetime, east: int | None = None) -> str:
    """A time as Go writes it: `Z` or a numeric zone, milliseconds, and nanoseconds if a zone was asked for."""
    zoned = at.astimezone(timezone(timedelta(minutes=east or 0)))
    text = zoned.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if east is None:
        return text
    seconds, zone = text[: len("2026-01-01T00:00:00.000")], text[len("2026-01-01T00:00:00.000") :]
    return f"{seconds}{_NANOSECONDS}{zone}"


def go_json(value: object) -> bytes:
    """JSON as Go's encoder writes it, with the line's end after it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return f"{text.translate(_GO)}\n".encode()


def _common(maps: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """What all of them say alike."""
    several = list(maps)
    common = dict(several[0]) if several else {}
    for other in several[1:]:
        common = {key: value for key, value in common.items() if other.get(key) == value}
    return common
