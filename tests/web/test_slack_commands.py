"""The slash command: every order in its words, wrong words answered with the usage, hostile texts made harmless."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.ingest.slack import Order, Verb, order_of
from incidentd.store.engine import Tx
from incidentd.workflows import chat
from tests.web.conftest import FlakyStore, Start, alert
from tests.web.slack_world import MALLORY, Workspace, workspace

T = TypeVar("T")
HOUR = timedelta(hours=1)


@pytest.fixture
async def office(start: Start) -> AsyncIterator[Workspace]:
    async with workspace(start) as opened:
        await opened.fires()
        yield opened


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("list", Order(Verb.LIST)),
        ("  LIST  ", Order(Verb.LIST)),
        ("", Order(Verb.HELP)),
        ("help", Order(Verb.HELP)),
        ("oncall now", Order(Verb.ONCALL)),
        ("show inc-12", Order(Verb.SHOW, 12)),
        ("ack 12", Order(Verb.ACKNOWLEDGE, 12)),
        ("acknowledge  INC-12  on   it", Order(Verb.ACKNOWLEDGE, 12, "on it")),
        ("ack 12 a &lt;b&gt; &amp;amp; c", Order(Verb.ACKNOWLEDGE, 12, "a <b> &amp; c")),
        ("resolve INC-12", Order(Verb.RESOLVE, 12)),
        ("resolve INC-12 --force fixed", Order(Verb.RESOLVE, 12, "fixed", force=True)),
        ("resolve --force INC-12", Order(Verb.RESOLVE, 12, force=True)),
        ("resolve INC-12 \u2014force", Order(Verb.RESOLVE, 12, force=True)),
        ("resolve INC-12 no --force needed", Order(Verb.RESOLVE, 12, "no --force needed")),
        ("snooze INC-12 1h", Order(Verb.SNOOZE, 12, pause=HOUR)),
        ("snooze 12 60m until lunch", Order(Verb.SNOOZE, 12, "until lunch", pause=HOUR)),
    ],
)
def test_every_order_is_understood(text: str, order: Order) -> None:
    assert order_of(text) == order


@pytest.mark.parametrize(
    "text",
    [
        "lst", "ack", "ack all", "ack INC-", "ack INC-1x", "ack -1", "ack \u0661", "show", "resolve", "resolve --force",
        "snooze", "snooze 1", "snooze 1 soon", "snooze 1 0", "snooze 1 31d", "snooze 1 -1h", "snooze 1h 1",
        "ack " + "9" * 30,
    ],
)  # fmt: skip
def test_anything_else_is_misread(text: str) -> None:
    order = order_of(text)
    assert (order.verb, order.incident_id) == (Verb.HELP, 0)
    assert order.problem


@given(st.text(max_size=200))
def test_no_text_breaks_the_reading(text: str) -> None:
    assert order_of(text).verb in Verb
    assert len(order_of(f"ack 1 {text * 100}").comment.encode()) <= 4096


async def test_what_is_open_is_listed_newest_first(office: Workspace) -> None:
    await office.daemon.alert(*[alert(f"Disk{n}") for n in range(25)])
    await office.command("resolve INC-1 --force")
    lines = (await office.command("list")).splitlines()
    assert len(lines) == 21
    assert "|INC-26>  critical, triggered, since" in lines[0]
    assert lines[-1].startswith("More are open")
    assert all("|INC-1>" not in line for line in lines)


async def test_nothing_open_is_said_so(office: Workspace) -> None:
    await office.command("resolve 1 --force")
    assert await office.command("list") == "No incident is open."


async def test_one_incident_is_shown_as_it_stands(office: Workspace) -> None:
    assert await office.command("ack INC-1 looking") == "INC-1 acknowledged."
    assert (await office.command("snooze 1 2h")).startswith("INC-1 snoozed until <!date^")
    told = await office.command("show INC-1")
    for part in ("Down is down", "critical, acknowledged and snoozed, 1 of 1", "acknowledged by alice"):
        assert part in told
    assert await office.command("resolve 1 --force done") == "INC-1 resolved."
    assert "by alice" in (await office.command("show INC-1")).splitlines()[-1]
    assert (await office.timeline())[1:] == ["acknowledged alice", "snoozed alice", "resolved alice"]


async def test_resolving_while_alerts_fire_needs_force(office: Workspace) -> None:
    assert "still has 1 firing alert(s)" in await office.command("resolve INC-1")
    assert await office.command("resolve INC-1 --force") == "INC-1 resolved."
    assert await office.command("resolve INC-1") == "INC-1 is resolved already by alice. Nothing was changed."


async def test_wrong_words_are_answered_with_the_usage(office: Workspace) -> None:
    told = await office.command("frobnicate <!channel> `x`")
    assert told.splitlines()[0].startswith("there is no 'frobnicate'")
    assert "/incident snooze INC-12 1h" in told
    assert "There is no incident INC-99" in await office.command("show 99")
    assert "There is no incident INC-99" in await office.command("ack 99")
    assert office.counted("help", "misread") == 1


async def test_who_is_on_duty_is_said_for_each_schedule_and_until_when(start: Start) -> None:
    layers = [{"name": "weekly", "users": ["alice", "bob"], "start": "2026-11-16T09:00"}]
    schedules = {
        "primary": {"time_zone": "Europe/Berlin", "layers": layers},
        "secondary": {"time_zone": "UTC", "layers": []},
    }
    async with workspace(start, sections={"schedules": schedules}) as office:
        told = (await office.command("oncall")).splitlines()
        assert told[0].startswith("*primary*: Alice (alice) until <!date^")
        assert told[1] == ":warning: *secondary*: nobody is on duty"


async def test_without_a_schedule_nobody_is_on_call(start: Start) -> None:
    async with workspace(start) as office:
        assert "No schedule is configured" in await office.command("oncall")


async def test_a_stranger_gets_nothing_but_the_way_in(office: Workspace) -> None:
    for text in ("list", "show 1", "help", "ack 1"):
        assert f"slack: {MALLORY}" in await office.command(text, MALLORY)
    assert (await office.incident())["state"] == "triggered"


async def test_no_text_of_an_alert_or_a_person_calls_anybody(start: Start) -> None:
    async with workspace(start) as office:
        await office.daemon.alert(alert("<!channel> `<@U1>` &amp; <http://evil|x>\u202e", service="<!here>"))
        told = f"{await office.command('list')}\n{await office.command('show 1')}"
        assert "&lt;!channel&gt; '&lt;@U1&gt;'" in told
        for bad in ("<!channel", "<!here", "<@U1", "<http://evil", "\u202e"):
            assert bad not in told
        assert "<!channel" not in await office.command("<!channel>")


async def test_a_database_that_is_away_is_told_in_words(office: Workspace) -> None:
    office.daemon.store.writes_fail = office.daemon.store.reads_fail = True
    assert "`incidentctl snooze INC-1 1h`" in await office.command("snooze 1 1h")
    assert "cannot be read" in await office.command("list")
    assert office.counted("snooze", "failed") == 1


async def test_a_database_that_hangs_is_answered_in_time_and_the_act_goes_on(
    office: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go = asyncio.Event()
    write = FlakyStore.write

    async def hanging(store: FlakyStore, work: Callable[[Tx], T]) -> T:
        await let_go.wait()
        return await write(store, work)

    monkeypatch.setattr(FlakyStore, "write", hanging)
    monkeypatch.setattr(chat, "ANSWER_SECONDS", 0.05)
    assert "takes longer than Slack waits. `/incident show INC-1`" in await office.command("ack INC-1")
    let_go.set()
    await office.daemon.desk.slack.close()
    assert (await office.incident())["state"] == "acknowledged"
    assert office.daemon.changes[-1].incident.acknowledged_by == "alice"
