"""Alertmanager's webhook body, version "4" (0.25 to the newest; unknown fields are ignored)."""

from __future__ import annotations

from datetime import datetime

from incidentd.ingest import body, grafana
from incidentd.ingest.types import Post


def parse(data: bytes, source: str, now: datetime) -> Post:
    """The alerts in `data`, told by `source`. `now` (aware, UTC) stands in for times that are missing.

    A body that Grafana posted here by mistake is read as Grafana's. Raises NotAWebhookError if it is none.
    """
    whole = body.read(data)
    return grafana.post(whole, source, now) if grafana.is_grafana(whole) else body.to_post(whole, source, now)
