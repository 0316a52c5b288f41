"""What reading a body of 10,000 alerts costs, next to bare JSON readers: python -m benchmarks.parse."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import orjson
from pydantic import BaseModel

from incidentd.ingest import alertmanager

BODIES = Path(__file__).parent.parent / "tests" / "data" / "alertmanager"
ROUNDS = 7


class PlainAlert(BaseModel):
    status: str
    labels: dict[str, str]
    annotations: dict[str, str]
    startsAt: datetime  # noqa: N815 - the sender's name
    endsAt: datetime  # noqa: N815
    generatorURL: str  # noqa: N815
    fingerprint: str


class PlainBody(BaseModel):
    alerts: list[PlainAlert]


def best_of(read: Callable[[], object]) -> float:
    """Seconds of the fastest round: the others were disturbed by something else."""
    seconds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        read()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def main() -> None:
    now = datetime.now(UTC)
    for name in ("group_10000_firing", "group_10000_resolved"):
        body = gzip.decompress((BODIES / f"{name}.json.gz").read_bytes())
        # An escaped NUL anywhere sends every alert down the careful path: the price of the worst body.
        torture = body.replace(b'"receiver":', b'"x":"\\u0000","receiver":', 1)
        rows: dict[str, Callable[[], object]] = {
            "json.loads": partial(json.loads, body),
            "orjson.loads": partial(orjson.loads, body),
            "pydantic model_validate_json": partial(PlainBody.model_validate_json, body),
            "alertmanager.parse": partial(alertmanager.parse, body, "main", now),
            "alertmanager.parse, all careful": partial(alertmanager.parse, torture, "main", now),
        }
        alerts = len(alertmanager.parse(body, "main", now).alerts)
        print(f"{name}: {alerts} alerts, {len(body)} bytes")
        for title, read in rows.items():
            print(f"  {title:34} {best_of(read) / alerts * 1e6:6.2f} us/alert")


if __name__ == "__main__":
    main()
