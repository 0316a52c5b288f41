"""A runbook whose steps machines take, and the moves of a machine and of people, for the tests of automation."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from incidentd.automation.base import Result
from incidentd.domain.automation import CommandRule, Policy, RunState
from incidentd.domain.matcher import parse_matcher
from incidentd.domain.runbook import Action, Kind, Run, Runbook, Step
from incidentd.store import automation as store
from incidentd.store.schema_automation import step_runs
from incidentd.store.schema_runbooks import runbook_steps
from incidentd.workflows import automation
from incidentd.workflows.automation import RunAsk
from incidentd.workflows.automation_course import Claimed, claim
from incidentd.workflows.automation_results import settle
from incidentd.workflows.automation_tidy import Look, due, tidy
from tests.workflows.world import World


def command(name: str, run: Run, **more: Any) -> Action:
    return Action(Kind.COMMAND, run, attributes={"command": name}, **more)


STEPS = (
    Step(1, "Look", command("look", Run.AUTO)),
    Step(2, "Look again", command("look", Run.AUTO)),
    Step(3, "Restart", command("restart", Run.APPROVE)),
    Step(4, "Silence", Action(Kind.SILENCE, Run.MANUAL, attributes={"duration": "1h", "matchers": []})),
    Step(
        5,
        "Tell",
        Action(
            Kind.NOTIFY,
            Run.MANUAL,
            attributes={"channels": ["phone", "gone"], "message": "{incident.ref} of {label.service|upper}"},
        ),
    ),
    Step(6, "For a person"),
    Step(7, "Only critical", command("look", Run.MANUAL, when=())),
)
BOOK = Runbook("a", "A", (parse_matcher('alertname=~".+"'),), STEPS, "text", "hash")
POLICY = Policy(
    enabled=True,
    commands={"look": CommandRule(changes=False), "restart": CommandRule(cooldown=timedelta(minutes=5))},
)
FINE = Result(RunState.SUCCEEDED, "all is well", "line\n", {"argv": ["/bin/true"], "exit_code": 0})


def policy(world: World, **changes: Any) -> None:
    world.rules = replace(world.rules, automation=replace(world.rules.automation, **changes))


def runs(world: World, incident_id: int = 1) -> dict[int, str]:
    """Step -> the state of its latest run."""
    rows = world.rows(step_runs)
    return {row.number: row.state for row in rows if row.incident_id == incident_id}


def take(world: World) -> list[Claimed]:
    rules, now = world.rules, world.now
    return world.write(lambda tx: claim(tx, rules, now))[0]


def finish(world: World, claimed: Claimed, result: Result = FINE) -> None:
    rules, now = world.rules, world.now
    world.write(lambda tx: settle(tx, claimed, result, rules, now))


def ask(world: World, number: int, actor: str = "alice", *, dry_run: bool = False) -> automation.Asked:
    rules, now, wanted = world.rules, world.now, RunAsk(1, number, actor, "please", dry_run)
    return world.write(lambda tx: automation.ask(tx, wanted, rules, now))


def look(world: World, *held: int, alone: bool = False, silent: tuple[int, ...] = ()) -> bool:
    rules = world.rules
    signs = {run.id: (run.generation, run.lease_until) for run in world.write(store.running)}
    unheard = {number: signs[number] for number in silent}
    seen = Look(world.now, frozenset(held), unheard, alone)
    wanted = world.write(lambda tx: due(tx, rules, seen))
    world.write(lambda tx: tidy(tx, rules, seen))
    return wanted


def states(world: World) -> dict[int, str]:
    return {row.number: row.state for row in world.rows(runbook_steps, "number")}
