"""Every statement of intake and delivery is an index look-up: what is stored already does not make it slower.

The statements are recorded while the real functions run, then the database is asked how it would run them.
"""

import contextlib
import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest
from sqlalchemy import event

from incidentd.domain import response
from incidentd.domain.notification import DeliveryState
from incidentd.store import (
    alerts,
    destinations,
    figures,
    incidents,
    leases,
    outbox,
    pages,
    references,
    timeline,
)
from incidentd.store.deliveries import Delivery
from incidentd.store.engine import Store, Tx
from incidentd.store.leases import Settlement
from incidentd.store.references import Reference
from incidentd.workflows import respond
from incidentd.workflows.receive import receive
from tests.store.samples import DAY, MINUTE, NOW, RULES, alert, post

TABLES = "alerts|occurrences|incidents|incident_runbooks|deliveries|timeline|channel_references|destinations"
LEASES = "ix_deliveries_leased"
"""Holds only what is on its way at this moment: walking through all of it is cheap."""
STORED = 1000
"""Alerts, each with an incident, a delivery and a timeline: enough for a planner to prefer an index."""
ENDED, OPEN = 1, 2
"""Numbers of two incidents: every second one is resolved."""


@dataclass(frozen=True)
class Said:
    """A statement as it went to the driver."""

    sql: str
    parameters: Any


@dataclass(frozen=True)
class Listening:
    """SQLite's connection as `Prepared` uses it, noting what it is told."""

    driver: sqlite3.Connection
    said: list[Said]

    def execute(self, sql: str, row: Any) -> sqlite3.Cursor:
        self.said.append(Said(sql, row))
        return self.driver.execute(sql, row)

    def executemany(self, sql: str, rows: Any) -> sqlite3.Cursor:
        self.said.append(Said(sql, rows[0]))
        return self.driver.executemany(sql, rows)


@contextlib.contextmanager
def recorded(tx: Tx) -> Iterator[list[Said]]:
    said: list[Said] = []

    def listen(*call: Any) -> None:
        _, _, sql, parameters, _, many = call
        said.append(Said(sql, parameters[0] if many else parameters))

    event.listen(tx.conn, "before_cursor_execute", listen)
    driver, tx.driver = (
        tx.driver,
        cast("sqlite3.Connection", Listening(tx.driver, said)) if tx.driver else None,
    )
    try:
        yield said
    finally:
        tx.driver = driver
        event.remove(tx.conn, "before_cursor_execute", listen)


def intake(tx: Tx) -> None:
    """New, repeated, ended, fired again with the old and with a new start, and a body with cut alerts."""
    for step, (firing, start) in enumerate(
        [
            (True, NOW),
            (True, NOW),
            (False, NOW),
            (True, NOW),
            (False, NOW),
            (True, NOW + DAY),
            (True, NOW + 2 * DAY),
        ]
    ):
        body = post(
            alert(1, firing=firing, starts_at=start), alert(STORED + 5, firing=firing, starts_at=start)
        )
        receive(tx, [body], RULES, NOW + step * MINUTE)
    alerts.members(tx, [1, 2], [ENDED, OPEN], NOW - DAY)


def people(tx: Tx) -> None:
    """Acknowledge, note, snooze, timers, reopen."""
    respond.act(tx, OPEN, lambda i: response.acknowledge(i, "alice", "", NOW), RULES, NOW)
    respond.note(tx, OPEN, "alice", "looking", RULES, NOW)
    respond.act(tx, OPEN, lambda i: response.snooze(i, "alice", "", NOW + MINUTE), RULES, NOW)
    respond.run_timers(tx, RULES, NOW + DAY)
    respond.reopen(tx, ENDED, "alice", "", RULES, NOW)
    timeline.of_incident(tx, OPEN, 0, 100)
    timeline.after(tx, 10, 100)


def delivery(tx: Tx) -> None:
    """What a sender does with the rows of a channel."""
    rows: list[Delivery] = []
    spent = ["ann", "bob"]
    for half in (True, False):
        rows += outbox.claimable(tx, "console", pages=half, now=NOW + DAY, limit=10, exhausted=spent)
        leases.lease(tx, [row.id for row in rows], "me", NOW + DAY, now=NOW)
        outbox.is_due(tx, "console", pages=half, now=NOW, exhausted=spent)
        outbox.next_due(tx, "console", pages=half, now=NOW)
    numbers = [row.incident_id for row in rows]
    outbox.open_updates(tx, "console", numbers)
    outbox.followed(tx, [row.id for row in rows])
    outbox.close_unsent(tx, [(1, DeliveryState.SUPERSEDED, "newer")])
    leases.release(tx, [(1, 1)])
    leases.settle(tx, [Settlement(1, 1, DeliveryState.SENT, "ok", None, NOW, NOW, False, None)])
    leases.has_expired(tx, NOW)
    leases.hand_back_expired(tx, NOW + 2 * DAY)
    leases.hand_back(tx, "me", NOW)
    references.of_incidents(tx, "console", numbers)
    references.save(tx, [Reference(1, "console", 1, {"ts": "1"})])


def trouble(tx: Tx) -> None:
    """What is looked up when a channel is slow, refuses us, or is flooded."""
    destinations.of(tx, "console", NOW)
    destinations.save(tx, replace(destinations.of(tx, "console", NOW, locked=True), failures=1))
    destinations.retry_now(tx, ["console"], NOW)
    destinations.closed_by_people(tx, ["incidentd:{1}"])
    for broken in ([], ["console"]):
        pages.any_unanswered(tx, NOW, broken)
        pages.unanswered(tx, NOW, broken, 10)
    page = pages.unanswered(tx, NOW, ["console"], 10)[0]
    pages.told_with(tx, pages.first_of(tx, page))
    pages.others_told(tx, page)
    pages.mark_fell_back(tx, [page.id], NOW)
    pages.channels_of(tx, [page.id])
    pages.pages_of(tx, "console", [ENDED, OPEN])
    pages.ride(tx, page.id, [page.id + 1, page.id + 2])
    pages.passengers_of(tx, [page.id, 7])
    pages.arrived(tx, [(page.id, "ok", NOW)])
    pages.set_down(tx, [page.id])
    pages.make_missed(tx, [(page.id, "late")])
    pages.hurry(tx, "console", NOW)


def asked_again_and_again(tx: Tx) -> None:
    """What budgets, reports and deployments ask of incidents."""
    figures.spells(tx, NOW - MINUTE, "checkout")
    figures.pages(tx, NOW - MINUTE, NOW)
    figures.outages(tx, NOW - MINUTE, {"checkout"}, NOW)
    figures.linked(tx, [ENDED, OPEN], "main", "1")
    figures.gaps_of(tx, incidents.by_ids(tx, [ENDED]))


HOT: dict[str, Callable[[Tx], None]] = {
    "figures": asked_again_and_again,
    "intake": intake,
    "people": people,
    "delivery": delivery,
    "trouble": trouble,
}


def scans_of_sqlite(tx: Tx, said: Said) -> list[str]:
    plan = tx.conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {said.sql}", said.parameters)
    scans = [row[3] for row in plan if re.match(rf"SCAN ({TABLES}|older|later|sibling)\b", row[3])]
    return [scan for scan in scans if LEASES not in scan]


def scans_of_postgresql(tx: Tx, said: Said) -> list[str]:
    """Tables that are read without an index, or through one without a condition on it."""
    found = []

    def walk(node: dict[str, Any]) -> None:
        kind = node["Node Type"]
        if "Scan" in kind and re.fullmatch(TABLES, node.get("Relation Name", "")):
            index = node.get("Index Name", "")
            if kind == "Seq Scan" or ("Index" in kind and "Index Cond" not in node and index != LEASES):
                found.append(f"{kind} {node['Relation Name']} {index}")
        for child in node.get("Plans", ()):
            walk(child)

    plan = tx.conn.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {said.sql}", said.parameters).scalar_one()
    walk((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])
    return found


def explainable(said: Sequence[Said]) -> list[Said]:
    """Each text once; only what touches the big tables."""
    texts = {s.sql: s for s in said if re.match(r"\s*(SELECT|UPDATE|DELETE)", s.sql)}
    return [s for s in texts.values() if re.search(rf"\b({TABLES})\b", s.sql)]


@pytest.mark.parametrize("name", list(HOT))
async def test_no_hot_statement_reads_a_whole_table(store: Store, name: str) -> None:
    full = post(*[alert(n) for n in range(1, STORED)])
    await store.write(lambda tx: receive(tx, [full], RULES, NOW - DAY))
    ended = post(*[alert(n, firing=False) for n in range(1, STORED, 2)])
    await store.write(lambda tx: receive(tx, [ended], RULES, NOW - DAY))
    sent = [Reference(n, "console", 1, {"ts": "1"}) for n in range(1, STORED)]
    await store.write(lambda tx: references.save(tx, sent))

    def work(tx: Tx) -> dict[str, list[str]]:
        if tx.postgresql:
            tx.conn.exec_driver_sql("ANALYZE")
            # These tables still fit into a few pages: only what has no index at all may be read whole.
            tx.conn.exec_driver_sql("SET LOCAL enable_seqscan = off")
        with recorded(tx) as said:
            HOT[name](tx)
        scans = scans_of_postgresql if tx.postgresql else scans_of_sqlite
        statements = explainable(said)
        assert len(statements) >= 5
        return {s.sql: found for s in statements if (found := scans(tx, s))}

    assert await store.write(work) == {}


async def test_a_scan_would_be_noticed(store: Store) -> None:
    def work(tx: Tx) -> list[str]:
        said = Said("SELECT count(*) FROM alerts WHERE severity = 'info'", ())
        return (scans_of_postgresql if tx.postgresql else scans_of_sqlite)(tx, said)

    assert await store.write(work) != []
