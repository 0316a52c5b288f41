"""Whatever happens in whatever order: nobody is told in the wrong order, and no page is dropped silently."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from incidentd.domain import response
from incidentd.domain.incident import State
from incidentd.domain.notification import DeliveryClass, DeliveryState, Outcome, Verdict
from incidentd.store.deliveries import Delivery
from incidentd.store.engine import Store
from incidentd.workflows import respond
from tests.delivery.cast import (
    AMBIGUOUS,
    BROKEN,
    GONE,
    OK,
    REJECTED,
    RETRY,
    FakeSender,
    Office,
    create_schema,
    rules_for,
)

CHANNELS = ("chat", "pager")
THROTTLED = Outcome(Verdict.THROTTLED, "http_429")
HUMAN = ("acknowledged by ", "resolved by ", "snoozed by ")
OUTCOMES = st.sampled_from([OK, OK, RETRY, AMBIGUOUS, THROTTLED, REJECTED, GONE, BROKEN])
ACTS = st.sampled_from(
    [
        "declare",
        "acknowledge",
        "unacknowledge",
        "resolve",
        "end",
        "reopen",
        "snooze",
        "note",
        "settle",
        "wait",
    ]
)


async def act(office: Office, step: str, number: int, seconds: int) -> None:
    """Do one thing to incident `number`, if its state allows it."""
    incident = await office.incident(number)
    now = office.clock.now()
    doings: dict[str, Callable[[], Awaitable[object]]] = {
        "settle": office.settled,
        "wait": lambda: office.later(seconds),
        "note": lambda: office.note(number),
    }
    if incident.open:
        doings["acknowledge"] = lambda: office.acknowledge(number)
        doings["resolve"] = lambda: office.resolve(number)
        doings["end"] = lambda: office.end(number)
        doings["snooze"] = lambda: office.snooze(number)
    if incident.state is State.ACKNOWLEDGED:
        doings["unacknowledge"] = lambda: office.act(number, lambda i: response.unacknowledge(i, "bob", ""))
    if not incident.open:
        doings["reopen"] = lambda: office.store.write(
            lambda tx: respond.reopen(tx, number, "bob", "", office.rules, now)
        )
    if step in doings:
        await doings[step]()


async def play(acts: list[tuple[str, int, int]], scripts: dict[str, list[Outcome]], folder: str) -> None:
    store = Store(f"sqlite+aiosqlite:///{Path(folder) / 'incidentd.db'}")
    await store.write(create_schema)
    office = Office(store)
    office.rules = rules_for(CHANNELS)
    senders = {name: FakeSender(*scripts[name]) for name in CHANNELS}
    office.hire(senders)
    numbers = [await office.declare()]
    for step, which, seconds in acts:
        if step == "declare":
            numbers.append(await office.declare())
        else:
            await act(office, step, numbers[which % len(numbers)], seconds)
    for _ in range(200):
        if not await office.waiting():
            break
        await office.later(61)
    for name, sender in senders.items():
        for number in numbers:
            await check(office, number, name, sender)
    await office.close()
    await store.close()


async def check(office: Office, number: int, channel: str, sender: FakeSender) -> None:
    rows = [row for row in await office.rows(channel) if row.incident_id == number]
    accepted = [m for m in sender.accepted if m.incident.id == number]
    order = [int(m.delivery_id.rpartition("-")[2]) for m in sender.heard if m.incident.id == number]
    assert order == sorted(order), "a lane left in the wrong order"
    assert len({m.delivery_id for m in accepted}) == len(accepted), "sent twice without need"
    missed = {entry.data["delivery"] for entry in await office.entries(number, "page_missed")}
    for row in rows:
        check_row(row, missed)
    incident = await office.incident(number)
    told_all = not any(row.state is DeliveryState.DEAD for row in rows)
    if told_all and accepted:
        assert accepted[-1].incident.state == incident.state.value
    assert not incident.update_queued


def check_row(row: Delivery, missed: set[object]) -> None:
    assert row.state not in {DeliveryState.PENDING, DeliveryState.LEASED}, "a row that never ends"
    if row.delivery_class is not DeliveryClass.PAGE:
        assert row.state is not DeliveryState.SUPPRESSED
        return
    assert row.state is not DeliveryState.SUPERSEDED
    if row.state is DeliveryState.SUPPRESSED:
        assert row.reason is not None
        assert row.reason.startswith(HUMAN)
    assert (row.id in missed) == (row.state is DeliveryState.DEAD)


@settings(max_examples=40)
@given(
    acts=st.lists(st.tuples(ACTS, st.integers(0, 3), st.integers(1, 90)), max_size=14),
    scripts=st.fixed_dictionaries({name: st.lists(OUTCOMES, max_size=12) for name in CHANNELS}),
)
def test_pages_end_visibly_lanes_keep_their_order_and_the_last_word_is_true(
    acts: list[tuple[str, int, int]], scripts: dict[str, list[Outcome]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(acts, scripts, folder))
