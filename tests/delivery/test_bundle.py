"""Who leaves now, who rides along, who waits."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.delivery import bundle
from incidentd.delivery.bundle import Seat, seated
from incidentd.domain.notification import DeliveryState, Notice
from incidentd.store.deliveries import Delivery
from tests.delivery.cast import NOW

TOGETHER = (Notice.TRIGGERED, Notice.RESOLVED, Notice.MISSED)
ALONE = [notice for notice in Notice if notice not in {*TOGETHER, Notice.DIGEST}]
TARGETS = ("#ops", "#other")


def row(number: int, notice: Notice = Notice.TRIGGERED, target: str = "#ops", **changes: Any) -> Delivery:
    plain = Delivery(
        id=number,
        incident_id=number,
        channel="chat",
        target=target,
        notice=notice,
        delivery_class=notice.delivery_class,
        episode=1,
        actor="source",
        comment="",
        state=DeliveryState.PENDING,
        attempts=0,
        not_before=NOW,
        created_at=NOW - timedelta(seconds=1),
        sent_at=None,
        generation=0,
        minimal=False,
        last_error=None,
        reason=None,
    )
    return replace(plain, **changes)


def plan(
    rows: list[Delivery],
    tokens: int = 1,
    limit: int = 16,
    *,
    together: bool = True,
    told: frozenset[int] = frozenset(),
) -> list[tuple[int, list[int]]]:
    """Row ids of the seats with those of their riders."""
    seats = seated(rows, tokens=lambda _: tokens, limit=limit, together=together, followed_up=told)
    return [(seat.row.id, [rider.id for rider in seat.riders]) for seat in seats]


def test_the_first_ones_go_alone_and_the_rest_rides_with_the_last() -> None:
    assert plan([row(n) for n in range(1, 7)], tokens=3) == [(1, []), (2, []), (3, [4, 5, 6])]


def test_few_enough_all_go_alone() -> None:
    assert plan([row(n) for n in range(1, 4)], tokens=3) == [(1, []), (2, []), (3, [])]


def test_where_machines_read_each_goes_alone_or_waits() -> None:
    assert plan([row(n) for n in range(1, 7)], tokens=3, together=False) == [(1, []), (2, []), (3, [])]


def test_one_target_that_takes_nothing_holds_up_no_other() -> None:
    rows = [row(1), row(2, target="#other"), row(3), row(4, target="#other")]
    seats = seated(rows, tokens={"#ops": 0, "#other": 1}.__getitem__, limit=9, together=True, followed_up=())
    assert [(seat.row.id, [r.id for r in seat.riders]) for seat in seats] == [(2, [4])]


@pytest.mark.parametrize("notice", ALONE)
def test_what_cannot_be_said_of_many_waits_for_its_own_message(notice: Notice) -> None:
    assert plan([row(1, notice), row(2, notice)]) == [(1, [])]


def test_a_digest_is_one_message_to_each_target_however_much_room_there_is() -> None:
    rows = [row(n, Notice.DIGEST, TARGETS[n % 2]) for n in range(1, 6)]
    assert plan(rows, tokens=9) == [(1, [3, 5]), (2, [4])]
    assert plan(rows, tokens=0) == []
    assert plan([row(1, Notice.DIGEST, generation=1), row(2, Notice.DIGEST)], tokens=9) == [(1, []), (2, [])]


def test_only_what_says_the_same_to_the_same_target_rides_along() -> None:
    rows = [
        row(1),
        row(2, Notice.RESOLVED),
        row(3, target="#other"),
        row(4, Notice.RESOLVED),
        row(5, target="#other"),
    ]
    assert plan(rows, tokens=1) == [(1, []), (3, [5])]
    assert plan(rows, tokens=2) == [(1, []), (2, [4]), (3, []), (5, [])]


@pytest.mark.parametrize("changes", [{"generation": 1}, {"generation": 1, "attempts": 1}, {"minimal": True}])
def test_what_was_taken_before_neither_rides_nor_gets_riders(changes: dict[str, Any]) -> None:
    assert plan([row(1), row(2, **changes), row(3)]) == [(1, [3])]
    assert plan([row(1, **changes), row(2), row(3)]) == [(1, [])]


def test_what_has_a_message_of_its_own_to_keep_true_does_not_ride() -> None:
    assert plan([row(n, Notice.RESOLVED) for n in (1, 2, 3)], told=frozenset({2})) == [(1, [3])]


def test_what_stands_in_for_another_channel_rides_with_its_like() -> None:
    rows = [row(1), row(2, fallback_of=90), row(3, fallback_of=91), row(4)]
    assert plan(rows, tokens=2) == [(1, [4]), (2, [3])]


def test_a_message_tells_of_so_many_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "MOST", 2)
    assert plan([row(n) for n in range(1, 9)]) == [(1, [2, 3])]


ROWS = st.lists(
    st.builds(
        lambda notice, target, generation, minimal, stands_in: row(
            1, notice, target, generation=generation, minimal=minimal, fallback_of=stands_in
        ),
        st.sampled_from([*TOGETHER, *TOGETHER, Notice.ESCALATED, Notice.UPDATED]),
        st.sampled_from(TARGETS),
        st.sampled_from([0, 0, 0, 1]),
        st.sampled_from([False, False, False, True]),
        st.sampled_from([None, None, 90]),
    ),
    max_size=30,
).map(lambda rows: [replace(r, id=n, incident_id=n) for n, r in enumerate(rows, 1)])


@given(
    rows=ROWS,
    tokens=st.fixed_dictionaries({target: st.integers(0, 5) for target in TARGETS}),
    limit=st.integers(0, 8),
    together=st.booleans(),
    told=st.frozensets(st.integers(1, 30), max_size=5),
)
def test_nobody_leaves_twice_limits_hold_and_the_order_is_kept(
    rows: list[Delivery], tokens: dict[str, int], limit: int, together: bool, told: frozenset[int]
) -> None:
    seats = seated(rows, tokens=tokens.__getitem__, limit=limit, together=together, followed_up=told)
    leaving = [r.id for seat in seats for r in (seat.row, *seat.riders)]
    assert len(set(leaving)) == len(leaving)
    assert len(seats) <= limit
    sent = Counter(seat.row.target for seat in seats)
    assert all(count <= tokens[target] for target, count in sent.items())
    assert [seat.row.id for seat in seats] == sorted(seat.row.id for seat in seats)
    assert together or not any(seat.riders for seat in seats)
    for seat in seats:
        check(seat, told)


def check(seat: Seat, told: frozenset[int]) -> None:
    ids = [seat.row.id, *[r.id for r in seat.riders]]
    assert ids == sorted(ids)
    if seat.riders:
        for each in (seat.row, *seat.riders):
            assert (each.generation, each.minimal) == (0, False)
            assert each.notice in TOGETHER
            assert each.incident_id not in told
            assert (each.notice, each.target) == (seat.row.notice, seat.row.target)
            assert (each.fallback_of is None) == (seat.row.fallback_of is None)


@given(rows=ROWS, burst=st.integers(1, 3))
def test_turn_by_turn_everything_leaves(rows: list[Delivery], burst: int) -> None:
    left, turns = rows, 0
    while left and turns <= len(rows):
        seats = seated(left, tokens=lambda _: burst, limit=16, together=True, followed_up=())
        gone = {r.id for seat in seats for r in (seat.row, *seat.riders)}
        left, turns = [r for r in left if r.id not in gone], turns + 1
    assert left == []
