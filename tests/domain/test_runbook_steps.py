"""The states of a step: what may happen to it, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.domain.runbook import Action, Kind, Step
from incidentd.domain.runbook_steps import (
    MOVES,
    OF_PEOPLE,
    Move,
    MoveRefusedError,
    Progress,
    Standing,
    StepState,
    entry_of,
    moved,
)
from incidentd.domain.severity import Severity

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def standing(state: StepState) -> Standing:
    return Standing(3, state)


def test_a_step_takes_the_moves_of_the_table_and_remembers_who_and_when() -> None:
    for (before, move), state in MOVES.items():
        assert moved(standing(before), move, "alice", "ok", NOW) == Standing(3, state, "alice", NOW, "ok")


@pytest.mark.parametrize("state", StepState)
@pytest.mark.parametrize("move", Move)
def test_what_is_not_in_the_table_is_refused_with_what_is_possible(state: StepState, move: Move) -> None:
    if (state, move) in MOVES:
        return
    with pytest.raises(MoveRefusedError, match=f"step 3 is {state}: {move} is not possible.*possible: "):
        moved(standing(state), move, "alice", "", NOW)


def test_people_cannot_touch_a_step_that_a_machine_is_at() -> None:
    for move in OF_PEOPLE.values():
        assert (StepState.RUNNING, move) not in MOVES


@given(st.lists(st.sampled_from(list(Move)), max_size=20))
def test_a_step_can_always_come_to_an_end_and_always_be_put_back(moves: list[Move]) -> None:
    now = standing(StepState.PENDING)
    for move in moves:
        if (now.state, move) in MOVES:
            now = moved(now, move, "alice", "", NOW)
    if now.state is StepState.RUNNING:
        now = moved(now, Move.FAIL, "incidentd", "interrupted", NOW)
    if now.state is not StepState.PENDING:
        now = moved(now, Move.RESET, "alice", "", NOW)
    assert moved(now, Move.DO, "alice", "", NOW).state is StepState.DONE


def test_the_timeline_says_what_became_of_which_step() -> None:
    step = Step(3, "Restart " + "x" * 300)
    entry = entry_of(step, Move.SKIP, Standing(3, StepState.SKIPPED, "bob", NOW, "no need"))
    assert (entry.kind, entry.actor) == ("step_skipped", "bob")
    assert entry.text.startswith("step 3 skipped: Restart xxx")
    assert entry.text.endswith("\u2026: no need")
    assert len(entry.text) < 170
    assert entry.data == {"step": 3, "state": "skipped", "comment": "no need"}
    kinds = {move: entry_of(step, move, Standing(3, state, "bob")).kind for (_, move), state in MOVES.items()}
    assert kinds == {
        Move.DO: "step_done",
        Move.SKIP: "step_skipped",
        Move.RESET: "step_reset",
        Move.START: "step_started",
        Move.SUCCEED: "step_done",
        Move.FAIL: "step_failed",
    }


def test_progress_counts_what_is_done_or_skipped() -> None:
    steps = tuple(Step(number, str(number)) for number in (1, 2, 3, 4))
    touched = {1: StepState.DONE, 2: StepState.SKIPPED, 3: StepState.FAILED}
    standings = {number: Standing(number, state) for number, state in touched.items()}
    progress = Progress(1, "a", "A", "0", "", NOW, steps, standings)
    assert progress.over == 2
    assert progress.standing(4) == Standing(4)
    assert (progress.step(4), progress.step(0), progress.step(5)) == (steps[3], None, None)


def test_an_action_without_severities_runs_for_all() -> None:
    assert Action(Kind.HTTP).fits(Severity.INFO)
    only = Action(Kind.HTTP, when=(Severity.CRITICAL,), timeout=timedelta(seconds=1))
    assert [only.fits(severity) for severity in (Severity.CRITICAL, Severity.INFO)] == [True, False]
