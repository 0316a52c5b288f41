"""Scheduled maintenance on the status page: by time, tied to the windows, beside an outage, again and again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.web.conftest import Daemon, alert
from tests.web.status_world import DOCUMENTS, PUBLIC, document, faults, look, states, summary

PATH = "/api/v1/status/maintenances"
PLAN: dict[str, Any] = {"title": "Upgrade", "components": ["Search"], "duration": "2h"}


async def planned(daemon: Daemon, **said: Any) -> dict[str, Any]:
    answer, made = await daemon.post(PATH, {**PLAN, **said})
    assert answer.status == 201, made
    return dict(made)


async def later(daemon: Daemon, **by: float) -> None:
    daemon.clock.ahead += timedelta(**by)
    await look(daemon)


async def schemas_hold(daemon: Daemon) -> None:
    for name, path in DOCUMENTS.items():
        assert faults(name, (await daemon.get(f"/api/v2/{path}", None))[1]) == []


async def test_it_begins_and_ends_by_time_and_keeps_pages_quiet_meanwhile(daemon: Daemon) -> None:
    starts = (daemon.clock.now() + timedelta(hours=1)).isoformat()
    made = await planned(daemon, starts=starts)
    found = await summary(daemon, lambda s: s["scheduled_maintenances"])
    assert [m["status"] for m in found["scheduled_maintenances"]] == ["scheduled"]
    assert found["status"]["indicator"] == "none"
    await schemas_hold(daemon)
    await later(daemon, hours=1)
    found = await summary(daemon, lambda s: s["scheduled_maintenances"][0]["status"] == "in_progress")
    assert (states(found)["Search"], found["status"]["indicator"]) == ("under_maintenance", "maintenance")
    await schemas_hold(daemon)
    await daemon.alert(alert("Down", service="search"))
    await look(daemon)
    assert (await daemon.get("/api/v1/incidents/1"))[1]["suppressed_by"] == "Upgrade"
    assert (await daemon.get(PUBLIC))[1]["items"] == []
    await later(daemon, hours=2)
    found = await summary(daemon, lambda s: not s["scheduled_maintenances"])
    assert found["status"]["description"] == "All Systems Operational"
    _, listed = await daemon.get(PATH)
    assert (listed["items"][0]["status"], listed["items"][0]["id"]) == ("completed", made["id"])
    await schemas_hold(daemon)


async def test_completing_it_early_ends_its_windows(daemon: Daemon) -> None:
    made = await planned(daemon)
    await look(daemon)
    assert (await daemon.get("/api/v1/maintenance"))[1]["items"][0]["active"]
    daemon.clock.ahead += timedelta(minutes=5)
    answer, done = await daemon.post(f"{PATH}/{made['id']}/update", {"status": "completed"})
    assert (answer.status, done["scheduled_until"] < made["scheduled_until"]) == (200, True)
    assert (await daemon.get("/api/v1/maintenance"))[1]["items"] == []
    answer, problem = await daemon.post(f"{PATH}/{made['id']}/update", {"status": "in_progress"})
    assert (answer.status, problem["reason"]) == (409, "wrong_state")


async def test_one_that_is_cancelled_says_so(daemon: Daemon) -> None:
    starts = (daemon.clock.now() + timedelta(hours=1)).isoformat()
    made = await planned(daemon, starts=starts, quiet=False)
    assert made["windows"] == []
    await daemon.post(f"{PATH}/{made['id']}/update", {"status": "completed"})
    path = "/api/v2/scheduled-maintenances.json"
    found = await document(
        daemon, path, lambda s: "completed" in [m["status"] for m in s["scheduled_maintenances"]]
    )
    assert "cancelled" in found["scheduled_maintenances"][0]["incident_updates"][0]["body"]
    await schemas_hold(daemon)


async def test_a_real_outage_shows_through_maintenance(daemon: Daemon) -> None:
    await planned(daemon)
    await look(daemon)
    await daemon.post(PUBLIC, {"title": "It broke", "components": {"Search": "partial_outage"}})
    found = await summary(daemon, lambda s: s["incidents"])
    assert states(found)["Search"] == "partial_outage"
    assert found["status"] == {"indicator": "major", "description": "Partial System Outage"}
    await schemas_hold(daemon)


async def test_one_that_comes_again_is_followed_by_its_next_occurrence(daemon: Daemon) -> None:
    await planned(daemon, rrule="FREQ=DAILY")
    await later(daemon, minutes=1)
    await later(daemon, hours=2)
    _, listed = await daemon.get(PATH)
    assert [m["status"] for m in listed["items"]] == ["scheduled", "completed"]
    first, last = listed["items"][1], listed["items"][0]
    assert last["scheduled_for"][:10] > first["scheduled_for"][:10]
    assert last["windows"] == first["windows"]
    await schemas_hold(daemon)


async def test_one_that_is_verified_waits_for_a_person(daemon: Daemon) -> None:
    made = await planned(daemon, verify=True)
    await look(daemon)
    await later(daemon, hours=3)
    found = await summary(daemon, lambda s: "verifying" in str(s["scheduled_maintenances"]))
    assert states(found)["Search"] == "under_maintenance"
    await schemas_hold(daemon)
    assert (await daemon.post(f"{PATH}/{made['id']}/update", {"status": "completed"}))[0].status == 200


async def test_a_plan_that_makes_no_sense_is_refused(daemon: Daemon) -> None:
    past = (daemon.clock.now() - timedelta(hours=5)).isoformat()
    for wrong, code in (
        ({"starts": past}, 422), ({"rrule": "FREQ=SECONDLY"}, 422), ({"components": ["Nothing"]}, 404),
        ({"duration": "0s"}, 422), ({"title": "host 10.0.0.1"}, 409),
    ):  # fmt: skip
        assert (await daemon.post(PATH, {**PLAN, **wrong}))[0].status == code, wrong
    assert (await daemon.post(f"{PATH}/nothing/update", {"status": "completed"}))[0].status == 404


async def windows(daemon: Daemon) -> list[dict[str, Any]]:
    return list((await daemon.get("/api/v1/maintenance"))[1]["items"])


async def test_one_that_begins_early_is_quiet_from_then_on(daemon: Daemon) -> None:
    starts = (daemon.clock.now() + timedelta(hours=1)).isoformat()
    made = await planned(daemon, starts=starts)
    await daemon.post(f"{PATH}/{made['id']}/update", {"status": "in_progress"})
    await daemon.alert(alert("Down", service="search"))
    assert (await daemon.get("/api/v1/incidents/1"))[1]["suppressed_by"] == "Upgrade"
    assert [w["active"] for w in await windows(daemon)] == [False, True]
    await daemon.post(f"{PATH}/{made['id']}/update", {"status": "completed"})
    assert await windows(daemon) == []


async def test_ending_one_of_a_series_early_ends_its_quiet_and_keeps_the_length_of_the_next(
    daemon: Daemon,
) -> None:
    made = await planned(daemon, rrule="FREQ=DAILY;COUNT=3")
    await look(daemon)
    daemon.clock.ahead += timedelta(minutes=10)
    await daemon.post(f"{PATH}/{made['id']}/update", {"status": "completed"})
    (window,) = await windows(daemon)
    assert (window["active"], window["rrule"]) == (False, "FREQ=DAILY;COUNT=2")
    _, listed = await daemon.get(PATH)
    following = listed["items"][0]
    assert following["windows"] == [window["id"]]
    assert seconds(following) == 2 * 3600
    assert window["starts_at"] == following["scheduled_for"]
    await schemas_hold(daemon)


def seconds(plan: dict[str, Any]) -> float:
    first, last = [datetime.fromisoformat(plan[name]) for name in ("scheduled_for", "scheduled_until")]
    return (last - first).total_seconds()


async def test_a_whole_series_can_be_ended(daemon: Daemon) -> None:
    made = await planned(daemon, rrule="FREQ=DAILY")
    await look(daemon)
    await daemon.post(f"{PATH}/{made['id']}/update", {"status": "completed", "series": True})
    _, listed = await daemon.get(PATH)
    assert [m["status"] for m in listed["items"]] == ["completed"]
    assert await windows(daemon) == []


async def test_every_step_is_in_the_audit_log_with_the_hash_of_its_text(daemon: Daemon) -> None:
    made = await planned(daemon)
    await daemon.post(f"{PATH}/{made['id']}/update", {"status": "completed"})
    reason = {"component": "Blog", "status": "partial_outage", "reason": "half", "for": "1h"}
    _, override = await daemon.post("/api/v1/status/overrides", reason)
    await daemon.call("DELETE", f"/api/v1/status/overrides/{override['id']}", token="respond")
    _, found = await daemon.get("/api/v1/audit", "admin")
    kinds = [entry["action"] for entry in found["items"] if entry["action"].startswith("status.")]
    told = ["status.said", "status.maintenance_scheduled", "status.said", "status.maintenance_completed"]
    assert kinds == [*told, "status.overridden", "status.override_cleared"]
