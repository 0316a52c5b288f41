"""What is known of objectives has an age: what was worked out serves for a moment, what was measured for minutes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from incidentd.domain.slo import WINDOWS, Objective, Promql, Ratios
from incidentd.workflows.objectives import BELIEVED, Board, Measured, standings
from tests.workflows.world import RULES, START, World, fires

DAY = timedelta(days=1)
GOAL = Objective("shop", "api", 0.99, DAY)
ASKED = replace(GOAL, name="asked", promql=Promql("http://p", "e[$window]", "t[$window]"))
SECOND = timedelta(seconds=1)


def test_how_objectives_stand_is_worked_out_anew_when_it_is_old_or_they_are_others(world: World) -> None:
    world.rules = replace(RULES, objectives=(GOAL, ASKED))
    world.post(fires("a", 0, "critical"))
    board, now, known = Board(), world.now, world.rules.objectives
    assert board.recent(known, now) is None
    found = world.write(lambda tx: standings(tx, world.rules, board, now))
    assert (found["shop"] is None, found["asked"]) == (False, None)
    board.keep(found, now)
    assert board.recent(known, now + 90 * SECOND) is found
    assert board.recent(known, now + 91 * SECOND) is None
    assert board.recent(known, now - SECOND) is None, "the clock was set back"
    assert board.recent((replace(GOAL, target=0.9), ASKED), now) is None
    assert board.recent((GOAL,), now) is None


def test_an_old_measurement_is_none() -> None:
    board, now = Board(), START
    board.of["asked"] = Measured(ASKED, now, Ratios(0.0, dict.fromkeys(WINDOWS, 0.0)))
    assert board.ratios(ASKED, now + BELIEVED) is not None
    assert board.ratios(ASKED, now + BELIEVED + SECOND) is None
    assert board.ratios(replace(ASKED, target=0.9), now) is None
