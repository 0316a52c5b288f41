"""What is safe to ask changes nothing, and what we would not ask for is counted."""

from __future__ import annotations

import hashlib

import pytest
import sqlalchemy as sa

from incidentd.channels.base import HttpFailure
from incidentd.channels.http import HttpClient
from incidentd.metrics import Metrics
from incidentd.store import schema
from incidentd.store.engine import Tx
from incidentd.web.routes import OPS
from tests.web.conftest import Daemon, alert
from tests.web.test_auth import path_of

OWN = {"calendars", "heartbeats"}
"""`GET /api/v1/calendars` makes the secret of the feeds when it is first asked; a heartbeat is a GET by contract."""


def _state(tx: Tx) -> str:
    """A hash of every row of every table."""
    digest = hashlib.sha256()
    for table in schema.metadata.sorted_tables:
        for row in tx.conn.execute(sa.select(table).order_by(*table.primary_key.columns)):
            if "last_write_probe" not in row:  # of /health: that a write is possible shows by writing
                digest.update(repr(tuple(row)).encode())
    return digest.hexdigest()


async def test_no_get_changes_anything(daemon: Daemon) -> None:
    await daemon.alert(alert("Down", service="search"))
    daemon.context.stopping.set()  # the stream of events ends at once
    before = await daemon.store.read(_state)
    asked = [op for op in OPS if "GET" in op.methods and not OWN & set(op.path.split("/"))]
    for op in asked:
        for query in ("", "?confirm=yes&delete=1&_method=DELETE"):
            await daemon.get(path_of(op) + query, "admin")
    assert len(asked) > 50
    assert await daemon.store.read(_state) == before


async def test_a_request_that_would_go_where_none_may_is_counted() -> None:
    metrics = Metrics()
    client = HttpClient(blocked=metrics.ssrf_blocked)
    try:
        with pytest.raises(HttpFailure):
            await client.request("GET", "http://127.0.0.1:9/", {}, guarded=True)
    finally:
        await client.aclose()
    labels = {"event_type": "ssrf_block", "severity": "warning"}
    assert metrics.registry.get_sample_value("security_events_total", labels) == 1
