"""How far an incident has got with its runbook: the states of a step and the one table of legal moves."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from incidentd.domain.incident import Entry
from incidentd.domain.runbook import Step

_QUOTED = 120
"""Characters of a step that a timeline entry repeats."""


class StepState(enum.StrEnum):
    """Where a step stands."""

    PENDING = "pending"
    RUNNING = "running"
    """A machine is at it."""
    DONE = "done"
    SKIPPED = "skipped"
    """A person decided that it is not needed."""
    FAILED = "failed"
    """A machine could not do it."""


class Move(enum.StrEnum):
    """What can happen to a step."""

    DO = "done"
    """A person did it."""
    SKIP = "skipped"
    RESET = "pending"
    """A person says that it is to be done after all."""
    START = "running"
    SUCCEED = "succeeded"
    FAIL = "failed"
    """It ended badly, was stopped, or was interrupted by a restart."""


MOVES: Mapping[tuple[StepState, Move], StepState] = {
    (StepState.PENDING, Move.DO): StepState.DONE,
    (StepState.PENDING, Move.SKIP): StepState.SKIPPED,
    (StepState.PENDING, Move.START): StepState.RUNNING,
    (StepState.RUNNING, Move.SUCCEED): StepState.DONE,
    (StepState.RUNNING, Move.FAIL): StepState.FAILED,
    (StepState.FAILED, Move.DO): StepState.DONE,
    (StepState.FAILED, Move.SKIP): StepState.SKIPPED,
    (StepState.FAILED, Move.RESET): StepState.PENDING,
    (StepState.FAILED, Move.START): StepState.RUNNING,
    (StepState.DONE, Move.SKIP): StepState.SKIPPED,
    (StepState.DONE, Move.RESET): StepState.PENDING,
    (StepState.DONE, Move.START): StepState.RUNNING,
    (StepState.SKIPPED, Move.DO): StepState.DONE,
    (StepState.SKIPPED, Move.RESET): StepState.PENDING,
    (StepState.SKIPPED, Move.START): StepState.RUNNING,
}
"""Every legal move. What is not here is refused: nobody but the machine that is at it ends a running step."""

OF_PEOPLE: Mapping[StepState, Move] = {
    StepState.DONE: Move.DO,
    StepState.SKIPPED: Move.SKIP,
    StepState.PENDING: Move.RESET,
}
"""The state that a person may ask for, and the move that it takes."""

_VERBS = {
    Move.DO: "done",
    Move.SKIP: "skipped",
    Move.RESET: "put back",
    Move.START: "started",
    Move.SUCCEED: "done",
    Move.FAIL: "failed",
}


class MoveRefusedError(Exception):
    """The step's state does not allow this move."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one step of one incident stands."""

    number: int
    state: StepState = StepState.PENDING
    actor: str = ""
    """Who moved it last; empty if nobody has."""
    at: datetime | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """The frozen runbook of an incident and how far it has got."""

    incident_id: int
    name: str
    title: str
    hash: str
    reason: str
    """Why this runbook."""
    attached_at: datetime
    steps: tuple[Step, ...]
    standings: Mapping[int, Standing]
    """By number; a step that nobody has touched is left out."""

    def standing(self, number: int) -> Standing:
        """Where step `number` stands."""
        return self.standings.get(number) or Standing(number)

    def step(self, number: int) -> Step | None:
        """The step with this number."""
        return self.steps[number - 1] if 0 < number <= len(self.steps) else None

    @property
    def over(self) -> int:
        """How many steps are done or skipped."""
        ended = {StepState.DONE, StepState.SKIPPED}
        return sum([standing.state in ended for standing in self.standings.values()])


def moved(before: Standing, move: Move, actor: str, comment: str, now: datetime) -> Standing:
    """The step after `move`. Raises `MoveRefusedError`; the only door through `MOVES`."""
    state = MOVES.get((before.state, move))
    if state is None:
        accepted = ", ".join([move.value for state, move in MOVES if state is before.state])
        raise MoveRefusedError(
            f"step {before.number} is {before.state}: {move} is not possible from there; possible: {accepted}"
        )
    return Standing(before.number, state, actor, now, comment)


def entry_of(step: Step, move: Move, after: Standing) -> Entry:
    """What the timeline says of a move."""
    text = step.text if len(step.text) <= _QUOTED else step.text[: _QUOTED - 1] + "\u2026"
    said = f"step {step.number} {_VERBS[move]}: {text}"
    said += f": {after.comment}" if after.comment else ""
    kind = {Move.RESET: "step_reset", Move.START: "step_started", Move.SUCCEED: "step_done"}.get(move)
    data = {"step": step.number, "state": after.state.value, "comment": after.comment}
    return Entry(kind or f"step_{after.state}", after.actor, said, data)
