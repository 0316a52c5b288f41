"""Health and metrics: what is asked by machines that decide on it."""

from datetime import timedelta

from incidentd.store import schema
from incidentd.web import health
from tests.web.conftest import Daemon, alert

OWN = ["event loop", "memory", "descriptors", "disk"]


async def test_a_sound_daemon_is_alive_ready_and_healthy(daemon: Daemon) -> None:
    assert (await daemon.get("/health/live", None))[1] == {"status": "alive"}
    assert (await daemon.get("/health/ready", None))[1] == {"status": "ready"}
    assert (await daemon.get("/health", None))[1] == {"status": "healthy"}
    answer, data = await daemon.get("/health/detailed")
    assert answer.status == 200
    assert health.DetailedHealth.model_validate(data).status == "healthy"
    told_by_the_process = {"intake", "memory", "descriptors", "disk"}
    asked = {check["name"] for check in data["checks"] if check["latency_ms"] is not None}
    assert asked == {check["name"] for check in data["checks"]} - told_by_the_process
    assert [check["name"] for check in data["checks"]] == [
        "database",
        "intake",
        "outbox",
        "channel console",
        *OWN,
    ]


async def test_a_database_without_its_schema_is_not_ready(daemon: Daemon) -> None:
    await daemon.context.store.write(lambda tx: schema.metadata.drop_all(tx.conn))
    answer, _ = await daemon.get("/health/ready", None)
    assert answer.status == 503
    assert (await daemon.get("/health/live", None))[0].status == 200


async def test_a_database_that_takes_no_write_is_unhealthy_until_it_does(daemon: Daemon) -> None:
    daemon.store.writes_fail = True
    for path in ("/health", "/health/ready", "/health/detailed"):
        assert (await daemon.get(path))[0].status == 503
    _, data = await daemon.get("/health/detailed")
    assert data["status"] == data["checks"][0]["status"] == "unhealthy"
    assert "disk I/O error" in data["checks"][0]["detail"]
    daemon.store.writes_fail = False
    daemon.clock.ahead += timedelta(seconds=1)
    assert (await daemon.get("/health/ready", None))[0].status == 200


async def test_probes_write_at_most_every_five_seconds(daemon: Daemon) -> None:
    before = daemon.store.writes
    for _ in range(20):
        await daemon.get("/health/ready", None)
    assert daemon.store.writes == before + 1
    daemon.clock.ahead += timedelta(seconds=5)
    await daemon.get("/health/ready", None)
    assert daemon.store.writes == before + 2


async def test_a_late_page_and_a_long_queue_degrade(daemon: Daemon) -> None:
    daemon.context.queued = lambda: 40_000
    await daemon.alert(alert())
    daemon.clock.ahead += timedelta(minutes=2)
    answer, data = await daemon.get("/health/detailed")
    assert (answer.status, data["status"]) == (200, "degraded")
    assert {check["name"]: check["status"] for check in data["checks"]} == {
        "database": "healthy",
        "intake": "degraded",
        "outbox": "degraded",
        "channel console": "healthy",
        **dict.fromkeys(OWN, "healthy"),
    }


async def test_details_that_cannot_be_read_degrade_and_take_no_alerts_away(daemon: Daemon) -> None:
    daemon.store.reads_left = 1
    answer, data = await daemon.get("/health/detailed")
    checks = {check["name"]: check["status"] for check in data["checks"]}
    assert (answer.status, data["status"]) == (200, "degraded")
    assert (checks["outbox"], checks["details"]) == ("healthy", "degraded")


async def test_a_daemon_that_stops_is_not_ready(daemon: Daemon) -> None:
    daemon.context.stopping.set()
    for path in ("/health", "/health/ready", "/health/detailed"):
        assert (await daemon.get(path))[0].status == 503


async def test_metrics_show_gauges_of_the_database_and_routes_by_template(daemon: Daemon) -> None:
    await daemon.alert(alert())
    await daemon.get("/api/v1/incidents/1")
    answer, data = await daemon.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    lines = data.decode().splitlines()
    assert 'incidentd_incidents_open{severity="critical",state="triggered"} 1.0' in lines
    assert "incidentd_deliveries_dead 0.0" in lines
    assert any(line.startswith('incidentd_delivery_oldest_pending_seconds{class="page"}') for line in lines)
    labels = 'method="GET",route="/api/v1/incidents/{id}",status_code="200"'
    assert f"http_requests_total{{{labels}}} 1.0" in lines
    assert "http_requests_in_flight 1.0" in lines
    await daemon.post("/api/v1/incidents/1/resolve", {"force": True})
    _, data = await daemon.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert 'incidentd_incidents_open{severity="critical",state="triggered"} 0.0' in data.decode()
    assert data.endswith(b"# EOF\n")


async def test_metrics_are_shown_without_a_database(daemon: Daemon) -> None:
    await daemon.get("/api/v1/incidents")
    daemon.store.reads_fail = True
    answer, data = await daemon.get("/metrics")
    assert answer.status == 200
    assert b"auth_attempts_total" in data
    assert b"incidentd_metrics_database_up 0.0" in data, "what is shown of the database is old"
    daemon.store.reads_fail = False
    assert b"incidentd_metrics_database_up 1.0" in (await daemon.get("/metrics"))[1]
