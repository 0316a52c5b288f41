"""Alerts, quarantine, deliveries, the report and reload."""

from datetime import timedelta

from incidentd.domain.notification import DeliveryState
from incidentd.store import leases
from incidentd.store.engine import Tx
from incidentd.web import answers
from incidentd.web.report import Report
from tests.web.conftest import Daemon, alert


async def test_alerts_are_found_by_status_source_and_fingerprint(daemon: Daemon) -> None:
    first, second = alert("A"), alert("B")
    await daemon.alert(first, second)
    await daemon.alert(alert("B", "resolved"))
    for query, names in (
        ("", ["B", "A"]),
        ("?status=firing", ["A"]),
        ("?status=resolved", ["B"]),
        ("?source=main", ["B", "A"]),
        ("?source=other", []),
        (f"?fingerprint={first['fingerprint']}", ["A"]),
    ):
        answer, page = await daemon.get(f"/api/v1/alerts{query}")
        assert answer.status == 200
        answers.AlertPage.model_validate(page)
        assert [item["labels"]["alertname"] for item in page["items"]] == names
    _, first = await daemon.get("/api/v1/alerts?limit=1")
    _, rest = await daemon.get(f"/api/v1/alerts?limit=1&cursor={first['next_cursor']}")
    assert [item["incident_id"] for item in rest["items"]] == [1]
    assert (await daemon.get("/api/v1/alerts?status=odd"))[0].status == 400


async def test_all_alerts_of_an_incident_are_found_page_by_page_as_they_were_in_it(daemon: Daemon) -> None:
    one = {"service": "checkout"}
    first = "2026-11-20T17:00:00Z"
    await daemon.alert(
        *[alert("Down", start=first, instance=str(n), **one) for n in range(3)], alert("Other")
    )
    await daemon.alert(*[alert("Down", "resolved", start=first, instance=str(n), **one) for n in range(3)])
    daemon.clock.ahead += timedelta(hours=1)
    await daemon.alert(alert("Down", start="2026-11-20T18:00:00Z", instance="0", **one))
    answer, page = await daemon.get("/api/v1/alerts?incident=INC-1&limit=2")
    assert answer.status == 200
    answers.AlertPage.model_validate(page)
    _, rest = await daemon.get(f"/api/v1/alerts?incident=1&limit=2&cursor={page['next_cursor']}")
    found = [*page["items"], *rest["items"]]
    assert [item["labels"]["instance"] for item in found] == ["2", "1", "0"]
    # That one of them fires again belongs to another incident.
    assert {(i["status"], i["starts_at"], i["incident_id"]) for i in found} == {("resolved", first, 1)}
    _, again = await daemon.get("/api/v1/alerts?incident=3&status=firing")
    assert [(i["labels"]["instance"], i["incident_id"]) for i in again["items"]] == [("0", 3)]
    assert (await daemon.get("/api/v1/alerts?incident=1&status=firing"))[1]["items"] == []
    assert (await daemon.get("/api/v1/alerts?incident=99"))[1]["items"] == []
    assert (await daemon.get("/api/v1/alerts?incident=x"))[0].status == 400


async def test_the_quarantine_shows_what_was_set_aside(daemon: Daemon) -> None:
    data = await daemon.alert({"status": "odd", "labels": {"alertname": "Bad"}})
    _, page = await daemon.get("/api/v1/quarantine")
    answers.QuarantinePage.model_validate(page)
    (item,) = page["items"]
    assert (item["request_id"], item["where"]) == (data["request_id"], "alerts[0].status")


async def test_deliveries_are_found_by_state_incident_and_channel(daemon: Daemon) -> None:
    await daemon.alert(alert("A"), alert("B"))
    for query, found in (
        ("", [2, 1]),
        ("?state=pending&incident=INC-1", [1]),
        ("?incident=2", [2]),
        ("?channel=console", [2, 1]),
        ("?channel=other", []),
        ("?state=dead", []),
    ):
        answer, page = await daemon.get(f"/api/v1/deliveries{query}")
        assert answer.status == 200
        answers.DeliveryPage.model_validate(page)
        assert [item["id"] for item in page["items"]] == found
    answer, one = await daemon.get("/api/v1/deliveries/1")
    assert (answer.status, one["target"]) == (200, "stdout")
    for path in ("99", "x", "9" * 30):
        assert (await daemon.get(f"/api/v1/deliveries/{path}"))[0].status == 404
    assert (await daemon.get("/api/v1/deliveries?incident=x"))[0].status == 400


async def test_only_a_dead_delivery_can_be_retried(daemon: Daemon) -> None:
    await daemon.alert(alert())
    answer, problem = await daemon.post("/api/v1/deliveries/1/retry", {}, "admin")
    assert (answer.status, problem["reason"], problem["state"]) == (409, "wrong_state", "triggered")
    await _kill(daemon, 1)
    dead = (await daemon.get("/api/v1/deliveries?state=dead"))[1]["items"][0]
    assert (dead["last_error"], dead["last_outcome"], dead["reason"]) == ("refused", "disabled", "gave up")
    assert (dead["next_attempt_at"], dead["retried_at"]) == (None, None)
    answer, one = await daemon.post("/api/v1/deliveries/1/retry", None, "admin")
    assert (answer.status, one["state"], one["attempts"]) == (200, "pending", 0)
    answers.Delivery.model_validate(one)
    assert one["next_attempt_at"] == one["retried_at"] > one["created_at"]
    assert (one["fallback_of"], one["fell_back"], one["bundled_in"]) == (None, False, None)
    assert (await daemon.post("/api/v1/deliveries/99/retry", {}, "admin"))[0].status == 404


async def _kill(daemon: Daemon, number: int) -> None:
    now = daemon.clock.now()

    def work(tx: Tx) -> None:
        leases.lease(tx, [number], "worker", now + timedelta(minutes=1), now=now)
        leases.settle(
            tx,
            [
                leases.Settlement(
                    number, 1, DeliveryState.DEAD, "disabled", "refused", now, now, False, "gave up"
                )
            ],
        )

    await daemon.context.store.write(work)


async def test_the_report_counts_and_measures(daemon: Daemon) -> None:
    await daemon.alert(alert("A", service="checkout"), alert("B"))
    await daemon.post("/api/v1/incidents/1/acknowledge")
    daemon.clock.ahead += timedelta(minutes=1)
    await daemon.post("/api/v1/incidents/1/resolve", {"force": True})
    answer, report = await daemon.get("/api/v1/report?window=1w")
    assert answer.status == 200
    Report.model_validate(report)
    assert report["window"] == "1w"
    assert report["from"] < report["to"]
    assert (report["total"]["opened"], report["total"]["resolved"]) == (2, 1)
    assert report["total"]["mtta"]["count"] == report["total"]["mttr"]["count"] == 1
    assert [row["severity"] for row in report["by_severity"]] == ["critical"]
    assert [row["service"] for row in report["by_service"]] == ["", "checkout"]
    _, one = await daemon.get("/api/v1/report?service=checkout")
    assert (one["window"], one["total"]["opened"]) == ("30d", 1)
    for window in ("soon", "0s", "100y", "30"):
        assert (await daemon.get(f"/api/v1/report?window={window}"))[0].status == 400


async def test_a_reload_answers_200_or_422_with_the_problems(daemon: Daemon) -> None:
    answer, data = await daemon.post("/-/reload", None, "admin")
    assert (answer.status, data) == (200, {"status": "reloaded"})
    daemon.reload_problems = ["route.notify: names no channel"]
    answer, problem = await daemon.post("/-/reload", None, "admin")
    assert answer.status == 422
    assert problem["errors"] == [{"at": "", "detail": "route.notify: names no channel"}]
