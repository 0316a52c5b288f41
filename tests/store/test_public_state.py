"""Statuses that people gave, and days of components, in both databases."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from incidentd.domain.status_page.facts import Day, Override
from incidentd.domain.status_page.hindsight import Shift
from incidentd.domain.status_page.words import Status
from incidentd.store import public_state
from incidentd.store.engine import Store, Tx

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TODAY = NOW.date()


async def test_what_holds_is_found_however_many_have_ended_since(store: Store) -> None:
    def work(tx: Tx) -> list[str]:
        for component, until in (("api", None), ("web", NOW + HOUR), *[("x", NOW)] * 3):
            made = Override(0, component, Status.PARTIAL, "", "alice", NOW - HOUR, until)
            public_state.override(tx, made)
        public_state.override(tx, Override(0, "y", Status.PARTIAL, "", "alice", NOW - HOUR, None))
        public_state.clear_override(tx, 6, "alice", NOW)
        return [found.component for found in public_state.overrides(tx, NOW, 3)]

    assert await store.write(work) == ["web", "api", "y"]


async def test_seconds_move_between_states_and_never_more_than_were_watched(store: Store) -> None:
    def work(tx: Tx) -> list[Day]:
        public_state.add_days(tx, [Day("api", TODAY, operational=100.0, partial=5.0)])
        worse = Shift("api", TODAY, Status.OPERATIONAL, Status.MAJOR, 60.0)
        elsewhere = Shift("api", date(2026, 11, 1), Status.OPERATIONAL, Status.MAJOR, 60.0)
        public_state.shift_days(tx, [worse, elsewhere, worse])
        return public_state.days_since(tx, date(2026, 10, 1))

    assert await store.write(work) == [Day("api", TODAY, major=100.0, partial=5.0)]
