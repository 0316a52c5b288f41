"""What the API, health and metrics say of reconciling."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from incidentd.domain.at_source import AtSource, SilenceView
from incidentd.store import reconcile
from tests.web.conftest import Daemon, Start, alert

SOURCES: dict[str, Any] = {"main": {"alertmanagers": ["http://am:9093"]}, "other": {}}
ENDS = datetime(2026, 11, 20, 19, tzinfo=UTC)


async def test_an_incident_shows_what_keeps_it_quiet_at_its_source(daemon: Daemon) -> None:
    await daemon.alert(alert("Down"), alert("Slow", service="search"))
    views = {
        1: AtSource(1, (SilenceView("s", "alice", "swap", ENDS),), inhibited=True),
        2: AtSource(2, still_firing=True),
    }
    await daemon.store.write(lambda tx: reconcile.show(tx, "main", views))
    silence = {"id": "s", "created_by": "alice", "comment": "swap", "ends_at": "2026-11-20T19:00:00Z"}
    second, first = (await daemon.get("/api/v1/incidents"))[1]["items"]
    assert first["at_source"] == {"silenced_by": [silence], "inhibited": True}
    assert (second["at_source"], second["still_firing_at_source"]) == (None, True)
    detail = (await daemon.get("/api/v1/incidents/1"))[1]
    done = (await daemon.post("/api/v1/incidents/1/acknowledge", {}))[1]
    assert detail["at_source"] == done["at_source"] == first["at_source"]
    assert not detail["still_firing_at_source"]


async def test_health_and_metrics_tell_when_a_source_was_last_reconciled(start: Start) -> None:
    async with start(sources=SOURCES) as daemon:
        name, now = "incidentd_reconcile_last_success_timestamp_seconds", daemon.clock.now()
        assert await check(daemon) == ("healthy", "last good round never")
        await daemon.get("/metrics")
        assert daemon.sample(name, source="main") == 0
        await daemon.store.write(lambda tx: reconcile.claim(tx, "main", timedelta(minutes=1), now))
        await daemon.store.write(lambda tx: reconcile.good(tx, "main", now, None))
        await daemon.get("/metrics")
        assert daemon.sample(name, source="main") == round(now.timestamp(), 6)
        await daemon.store.write(lambda tx: reconcile.failed(tx, "main", "unreachable", "am: cannot connect"))
        daemon.clock.ahead += timedelta(minutes=11)
        status, detail = await check(daemon)
        assert status == "degraded"
        assert detail.endswith("s ago; unreachable: am: cannot connect")


async def check(daemon: Daemon) -> tuple[str, str]:
    """Status and words of the check."""
    _, data = await daemon.get("/health/detailed")
    [found] = [each for each in data["checks"] if each["name"] == "reconcile main"]
    return found["status"], found["detail"]


async def test_a_post_tells_the_name_of_its_receiver(daemon: Daemon) -> None:
    await daemon.alert(alert())
    assert daemon.context.heard.fresh("main") == {"incidentd"}
    daemon.context.heard.note("main", r"page\.team-a \(1\)")
    assert daemon.context.heard.fresh("main") == {"page.team-a (1)"}
    await daemon.alert(alert())
    assert daemon.context.heard.fresh("main") == set()
