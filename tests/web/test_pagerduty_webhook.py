"""What people do in PagerDuty is done here, and the other way round: through the front door, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from incidentd.clock import FixedClock
from tests.acceptance.bodies import alert
from tests.acceptance.bodies import webhook as alerts_of
from tests.acceptance.harness import NOON, World, configuration, vendors, write
from tests.fakes.pagerduty import AUTOMATION, BOB, INTEGRATION, Subscription, Webhook

SECRET = "secret-of-the-subscription-0123456789"
PATH = "/webhooks/pagerduty"
MINUTE = timedelta(minutes=1)
TOLD = ["hook", "pager"]


@dataclass
class Office:
    """A daemon whose pager talks back."""

    world: World
    subscription: Subscription
    key: str = ""
    """PagerDuty's name of the first incident."""

    async def fire(self, name: str = "ShopDown", since: timedelta = -2 * MINUTE) -> None:
        """A critical alert."""
        await self.world.post(alerts_of(alert(name, NOON + since, service="shop")))
        self.key = self.world.vendors.pages()[0][1]

    async def hear(self, webhook: Webhook) -> dict[str, Any]:
        """PagerDuty posts; what it came to, which must be 202."""
        answer = await self.world.client.call("POST", PATH, webhook.body, webhook.headers)
        assert answer.status == 202, answer.text
        await self.world.settle()
        receipt: dict[str, Any] = answer.json
        return receipt

    async def tell(self, event: str, after: timedelta = MINUTE, agent: Any = BOB, **data: Any) -> str:
        """Something happens in PagerDuty so long after noon; what came of it here."""
        name = f"incident.{event}"
        receipt = await self.hear(self.subscription.webhook(name, self.key, NOON + after, agent, **data))
        return str(receipt["result"])

    async def incident(self) -> Any:
        """The first one."""
        return await self.world.client.incident(1)

    async def state(self) -> str:
        """Its state."""
        return str((await self.incident())["state"])

    async def said(self, kind: str) -> list[str]:
        """What the timeline says in entries of a kind."""
        return [entry["text"] for entry in await self.world.client.timeline(1) if entry["kind"] == kind]

    def actions(self) -> list[str]:
        """What PagerDuty was told."""
        return [action for action, _ in self.world.vendors.pages()]

    async def told(self, channel: str) -> list[str]:
        """What a channel was told, in order."""
        rows = await self.world.client.deliveries()
        return [row["notice"] for row in reversed(rows) if row["channel"] == channel]


@asynccontextmanager
async def open_office(folder: Path, database_url: str, *secrets: str) -> AsyncIterator[Office]:
    """A daemon that tells PagerDuty and another channel of everything."""
    clock = FixedClock(NOON)
    async with vendors(clock) as fakes:
        channels = fakes.channels()
        channels["pager"]["webhook_secrets"] = list(secrets)
        sections = {"channels": channels, "route": {"notify": TOLD}, "grouping": {"by": ["service"]}}
        here = World(
            write(folder / "incidentd.yaml", configuration(database_url, fakes, **sections)), clock, fakes
        )
        await here.start()
        try:
            yield Office(here, Subscription(SECRET))
        finally:
            await here.stop()
        assert fakes.violations == []


@pytest_asyncio.fixture
async def office(tmp_path: Path, database_url: str) -> AsyncIterator[Office]:
    async with open_office(tmp_path, database_url, SECRET) as here:
        await here.fire()
        yield here


async def test_an_acknowledgement_in_pagerduty_acknowledges_here_and_tells_everybody_else(
    office: Office,
) -> None:
    assert await office.tell("acknowledged") == "applied"
    found = await office.incident()
    assert (found["state"], found["acknowledged_by"]) == ("acknowledged", "Bob Builder via PagerDuty")
    assert office.actions() == ["trigger"]
    assert await office.told("hook") == ["triggered", "acknowledged"]
    assert await office.told("pager") == ["triggered"]


async def test_an_acknowledgement_here_acknowledges_in_pagerduty_and_its_echo_changes_nothing(
    office: Office,
) -> None:
    await office.world.client.act("incidents/1/acknowledge", comment="")
    await office.world.settle()
    assert list(office.world.vendors.pager.alerts.values()) == ["acknowledged"]
    assert await office.tell("acknowledged", agent=INTEGRATION) == "ignored"
    assert await office.tell("acknowledged", 2 * MINUTE, AUTOMATION) == "ignored"
    assert (await office.incident())["acknowledged_by"] == "alice"
    assert office.actions() == ["trigger", "acknowledge"]


async def test_a_persons_resolve_in_pagerduty_is_final_even_while_alerts_fire(office: Office) -> None:
    assert await office.tell("resolved") == "applied"
    found = await office.incident()
    assert (found["state"], found["resolved_by"]) == ("resolved", "Bob Builder via PagerDuty")
    assert await office.said("resolved") == ["resolved by Bob Builder via PagerDuty while alerts still fire"]
    assert office.actions() == ["trigger"]
    assert await office.told("hook") == ["triggered", "resolved"]


async def test_a_resolve_that_knew_nothing_of_a_later_alert_pages_again(office: Office) -> None:
    await office.world.advance(10 * MINUTE)
    await office.fire("StillDown", 5 * MINUTE)
    assert await office.tell("resolved") == "noted"
    assert await office.state() == "triggered"
    assert office.actions() == ["trigger", "resolve", "trigger"]
    assert "alerts that began later fire" in (await office.said("vendor_event"))[0]


async def test_unacknowledge_is_followed_and_a_timeout_may_do_it(office: Office) -> None:
    await office.tell("acknowledged")
    assert await office.tell("unacknowledged", 2 * MINUTE, AUTOMATION) == "applied"
    assert await office.state() == "triggered"
    assert await office.told("hook") == ["triggered", "acknowledged", "unacknowledged"]
    assert office.actions() == ["trigger"]


async def test_a_reopening_goes_on_in_the_same_episode(office: Office) -> None:
    await office.tell("resolved")
    assert await office.tell("reopened", 2 * MINUTE) == "applied"
    assert await office.state() == "triggered"
    assert office.actions() == ["trigger"]
    assert await office.tell("acknowledged", 3 * MINUTE) == "applied"
    assert await office.told("hook") == ["triggered", "resolved", "reopened", "acknowledged"]


async def test_a_reopening_is_refused_while_another_incident_of_the_group_is_open(office: Office) -> None:
    await office.tell("resolved")
    await office.world.advance(30 * MINUTE)
    await office.fire("ShopDown", 29 * MINUTE)
    assert await office.tell("reopened", 2 * MINUTE) == "noted"
    assert await office.state() == "resolved"
    assert "INC-2 of the same group is open" in (await office.said("vendor_event"))[0]


@pytest.mark.parametrize("event", ["acknowledged", "resolved"])
async def test_automation_is_noted_but_is_no_person(office: Office, event: str) -> None:
    assert await office.tell(event, agent=AUTOMATION) == "noted"
    assert await office.state() == "triggered"
    assert await office.said("vendor_event") == [
        f"{event} by PagerDuty itself, but not here: no person did it"
    ]


async def test_a_merge_in_pagerduty_is_no_end(office: Office) -> None:
    assert await office.tell("resolved", resolve_reason={"type": "merge_resolve_reason"}) == "noted"
    assert await office.state() == "triggered"


async def test_the_resolve_we_send_to_page_again_does_not_come_back_as_an_end(office: Office) -> None:
    await office.tell("acknowledged")
    await office.world.client.act("incidents/1/unacknowledge", comment="")
    await office.world.settle()
    assert office.actions() == ["trigger", "resolve", "trigger"]
    assert await office.tell("resolved", 2 * MINUTE, INTEGRATION) == "ignored"
    assert await office.state() == "triggered"


async def test_the_same_event_acts_once_however_it_comes_again(office: Office) -> None:
    first = office.subscription.webhook("incident.acknowledged", office.key, NOON + MINUTE)
    assert (await office.hear(first))["result"] == "applied"
    await office.world.client.act("incidents/1/unacknowledge", comment="")
    assert (await office.hear(first))["result"] == "duplicate"
    # The delivery's id is not part of what is signed.
    assert (await office.hear(first.but(X_Webhook_Id="another")))["result"] == "duplicate"
    same = office.subscription.webhook("incident.acknowledged", office.key, NOON + MINUTE)
    assert (await office.hear(same.but(X_Webhook_Id=first.headers["X-Webhook-Id"])))["result"] == "duplicate"
    assert await office.state() == "triggered"


async def test_an_older_event_never_moves_the_state_back(office: Office) -> None:
    assert await office.tell("acknowledged", 3 * MINUTE) == "applied"
    assert await office.tell("unacknowledged", 2 * MINUTE) == "ignored"
    assert await office.state() == "acknowledged"
    assert await office.tell("resolved", 4 * MINUTE) == "applied"
    assert await office.tell("reopened", 3 * MINUTE) == "ignored"
    assert await office.state() == "resolved"


async def test_an_acknowledgement_of_before_a_newer_page_does_not_silence_it(office: Office) -> None:
    await office.world.client.act("incidents/1/acknowledge", comment="")
    await office.world.advance(10 * MINUTE)
    await office.world.client.act("incidents/1/unacknowledge", comment="")
    assert await office.tell("acknowledged", 5 * MINUTE) == "noted"
    assert await office.state() == "triggered"
    assert "before what happened here since" in (await office.said("vendor_event"))[0]


async def test_late_events_are_followed_in_their_own_order(office: Office) -> None:
    await office.world.advance(30 * MINUTE)
    for event, minute in (("acknowledged", 1), ("unacknowledged", 2), ("acknowledged", 5)):
        assert await office.tell(event, minute * MINUTE) == "applied"
    assert await office.state() == "acknowledged"


async def test_what_else_happens_in_pagerduty_stands_in_the_timeline(office: Office) -> None:
    assert await office.tell("triggered", agent=INTEGRATION) == "ignored"
    assert await office.tell("reassigned") == "noted"
    assert await office.tell("escalated", agent=AUTOMATION) == "noted"
    assert await office.tell("priority_updated", priority={"summary": "P1"}) == "noted"
    note = office.subscription.note(office.key, NOON + MINUTE, "rolled back")
    assert (await office.hear(note))["result"] == "noted"
    assert await office.said("vendor_event") == [
        "reassigned to Bob Builder by Bob Builder via PagerDuty",
        "escalated to Bob Builder by PagerDuty itself",
        "priority set to P1 by Bob Builder via PagerDuty",
    ]
    assert await office.said("note") == ["rolled back"]
    assert await office.state() == "triggered"


@pytest.mark.parametrize("event", ["workflow.started", "acknowledged"])
async def test_unknown_types_and_foreign_incidents_are_accepted_and_ignored(
    office: Office, event: str
) -> None:
    for key in (office.key if event != "acknowledged" else "incidentd-other-1-1", "d3640fbd41094207a1c", ""):
        webhook = office.subscription.webhook(f"incident.{event}", key, NOON + MINUTE)
        assert (await office.hear(webhook))["result"] == "ignored"
    assert await office.state() == "triggered"


async def test_an_episode_that_is_over_is_not_acted_upon(office: Office) -> None:
    await office.world.client.act("incidents/1/resolve", force=True)
    await office.world.client.act("incidents/1/reopen", comment="")
    await office.world.settle()
    assert await office.tell("acknowledged") == "ignored"
    assert await office.state() == "triggered"
