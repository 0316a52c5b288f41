"""Bodies for the tests: the recorded ones, and a plain one to be spoilt."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent.parent / "data"
NOW = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)


def recorded(folder: str) -> dict[str, Path]:
    """Every webhook body of `folder`, by file name."""
    files = [*(DATA / folder).glob("*.json"), *(DATA / folder).glob("*.json.gz")]
    return {file.name: file for file in sorted(files) if file.name != "signed_headers.json"}


def content(path: Path) -> bytes:
    """The body as it was posted."""
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def alert(**changes: Any) -> dict[str, Any]:
    """A good alert; a value of `...` removes the field."""
    good = {
        "status": "firing",
        "labels": {"alertname": "InstanceDown", "severity": "critical"},
        "annotations": {"summary": "down"},
        "startsAt": "2026-11-20T20:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example.com/graph",
        "fingerprint": "20f7da56295f2463",
    }
    return {key: value for key, value in {**good, **changes}.items() if value is not ...}


def body(*alerts: object, **fields: Any) -> bytes:
    """A body around `alerts`."""
    whole = {"version": "4", "groupKey": "{}:{}", "receiver": "r", "alerts": list(alerts), **fields}
    return json.dumps(whole).encode()
