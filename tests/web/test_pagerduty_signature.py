"""Who may post to PagerDuty's door, and what PagerDuty is answered: after a 4xx it would not come again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from incidentd.domain.vendor_key import vendor_key
from incidentd.store import settings
from tests.fakes.pagerduty import BOB, Subscription, Webhook
from tests.web.conftest import Daemon, Start, alert

OLD, NEW = "old-secret-0123456789", "new-secret-0123456789"
OTHER = "secret-of-another-team-0123"
INSTANCE = "ab12cd34"
KEY = vendor_key(INSTANCE, 1, 1)


def pager(*secrets: str, **more: Any) -> dict[str, Any]:
    return {"kind": "pagerduty", "routing_key": "R" * 32, "webhook_secrets": list(secrets), **more}


@pytest_asyncio.fixture
async def daemon(start: Start) -> AsyncIterator[Daemon]:
    """Two pagers with a subscription each, and an incident that both were told of."""
    channels = {"pager": pager(OLD, NEW), "second": pager(OTHER, routing_key="S" * 32)}
    async with start(channels=channels, route={"notify": ["pager", "second"]}) as started:
        await started.store.write(lambda tx: settings.get_or_create(tx, "instance", lambda: INSTANCE))
        await started.alert(alert())
        yield started


def acknowledged(daemon: Daemon, *secrets: str) -> Webhook:
    """Bob acknowledges in PagerDuty."""
    return Subscription(*secrets).webhook("incident.acknowledged", KEY, daemon.clock.now())


async def post(daemon: Daemon, webhook: Webhook, **headers: str) -> tuple[int, Any]:
    """The answer's status and its JSON."""
    answer, data = await daemon.call(
        "POST", "/webhooks/pagerduty", data=webhook.body, headers=webhook.headers | headers
    )
    return answer.status, data


async def state(daemon: Daemon) -> str:
    return str((await daemon.get("/api/v1/incidents/1"))[1]["state"])


@pytest.mark.parametrize("secrets", [(OLD,), (NEW,), ("retired", NEW), (OLD, NEW), (OTHER,)], ids="+".join)
async def test_one_fitting_signature_of_a_list_is_enough(daemon: Daemon, secrets: tuple[str, ...]) -> None:
    status, receipt = await post(daemon, acknowledged(daemon, *secrets))
    assert (status, receipt["result"]) == (202, "applied")
    assert await state(daemon) == "acknowledged"
    assert daemon.sample("auth_attempts_total", type="signature", status="ok") == 1


async def test_only_the_pager_that_told_of_it_is_not_told_back(daemon: Daemon) -> None:
    await post(daemon, acknowledged(daemon, OTHER))
    _, listed = await daemon.get("/api/v1/deliveries")
    told = {(row["channel"], row["notice"]) for row in listed["items"]}
    assert told == {("pager", "triggered"), ("second", "triggered"), ("pager", "acknowledged")}


async def test_what_is_not_genuine_is_refused_and_changes_nothing(daemon: Daemon) -> None:
    good = acknowledged(daemon, OLD)
    signature = good.headers["X-PagerDuty-Signature"]
    for webhook in (
        acknowledged(daemon, "wrong-secret"),
        Webhook(good.body.replace(b"Bob", b"Eve"), good.headers),
        Webhook(good.body + b" ", good.headers),
        good.but(X_PagerDuty_Signature=""),
        good.but(X_PagerDuty_Signature=signature.replace("v1=", "v2=")),
        good.but(X_PagerDuty_Signature=signature[:-1]),
        good.but(X_PagerDuty_Signature="v1=" + "\u00e9" * 64),
        Webhook(good.body, {"Content-Type": "application/json", "Authorization": "Bearer whatever"}),
    ):
        assert (await post(daemon, webhook))[0] == 401
    assert await state(daemon) == "triggered"
    assert daemon.sample("auth_attempts_total", type="signature", status="failed") == 8


async def test_without_a_secret_nobody_can_post(start: Start) -> None:
    async with start(channels={"pager": pager()}, route={"notify": ["pager"]}) as daemon:
        assert (await post(daemon, acknowledged(daemon, "")))[0] == 401


async def test_while_the_database_is_away_pagerduty_is_asked_to_come_again_and_then_it_counts(
    daemon: Daemon,
) -> None:
    webhook = acknowledged(daemon, NEW)
    daemon.store.writes_fail = True
    assert (await post(daemon, webhook))[0] == 503
    daemon.store.writes_fail = False
    assert (await post(daemon, webhook))[1]["result"] == "applied"
    daemon.context.stopping.set()
    assert (await post(daemon, webhook))[0] == 503


@pytest.mark.parametrize(
    "event",
    [
        {"id": "01E", "event_type": "pagey.ping", "occurred_at": "2026-11-20T17:00:00Z", "data": {}},
        {"id": "01E", "event_type": "incident.acknowledged", "occurred_at": "yesterday", "data": {}},
        {"id": "01E", "event_type": "incident.acknowledged", "occurred_at": "2026-11-20T17:00:00"},
        {"id": "", "event_type": "incident.acknowledged", "occurred_at": "2026-11-20T17:00:00Z"},
        {"id": "x" * 300, "occurred_at": "2026-11-20T17:00:00Z"},
        {"id": "a\0b", "occurred_at": "2026-11-20T17:00:00Z"},
        {"id": ["01E"], "event_type": 7, "occurred_at": 5, "agent": "Bob", "data": [1]},
        {},
    ],
)
async def test_what_is_genuine_but_means_nothing_here_is_accepted(
    daemon: Daemon, event: dict[str, Any]
) -> None:
    status, receipt = await post(daemon, Subscription(OLD).signed(event, "some-delivery"))
    assert (status, receipt["result"]) == (202, "ignored")


async def test_hostile_texts_of_a_genuine_event_are_stored_as_harmless_lines(daemon: Daemon) -> None:
    subscription, now = Subscription(OLD), daemon.clock.now()
    eve = {"type": "user_reference", "summary": "Eve\0\r\n\x1b[2J" + "x" * 500}
    webhook = subscription.webhook(
        "incident.reassigned", KEY, now, eve, assignees=[eve, "Bob", None, *[BOB] * 9]
    )
    assert (await post(daemon, webhook))[1]["result"] == "noted"
    assert (await post(daemon, subscription.note(KEY, now, "a\0b" * 9000)))[1]["result"] == "noted"
    _, found = await daemon.get("/api/v1/incidents/1/timeline")
    remark, note = found["items"][-2:]
    assert remark["text"].startswith("reassigned to Eve [2Jxxx")
    assert "\n" not in remark["text"] + remark["actor"]
    assert remark["text"].isprintable()
    assert len(note["text"]) <= 4000


async def test_a_body_over_256_kib_is_refused_as_too_large(daemon: Daemon) -> None:
    big = Subscription(OLD).note(KEY, daemon.clock.now(), "x" * 256 * 1024)
    assert (await post(daemon, big))[0] == 413


@pytest.mark.parametrize("body", [b"", b"not JSON", b"[]", b"[" * 100_000, b'{"event": "\\ud800"}'])
async def test_a_body_that_cannot_be_read_is_accepted_if_it_is_signed(daemon: Daemon, body: bytes) -> None:
    status, receipt = await post(daemon, Subscription(OLD).signed_body(body, "some-delivery"))
    assert (status, receipt["result"]) == (202, "ignored")
    assert (await post(daemon, Subscription("wrong").signed_body(body, "some-delivery")))[0] == 401
