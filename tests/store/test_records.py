"""What goes in comes out: every function of the store, with the same answers from both databases."""

from dataclasses import replace

import pytest

from incidentd.domain.incident import Entry, State
from incidentd.domain.severity import Severity
from incidentd.store import (
    alert_views,
    alerts,
    figures,
    incidents,
    quarantine,
    settings,
    timeline,
    timers,
    tokens,
)
from incidentd.store.engine import Store, Tx
from incidentd.store.incidents import Search
from incidentd.store.prepared import Ids
from incidentd.store.schema import timeline as timeline_table
from incidentd.store.tokens import StoredToken
from incidentd.workflows.receive import receive
from tests.store.samples import DAY, MINUTE, NOW, RULES, alert, incident, post, resolved

FULL = resolved(
    7,
    title='quotes " and \u2713 and \U0001f525',
    labels={"service": "api", "über": "ß"},
    escalation="primary",
    first_acknowledged_at=NOW,
    acknowledged_at=NOW + MINUTE,
    acknowledged_by="alice",
    ended_at=NOW + MINUTE,
    counts=False,
    reopen_count=2,
    episode=3,
    alerts_firing=4,
    alerts_total=5,
    last_seq=6,
    update_queued=True,
    runbook_url="https://example.com/runbook",
    declared_by="bob",
    truncated=8,
    last_at=NOW + MINUTE,
)


async def test_an_incident_comes_back_as_it_was_with_real_booleans(store: Store) -> None:
    await store.write(lambda tx: incidents.add(tx, [FULL, incident(8)]))
    found = await store.write(lambda tx: incidents.by_ids(tx, [7, 8, 99]))
    assert sorted(found, key=lambda i: i.id) == [FULL, incident(8)]
    assert found[0].counts is False
    assert found[0].update_queued is True


async def test_a_saved_incident_keeps_what_never_changes(store: Store) -> None:
    await store.write(lambda tx: incidents.add(tx, [incident(1)]))
    after = replace(
        incident(1), state=State.ACKNOWLEDGED, acknowledged_by="alice", update_queued=True, service="x"
    )
    await store.write(lambda tx: incidents.save(tx, [after]))
    assert await store.write(lambda tx: incidents.by_ids(tx, [1])) == [replace(after, service="api")]


async def test_recently_resolved_incidents_of_a_group_are_found_by_time(store: Store) -> None:
    rows = [
        resolved(1, at=NOW - DAY, group_key="g"),
        resolved(2, at=NOW, group_key="g"),
        resolved(3, group_key="h"),
    ]
    await store.write(lambda tx: incidents.add(tx, rows))
    found = await store.write(lambda tx: incidents.resolved_since(tx, ["g"], NOW - MINUTE))
    assert [i.id for i in found] == [2]


@pytest.mark.parametrize("timer", ["snoozed_until", "held_until"])
async def test_timers_are_due_at_their_instant_and_not_before(store: Store, timer: str) -> None:
    rows = [incident(1, **{timer: NOW}), incident(2, **{timer: NOW + MINUTE}), incident(3)]
    await store.write(lambda tx: incidents.add(tx, rows))
    assert [i.id for i in await store.write(lambda tx: timers.due(tx, timer, NOW, 10))] == [1]
    assert [i.id for i in await store.write(lambda tx: timers.due(tx, timer, NOW + MINUTE, 1))] == [1]
    assert await store.write(lambda tx: timers.due(tx, timer, NOW - MINUTE, 10)) == []


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (Search(), [3, 2, 1]),
        (Search(states=(State.RESOLVED,)), [3]),
        (Search(states=(State.TRIGGERED, State.ACKNOWLEDGED)), [2, 1]),
        (Search(severity=Severity.WARNING), [2]),
        (Search(service="web"), [1]),
        (Search(text="DENT 2"), [2]),
        (Search(text="100%"), []),
        (Search(since=NOW), [3, 2]),
        (Search(acknowledged_by="alice"), [2]),
        (Search(before=3, limit=1), [2]),
    ],
)
async def test_incidents_are_found_by_what_people_ask_for(
    store: Store, wanted: Search, ids: list[int]
) -> None:
    rows = [
        incident(1, service="web", opened_at=NOW - DAY),
        incident(2, severity=Severity.WARNING, state=State.ACKNOWLEDGED, acknowledged_by="alice"),
        resolved(3),
    ]
    await store.write(lambda tx: incidents.add(tx, rows))
    assert [i.id for i in await store.read(lambda tx: incidents.search(tx, wanted))] == ids


async def test_open_incidents_are_counted_and_shown_without_the_resolved(store: Store) -> None:
    await store.write(lambda tx: incidents.add(tx, [incident(1), incident(2), resolved(3)]))
    assert await store.read(incidents.count_open) == {("critical", "triggered"): 2}
    shown = await store.read(incidents.open_labels)
    assert shown == [({"service": "api"}, Severity.CRITICAL)] * 2


async def test_figures_are_made_of_what_was_opened_or_resolved_lately(store: Store) -> None:
    rows = [
        resolved(1, opened_at=NOW - 9 * DAY, at=NOW, ended_at=NOW, service="web"),
        resolved(2, opened_at=NOW - 9 * DAY, at=NOW - 8 * DAY),
        incident(3),
    ]
    await store.write(lambda tx: incidents.add(tx, rows))
    facts = await store.read(lambda tx: figures.facts_since(tx, NOW - DAY))
    assert sorted((f.service, f.resolved_at, f.ended_at) for f in facts if f.resolved_at) == [
        ("web", NOW, NOW)
    ]
    assert len(facts) == 2
    assert len(await store.read(lambda tx: figures.facts_since(tx, NOW - DAY, "web"))) == 1


async def test_alerts_are_shown_as_they_were_in_their_incident(store: Store) -> None:
    await store.write(lambda tx: receive(tx, [post(alert(1), alert(2, firing=False))], RULES, NOW))
    await store.write(lambda tx: receive(tx, [post(alert(1, firing=False))], RULES, NOW + MINUTE))
    (number,) = [i.id for i in await store.read(lambda tx: incidents.search(tx, Search()))]
    (view,) = await store.read(lambda tx: alert_views.of_incident(tx, number, 10))
    assert (view.status, view.ends_at, view.annotations) == (
        "resolved",
        NOW + MINUTE,
        {"summary": "alert 1 ✓"},
    )
    found = await store.read(lambda tx: alert_views.search(tx, status="resolved", source="main", limit=9))
    assert [(each.fingerprint[-1], placed) for _, each, placed in found] == [("2", None), ("1", number)]


async def test_repeats_move_only_the_time_at_which_an_alert_was_last_seen(store: Store) -> None:
    await store.write(lambda tx: receive(tx, [post(alert(1))], RULES, NOW))
    await store.write(lambda tx: receive(tx, [post(alert(1))], RULES, NOW + MINUTE))
    (record,) = await store.read(lambda tx: alerts.known(tx, "main", [alert(1).fingerprint, "0" * 16]))
    assert (record.last_seen_at, record.occurrences, record.current.starts_at) == (NOW + MINUTE, 1, NOW)
    assert record.current.firing


async def test_timeline_entries_come_in_order_and_can_be_resumed(store: Store) -> None:
    lines = [(n % 2, n, NOW, Entry("note", "alice", f"line {n}", {"n": n})) for n in range(1, 7)]
    await store.write(lambda tx: timeline.append(tx, lines))
    even = await store.read(lambda tx: timeline.of_incident(tx, 0, 2, 10))
    assert [(e.seq, e.text, e.data) for e in even] == [(4, "line 4", {"n": 4}), (6, "line 6", {"n": 6})]
    every = await store.read(lambda tx: timeline.after(tx, 0, 10))
    assert [e.seq for e in every] == [1, 2, 3, 4, 5, 6]
    assert await store.read(timeline.newest_id) == every[-1].id
    assert [e.seq for e in await store.read(lambda tx: timeline.after(tx, every[3].id, 1))] == [5]


async def test_numbers_grow_also_when_more_are_taken_than_were_ordered(store: Store) -> None:
    def take(tx: Tx) -> list[int]:
        ids = Ids(tx, timeline_table, 2)
        return [ids.take() for _ in range(5)]

    taken = await store.write(take)
    assert taken == sorted(set(taken))


async def test_what_was_set_aside_is_kept_with_its_reason(store: Store) -> None:
    bad = [("alerts[0]", "bad_time", "{}"), ("alerts[1]", "no_labels", '{"a": 1}')]
    await store.write(lambda tx: quarantine.add(tx, "main", "request", bad, NOW))
    found = await store.read(lambda tx: quarantine.search(tx, before=None, limit=10))
    assert [(q.where, q.reason, q.alert, q.received_at) for q in found] == [
        ("alerts[1]", "no_labels", '{"a": 1}', NOW),
        ("alerts[0]", "bad_time", "{}", NOW),
    ]
    assert await store.read(lambda tx: quarantine.search(tx, before=found[1].id, limit=10)) == []


async def test_a_token_is_made_used_and_revoked(store: Store) -> None:
    token = StoredToken("ci", "ab" * 32, ("ingest", "read"), "main", NOW, NOW + DAY, None, None)
    assert await store.write(lambda tx: tokens.add(tx, token))
    assert not await store.write(lambda tx: tokens.add(tx, replace(token, hash="cd" * 32)))
    await store.write(lambda tx: tokens.used(tx, [("ci", NOW + MINUTE)]))
    assert await store.read(tokens.all_tokens) == [replace(token, last_used_at=NOW + MINUTE)]
    assert await store.write(lambda tx: tokens.revoke(tx, "ci", NOW))
    assert not await store.write(lambda tx: tokens.revoke(tx, "ci", NOW))
    assert await store.write(lambda tx: tokens.add(tx, replace(token, hash="ef" * 32)))


async def test_a_setting_is_made_once(store: Store) -> None:
    assert await store.read(lambda tx: settings.get(tx, "id")) is None
    assert await store.write(lambda tx: settings.get_or_create(tx, "id", lambda: "first")) == "first"
    assert await store.write(lambda tx: settings.get_or_create(tx, "id", lambda: "second")) == "first"
