"""What the figures about runbooks are made of: the incidents of the window and their steps, counted in the database."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from incidentd.domain.incident import Incident, State
from incidentd.domain.runbook import Guidance, Runbook
from incidentd.domain.runbook_figures import Steps, Worked
from incidentd.domain.runbook_steps import Standing, StepState
from incidentd.domain.slo import SOURCE as OBJECTIVES
from incidentd.store import figures, incidents, runbooks
from incidentd.store.engine import Store, Tx
from incidentd.store.runbooks import Attachment
from tests.store.samples import DAY, MINUTE, NOW, incident
from tests.store.test_query_plans import recorded, scans_of_postgresql, scans_of_sqlite
from tests.store.test_runbooks import book

DOWN, OTHER, NEWER = book(), book("other"), replace(book(text="newer"), title="Newer")
OPENED: dict[int, tuple[Runbook | None, dict[str, Any]]] = {
    1: (DOWN, {}),
    2: (DOWN, {"opened_at": NOW - MINUTE}),
    3: (NEWER, {}),
    4: (OTHER, {"service": "web"}),
    5: (DOWN, {"opened_at": NOW - 2 * DAY}),
    6: (DOWN, {"drill": "d1"}),
    7: (DOWN, {"source": OBJECTIVES}),
    8: (DOWN, {"opened_at": NOW + MINUTE}),
    9: (None, {"runbook_url": "https://x.example/"}),
}
"""Two in the window with one version and one with another; one of another service; the rest do not count."""


def fill(tx: Tx) -> None:
    made: list[Incident] = [incident(number, **changes) for number, (_, changes) in OPENED.items()]
    incidents.add(tx, made)
    given = [Attachment(number, each, "why") for number, (each, _) in OPENED.items() if each is not None]
    for one in given:
        runbooks.attach(tx, [one], NOW + MINUTE if one.runbook is NEWER else NOW)
    for number, step, state in [
        (1, 1, StepState.DONE),
        (1, 2, StepState.FAILED),
        (2, 1, StepState.SKIPPED),
        (2, 2, StepState.PENDING),
        (3, 2, StepState.RUNNING),
        (5, 1, StepState.DONE),
        (6, 1, StepState.DONE),
        (8, 1, StepState.DONE),
    ]:
        runbooks.put(tx, number, Standing(step, state, "alice", NOW))


async def test_steps_are_counted_by_version_for_the_incidents_of_the_window(store: Store) -> None:
    await store.write(fill)
    down, newer, other = sorted(
        await store.read(lambda tx: figures.worked(tx, NOW - DAY, NOW)),
        key=lambda each: (each.name, each.last_at),
    )
    assert down == Worked("down", DOWN.title, 2, NOW, Steps(pending=1, done=1, skipped=1, failed=1))
    assert newer == Worked("down", "Newer", 1, NOW + MINUTE, Steps(pending=1, running=1))
    assert other == Worked("other", OTHER.title, 1, NOW, Steps(pending=2))


@pytest.mark.parametrize(("service", "names"), [("web", ["other"]), ("none", [])])
async def test_one_service_alone_is_counted(store: Store, service: str, names: list[str]) -> None:
    await store.write(fill)
    found = await store.read(lambda tx: figures.worked(tx, NOW - DAY, NOW, service))
    assert [each.name for each in found] == names


async def test_facts_know_what_told_people_what_to_do(store: Store) -> None:
    await store.write(fill)
    ended = {"state": State.RESOLVED, "resolved_at": NOW, "resolved_by": "bob"}
    await store.write(lambda tx: incidents.add(tx, [incident(10, **ended)]))
    facts = await store.read(lambda tx: figures.facts_since(tx, NOW - DAY))
    known = {fact.id: (fact.runbook, fact.guidance) for fact in facts}
    assert known[3] == ("down", Guidance.RUNBOOK)
    assert known[9] == ("", Guidance.LINK)
    assert known[10] == ("", Guidance.NONE)
    assert not {6, 7} & known.keys()


async def test_only_the_incidents_of_the_window_are_read(store: Store) -> None:
    many = [incident(number, opened_at=NOW - number * MINUTE) for number in range(1, 1000)]
    given = [Attachment(each.id, DOWN, "why") for each in many]
    await store.write(lambda tx: incidents.add(tx, many))
    await store.write(lambda tx: runbooks.attach(tx, given, NOW))

    def work(tx: Tx) -> list[str]:
        if tx.postgresql:
            tx.conn.exec_driver_sql("ANALYZE")
            tx.conn.exec_driver_sql("SET LOCAL enable_seqscan = off")
        with recorded(tx) as said:
            figures.worked(tx, NOW - 10 * MINUTE, NOW)
        scans = scans_of_postgresql if tx.postgresql else scans_of_sqlite
        assert len(said) == 2
        return [found for each in said for found in scans(tx, each)]

    assert await store.write(work) == []
