"""Whatever happens in whatever order: vendors end as the incidents do, and no page is dropped silently.

People, a machine and a vendor that keeps alerts by key, under a rate, with a fall-back, and outages of our own.
"""

import asyncio
import tempfile
from collections import Counter
from datetime import timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from incidentd.channels.base import Rate
from incidentd.delivery.traits import Traits
from incidentd.domain.incident import Incident
from incidentd.domain.notification import DeliveryClass, DeliveryState, Notice, Outcome
from incidentd.store.deliveries import Delivery
from incidentd.store.engine import Store
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
)
from tests.delivery.players import Vendor, declare_many, tell, throttled
from tests.delivery.test_random import HUMAN, act

RATE = Rate(per_second=0.2, burst=2)
TRAITS = {
    "chat": Traits(rate=RATE),
    "hook": Traits(people=False),
    "pager": Traits(people=False, keyed=True, rate=RATE, fallback=("spare",)),
    "spare": Traits(people=False, keyed=True),
}
NOTIFY = ("chat", "hook", "pager")
OUTCOMES = st.sampled_from([OK, OK, OK, RETRY, AMBIGUOUS, throttled(), throttled(90), REJECTED, GONE, BROKEN])
DOINGS = [
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
ACTS = st.sampled_from([*DOINGS, "storm", "outage"])
ENDED = {DeliveryState.SENT, DeliveryState.SUPERSEDED, DeliveryState.SUPPRESSED, DeliveryState.DEAD}


async def outage(office: Office, senders: dict[str, Vendor], minutes: int) -> None:
    """The daemon is away for so long."""
    await office.close()
    office.workers.clear()
    office.clock.set(office.clock.now() + timedelta(minutes=minutes))
    office.hire(senders, traits=TRAITS)


async def play(acts: list[tuple[str, int, int]], scripts: dict[str, list[Outcome]], folder: str) -> None:
    store = Store(f"sqlite+aiosqlite:///{Path(folder) / 'incidentd.db'}")
    await store.write(create_schema)
    office = Office(store)
    tell(office, *NOTIFY, targets=dict.fromkeys(TRAITS, ("#ops",)))
    senders = {name: Vendor(*scripts.get(name, ())) for name in TRAITS}
    office.hire(senders, traits=TRAITS)
    numbers = [await office.declare()]
    for step, which, size in acts:
        if step in {"declare", "storm"}:
            numbers += await declare_many(office, 1 if step == "declare" else 9)
        elif step == "outage":
            await outage(office, senders, size)
        else:
            await act(office, step, numbers[which % len(numbers)], size)
    for _ in range(300):
        await office.settled()
        if not await office.waiting():
            break
        await office.later(31)
    rows = await office.rows()
    for number in numbers:
        await check(
            office, await office.incident(number), [row for row in rows if row.incident_id == number], senders
        )
    check_told(senders["chat"])
    assert [name for name in ("hook", "pager", "spare") if senders[name].after_the_end] == []
    await office.close()
    await store.close()


async def check(office: Office, incident: Incident, rows: list[Delivery], senders: dict[str, Vendor]) -> None:
    missed = {entry.data["delivery"] for entry in await office.entries(incident.id, "page_missed")}
    for row in rows:
        assert row.state in ENDED, "a row that never ends"
        if row.notice is Notice.MISSED:
            assert row.id in missed
        elif row.delivery_class is DeliveryClass.PAGE and row.state is not DeliveryState.SENT:
            assert row.id in missed or (row.reason or "").startswith(HUMAN), "a page that was dropped"
    for name in ("hook", "pager", "spare"):
        if not any(row.state is DeliveryState.DEAD for row in rows if row.channel == name):
            check_vendor(incident, senders[name])


def check_vendor(incident: Incident, vendor: FakeSender) -> None:
    assert isinstance(vendor, Vendor)
    for episode in range(1, incident.episode + 1):
        last = incident.state.value if episode == incident.episode else "resolved"
        known = vendor.alerts.get(f"incidentd-abcd-{incident.id}-{episode}", last)
        assert known == last, f"INC-{incident.id}, episode {episode}, is {known} at the vendor"


def check_told(chat: Vendor) -> None:
    told = [
        (m.notice, view.id, view.episode)
        for m in chat.accepted
        for view in (m.incident, *m.bundle)
        if m.bundle
    ]
    assert not [each for each, count in Counter(told).items() if count > 1], "told twice in lists"


@settings(max_examples=30)
@given(
    acts=st.lists(st.tuples(ACTS, st.integers(0, 12), st.integers(1, 90)), max_size=14),
    scripts=st.fixed_dictionaries({name: st.lists(OUTCOMES, max_size=12) for name in TRAITS}),
)
def test_every_vendor_ends_as_the_incident_does_and_no_page_is_dropped_silently(
    acts: list[tuple[str, int, int]], scripts: dict[str, list[Outcome]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(acts, scripts, folder))
