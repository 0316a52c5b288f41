"""Error budgets equal a recomputation second by second; burn alerts follow the pairs of windows of the workbook."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.domain.severity import Severity
from incidentd.domain.slo import (
    AGAIN,
    OVER,
    RAISED,
    WINDOWS,
    BudgetState,
    Objective,
    Promql,
    Ratios,
    Spell,
    Turn,
    counted,
    debits,
    parts,
    ratios,
    standing,
    state_of,
    told_as,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
GOAL = Objective("shop", "shop", 0.999, DAY)
BY_QUERY = replace(GOAL, promql=Promql("http://p", "e[$window]", "t[$window]"))


@st.composite
def spells(draw: st.DrawFn) -> Spell:
    start = draw(st.integers(-2000, 0))
    length = draw(st.none() | st.integers(0, 900))
    ended = None if length is None else NOW + (start + length) * MINUTE
    return Spell(draw(st.integers(1, 10**6)), draw(st.sampled_from(Severity)), NOW + start * MINUTE, ended)


troubles = st.lists(spells(), max_size=8, unique_by=lambda spell: spell.incident)


def minutes_away(known: list[Spell], minutes: int) -> int:
    """How many of the last `minutes` began in trouble, looked at one by one."""
    instants = [NOW - (n + 1) * MINUTE for n in range(minutes)]
    return sum(
        any(
            s.severity is Severity.CRITICAL and s.started_at <= at and (s.ended_at is None or at < s.ended_at)
            for s in known
        )
        for at in instants
    )


def test_only_the_time_at_its_severity_is_charged_and_none_between_an_end_and_the_next_start() -> None:
    start = NOW - 100 * MINUTE
    turns = [
        Turn(RAISED, start + 60 * MINUTE, Severity.WARNING, Severity.CRITICAL),
        Turn(OVER, start + 70 * MINUTE),
        Turn(AGAIN, start + 90 * MINUTE),
        Turn(OVER, start + 97 * MINUTE),
    ]
    whole = Spell(1, Severity.CRITICAL, start, start + 95 * MINUTE)
    found = parts(whole, turns)
    assert [(s.severity, (s.started_at - start) / MINUTE) for s in found] == [
        (Severity.WARNING, 0),
        (Severity.CRITICAL, 60),
        (Severity.CRITICAL, 90),
    ]
    assert [s.ended_at and (s.ended_at - start) / MINUTE for s in found] == [60, 70, 95]
    [debit] = debits(GOAL, found, NOW)
    assert debit.seconds == 15 * 60
    assert parts(whole, ()) == [whole]
    lasting = replace(whole, ended_at=None)
    assert [s.ended_at for s in parts(lasting, turns[:3])] == [turns[0].at, turns[1].at, None]


@given(troubles)
def test_the_budget_spent_is_the_time_in_trouble_minute_by_minute(known: list[Spell]) -> None:
    made = ratios(GOAL, known, NOW)
    assert made.budget == pytest.approx(minutes_away(known, 1440) / 1440)
    for name, span in WINDOWS.items():
        whole = int(span / MINUTE)
        assert made.recent[name] == pytest.approx(minutes_away(known, whole) / whole)
    left = standing(GOAL, made).left
    assert left == pytest.approx(1 - minutes_away(known, 1440) / 1.44)


@given(troubles)
def test_the_debits_of_incidents_add_up_to_what_was_spent(known: list[Spell]) -> None:
    found = debits(GOAL, known, NOW)
    assert sum(debit.seconds for debit in found) == pytest.approx(60 * minutes_away(known, 1440))
    assert sum(debit.share for debit in found) == pytest.approx(
        1 - standing(GOAL, ratios(GOAL, known, NOW)).left
    )
    assert {debit.incident for debit in found} <= {spell.incident for spell in counted(GOAL, known)}


@given(troubles)
def test_a_burn_down_only_falls_and_ends_where_the_budget_stands(known: list[Spell]) -> None:
    made = standing(GOAL, ratios(GOAL, known, NOW))
    course = [left for _, left in made.course]
    assert course[0] == 1
    assert course == sorted(course, reverse=True)
    assert course[-1] == pytest.approx(made.left)


@pytest.mark.parametrize(
    ("fast", "burning"),
    [
        ({"1h": 15, "5m": 15}, ["1h"]),
        ({"1h": 15, "5m": 0}, []),
        ({"1h": 14.3, "5m": 99}, []),
        ({"6h": 6.1, "30m": 6.1, "1h": 6.1, "5m": 6.1}, ["6h"]),
        ({"3d": 1.1, "6h": 1.1}, ["3d"]),
        ({"3d": 20, "6h": 20, "1h": 20, "30m": 20, "5m": 20}, ["1h", "6h", "3d"]),
    ],
    ids=str,
)
def test_both_windows_of_a_pair_must_burn(fast: dict[str, float], burning: list[str]) -> None:
    recent = {name: fast.get(name, 0) * BY_QUERY.allowed * 1.0001 for name in WINDOWS}
    made = standing(BY_QUERY, Ratios(0, recent))
    assert [rule.long for rule in made.burning] == burning


def test_fast_burning_is_critical_unless_incidents_have_paged_already() -> None:
    recent = dict.fromkeys(WINDOWS, 1.0)
    fast, _, slow = standing(BY_QUERY, Ratios(0, recent)).burning
    assert (told_as(BY_QUERY, fast), told_as(BY_QUERY, slow)) == (Severity.CRITICAL, Severity.WARNING)
    assert told_as(GOAL, fast) is Severity.WARNING


@pytest.mark.parametrize(
    ("left", "state"),
    [
        (1, BudgetState.GREEN),
        (0.51, BudgetState.GREEN),
        (0.5, BudgetState.YELLOW),
        (0.2, BudgetState.RED),
        (0.01, BudgetState.RED),
        (0, BudgetState.EXHAUSTED),
        (-3, BudgetState.EXHAUSTED),
    ],
)
def test_the_state_of_a_budget_follows_what_is_left(left: float, state: BudgetState) -> None:
    assert state_of(left) is state
