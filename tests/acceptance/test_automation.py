"""Steps that machines take, through the front door: alert in, first looks at once, a person agrees, it is done."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.acceptance.automating import BOB, audited, ctl, fire, lines, looked_within_two_seconds, seen, shop
from tests.acceptance.bodies import alert, webhook
from tests.acceptance.harness import NOON, World
from tests.acceptance.waiting import until


async def test_first_looks_are_there_at_once_a_person_agrees_and_all_of_it_is_in_the_audit_log(
    tmp_path: Path, database_url: str
) -> None:
    async with shop(tmp_path, database_url) as (here, there, marks):
        number = await fire(here)
        assert await looked_within_two_seconds(here, number)
        assert sorted(await lines(here, number, "step_done")) == [
            'step 1 done: How many fail?: up{instance="i0"}: 4 \u2581\u2583\u2588',
            'step 2 done: What does it say itself?: HTTP 200: {"fine": true}',
            "step 3 done: Which processes are there?: 3 workers of shop",
        ]
        assert there.queries[0]["query"] == 'sum(failures{service="shop"})'
        assert marks.read_text() == ""
        said = await ctl(here, "step", "INC-1", "4", "run", "-m", "it hangs", token=BOB)
        assert said.startswith("INC-1 step 4 queued")
        assert await seen(here, number, "step_started") == ["step 4 started: Restart it.: it hangs"]
        assert "step 4 done: Restart it.: done" in await seen(here, number, "step_done", 4)
        assert marks.read_text() == "restarted shop\n"
        assert await ctl(here, "step", "INC-1", "4", "output") == "INC-1 step 4 succeeded: done\ndone\n"
        await here.post(
            webhook(alert("ShopDown", NOON - timedelta(minutes=1), NOON, service="shop", cluster="a"))
        )
        assert (await here.client.incident(number))["state"] == "resolved"
        await check_the_audit_log(here)


async def check_the_audit_log(here: World) -> None:
    found = await audited(here)
    begun = [data for action, data in found if action == "runbook.step_begun"]
    assert [(each["subject"], each["step"]) for each in begun] == [("restart", 4)]
    ended = {data["step"]: data for action, data in found if action == "runbook.step_ended"}
    assert sorted(ended) == [1, 2, 3, 4]
    restart = ended[4]
    assert (restart["argv"][:2], restart["exit_code"], restart["outcome"]) == (
        ["/bin/sh", "-c"],
        0,
        "succeeded",
    )
    assert {"milliseconds", "output_sha256", "runbook"} <= restart.keys()
    assert (ended[3]["argv"], ended[2]["status"]) == (["/bin/echo", "3 workers of", "shop"], 200)
    page = await here.client.get("/api/v1/audit?after=0&limit=500")
    assert "incident.run_approved" in [entry["action"] for entry in page["items"]]


async def test_repeats_returns_and_a_restart_run_nothing_again(tmp_path: Path, database_url: str) -> None:
    async with shop(tmp_path, database_url) as (here, there, marks):
        number = await fire(here)
        await seen(here, number, "step_done", 3)
        await here.client.act(f"incidents/{number}/runbook/steps/4", state="running")
        await seen(here, number, "step_done", 4)
        for _ in range(3):
            await fire(here)
        await here.restart()
        await here.post(
            webhook(alert("ShopDown", NOON - timedelta(minutes=1), NOON, service="shop", cluster="a"))
        )
        here.clock.set(NOON + timedelta(minutes=1))
        await here.post(webhook(alert("ShopDown", NOON + timedelta(seconds=30), service="shop", cluster="a")))
        again = await here.client.act(f"incidents/{number}/runbook/steps/4", state="running")
        assert again["steps"][3]["state"] == "done"
        await here.daemon.clockwork.automation.tick()
        await here.daemon.clockwork.automation.settle()
        assert (len(there.queries), len(there.asked), marks.read_text()) == (1, 1, "restarted shop\n")


async def test_two_people_agree_to_what_changes_something(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/incidentd.db"
    async with shop(tmp_path, url, two_people=True) as (here, _, marks):
        number = await fire(here)
        await seen(here, number, "step_done", 3)
        assert (await ctl(here, "step", "1", "4", "run", token=BOB)).startswith("INC-1 step 4 asked by bob")
        assert (await ctl(here, "step", "1", "4", "run", token=BOB)).startswith("INC-1 step 4 asked by bob")
        [asked] = await lines(here, number, "run_requested")
        assert asked.startswith("bob asks for step 4, Restart it.; a second person has to agree")
        assert marks.read_text() == ""
        await ctl(here, "step", "1", "4", "run")
        await seen(here, number, "step_done", 4)
        [run] = [
            r
            for r in (await here.client.get("/api/v1/incidents/1/runbook/runs"))["items"]
            if r["number"] == 4
        ]
        assert (run["asked_by"], run["approved_by"], run["state"]) == ("bob", "alice", "succeeded")
        assert marks.read_text() == "restarted shop\n"


async def test_the_switch_ends_what_runs_and_what_waits(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/incidentd.db"
    async with shop(tmp_path, url) as (here, _, marks):
        number = await fire(here)
        await seen(here, number, "step_done", 3)
        said = await ctl(here, "automation", "stop", "-m", "it made it worse", token=BOB)
        assert said.startswith("stopped by bob at ")
        said = await ctl(here, "step", "1", "4", "run", code=1)
        assert "automation was stopped by bob: it made it worse" in said
        second = await fire(here, "ShopSlow", cluster="b")
        await seen(here, second, "run_withdrawn", 3)
        assert "admin" in await ctl(here, "automation", "resume", token=BOB, code=4)
        assert (await ctl(here, "automation", "resume")).startswith("on\n")
        await ctl(here, "step", "1", "4", "run")
        await seen(here, number, "step_done", 4)
        assert marks.read_text() == "restarted shop\n"


async def test_a_dry_run_says_what_would_be_done_and_takes_nothing_away(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/incidentd.db"
    async with shop(tmp_path, url) as (here, _, marks):
        number = await fire(here)
        await seen(here, number, "step_done", 3)
        await ctl(here, "step", "1", "4", "run", "--dry-run")
        [said] = await seen(here, number, "run_tried")
        assert said.startswith("step 4, dry run: would run /bin/sh -c 'echo restarted")
        book = await here.client.get(f"/api/v1/incidents/{number}/runbook")
        assert (book["steps"][3]["state"], book["steps"][3]["run"]["state"]) == ("pending", "offered")
        assert marks.read_text() == ""


async def test_a_dry_configuration_runs_nothing_however_often_it_is_asked_to(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/incidentd.db"
    async with shop(tmp_path, url, dry_run=True) as (here, _, marks):
        number = await fire(here)
        await seen(here, number, "run_tried", 3)
        for times in (4, 5):
            await ctl(here, "step", "1", "4", "run")
            await seen(here, number, "run_tried", times)
        book = await here.client.get(f"/api/v1/incidents/{number}/runbook")
        assert (book["steps"][3]["run"]["state"], marks.read_text()) == ("offered", "")


async def test_the_audit_log_says_what_is_to_run_before_it_does(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/incidentd.db"
    async with shop(tmp_path, url) as (here, _, _marks):
        number = await fire(here)
        await seen(here, number, "step_done", 3)
        await ctl(here, "step", "1", "4", "run")
        await seen(here, number, "step_done", 4)
        said = (await here.client.get("/api/v1/audit?limit=500"))["items"]
        [begun] = [each for each in said if "runbook.step_begun" in str(each)]
        assert "'argv': ['/bin/sh'" in str(begun)


async def test_switched_off_nothing_runs_and_asking_says_why(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/incidentd.db"
    async with shop(tmp_path, url, enabled=False) as (here, there, _):
        await fire(here)
        said = await ctl(here, "step", "1", "4", "run", code=1)
        assert "automation.enabled is not set: incidentd runs no steps" in said
        assert (await ctl(here, "automation")).startswith("off: automation.enabled is not set")
        assert (there.queries, there.asked) == ([], [])


async def test_a_storm_starts_no_more_than_the_limits_and_leaves_the_rest_to_people(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/incidentd.db"
    async with shop(tmp_path, url, waiting=10, at_once=2) as (here, there, _):
        storm = [
            alert("ShopDown", NOON - timedelta(minutes=1), service=f"s{n}", cluster="x") for n in range(30)
        ]
        answer = await here.client.post(webhook(*storm))
        assert answer.status == 200

        async def over() -> bool:
            return await here.client.metric("incidentd_step_runs_total") >= 10

        await until(over, "ten runs")
        await here.daemon.clockwork.automation.settle()
        assert len(there.queries) + len(there.asked) <= 10
        book = await here.client.get("/api/v1/incidents/30/runbook")
        assert [step["run"] and step["run"]["state"] for step in book["steps"]] == ["offered"] * 4 + [None]
