"""Bodies to post: the recorded ones by name, and made-up ones of any size and time."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.ingest.bodies import DATA, content

ZERO = "0001-01-01T00:00:00Z"
"""What Alertmanager writes for the end of what still fires."""


def recorded(name: str, folder: str = "alertmanager") -> bytes:
    """The body that a real sender posted, byte for byte."""
    path = DATA / folder / f"{name}.json"
    return content(path if path.exists() else Path(f"{path}.gz"))


def one_alert(name: str) -> dict[str, Any]:
    """The first alert of a recorded body."""
    alert: dict[str, Any] = json.loads(recorded(name))["alerts"][0]
    return alert


def webhook(*alerts: dict[str, Any]) -> bytes:
    """A body around alerts, as Alertmanager would post them."""
    whole: dict[str, Any] = {
        "version": "4",
        "groupKey": "{}:{}",
        "receiver": "incidentd",
        "status": "firing" if any(alert["status"] == "firing" for alert in alerts) else "resolved",
        "alerts": list(alerts),
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example.com:9093",
        "truncatedAlerts": 0,
    }
    return json.dumps(whole).encode()


def alert(
    name: str, starts: datetime, ends: datetime | None = None, *, instance: str = "web-1:9100", **labels: str
) -> dict[str, Any]:
    """One alert, firing unless it has an end; its fingerprint follows from name and instance."""
    whole = {"alertname": name, "instance": instance, "severity": "critical", **labels}
    return {
        "status": "firing" if ends is None else "resolved",
        "labels": whole,
        "annotations": {
            "summary": f"{name} on {instance}",
            "runbook_url": "https://runbooks.example.com/it",
        },
        "startsAt": starts.isoformat(),
        "endsAt": ZERO if ends is None else ends.isoformat(),
        "generatorURL": "http://prometheus.example.com/graph?g0.expr=up",
        "fingerprint": fingerprint(whole),
    }


def fingerprint(labels: dict[str, str]) -> str:
    """Alertmanager's identity of an alert: FNV-1a over its sorted labels (prometheus/common, model/signature.go)."""
    value = 0xCBF29CE484222325
    for name, text in sorted((name.encode(), text.encode()) for name, text in labels.items() if text):
        for byte in name + b"\xff" + text + b"\xff":
            value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"
