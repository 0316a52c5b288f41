"""The audit log through the front door: every operation that changes something leaves an entry, and bundles verify."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from incidentd.audit.judge import Verified
from incidentd.audit.verify import verify
from incidentd.domain.ack_link import AckLinks
from incidentd.domain.runbook_match import Shelf
from incidentd.store import audit as store
from incidentd.store import settings
from incidentd.web import audit as pages
from incidentd.workflows import audit as workflow
from tests.audit.sample import KEY, judged
from tests.fakes.slack_socket import SlackSocketFake
from tests.web.audit_story import BOOK, EXEMPT, PAGER, STORY, Acting, changing
from tests.web.conftest import Daemon, Json, Start, alert
from tests.web.slack_world import SECRET, channels


@pytest.fixture
async def daemon(start: Start) -> AsyncIterator[Daemon]:
    """A daemon where everything can be asked of: people, a schedule, a policy, chat, a pager, mailed links."""
    async with SlackSocketFake() as slack:
        pager = {"kind": "pagerduty", "routing_key": "R" * 32, "webhook_secrets": [PAGER]}
        async with start(
            users={"alice": {"name": "Alice", "slack": "U0ALICE"}, "bob": {"name": "Bob", "slack": "U0BOB"}},
            channels={**channels(slack, signing_secret=SECRET), "pager": pager},
            schedules={"primary": {"time_zone": "UTC"}},
            escalation={"primary": {"steps": [{"after": "0s", "notify": ["user:alice"]}]}},
            route={"notify": ["console"], "escalation": "primary"},
            sources={"main": {"alertmanagers": ["http://127.0.0.1:1"]}, "other": {}},
        ) as daemon:
            await daemon.store.write(lambda tx: settings.get_or_create(tx, "instance", lambda: "ab12cd34"))
            daemon.context.ack_links = AckLinks(b"k" * 32, daemon.url)
            daemon.context.audit_key = KEY
            daemon.context.rules = replace(daemon.context.rules, runbooks=Shelf((BOOK,)))
            yield daemon


async def entries(daemon: Daemon, after: int = 0) -> list[Json]:
    """The log as the API shows it."""
    answer, page = await daemon.get(f"/api/v1/audit?after={after}&limit=500", "admin")
    assert answer.status == 200, page
    pages.AuditPage.model_validate(page)
    return list(page["items"])


def test_the_story_uses_every_operation_that_changes_something() -> None:
    assert changing() - set(EXEMPT) == set(STORY), "one is new: use it in the story, or say why it is exempt"


async def test_every_operation_that_changes_something_leaves_an_entry(daemon: Daemon) -> None:
    acting, silent = Acting(daemon), []
    for operation in STORY:
        await acting.prepare(operation)
        before = (await daemon.store.read(store.head)).seq
        await acting.use(operation)
        if not await entries(daemon, before):
            silent.append(operation)
    assert silent == []


async def test_an_entry_says_who_did_what_to_what(daemon: Daemon) -> None:
    await daemon.alert(alert())
    await daemon.post("/api/v1/incidents/1/acknowledge", {"comment": "mine"})
    opened, taken = await entries(daemon)
    assert (opened["actor_kind"], opened["actor"], opened["action"]) == (
        "machine",
        "source",
        "incidents.changed",
    )
    assert opened["data"] == {"triggered": [1]}
    assert (taken["actor_kind"], taken["actor"], taken["action"]) == (
        "person",
        "responder",
        "incident.acknowledged",
    )
    assert (taken["object"], taken["data"]["state"]) == ("incident:1", "acknowledged")
    assert taken["private"]["text"].endswith("mine")
    assert "responder" not in taken["entry"]


async def test_repeats_of_a_known_alert_leave_no_entry(daemon: Daemon) -> None:
    for _ in range(3):
        await daemon.alert(alert())
    assert len(await entries(daemon)) == 1


async def test_what_is_refused_and_what_is_done_already_leaves_no_entry(daemon: Daemon) -> None:
    await daemon.alert(alert())
    for _ in range(2):
        await daemon.post("/api/v1/incidents/1/acknowledge", {})
    assert (await daemon.post("/api/v1/incidents/1/resolve", {}))[0].status == 409
    assert [e["action"] for e in await entries(daemon)] == ["incidents.changed", "incident.acknowledged"]


async def test_the_log_is_read_page_by_page_by_admins_alone(daemon: Daemon) -> None:
    for number in range(5):
        await daemon.alert(alert(f"A{number}", service=str(number)))
    _, first = await daemon.get("/api/v1/audit?limit=2", "admin")
    _, second = await daemon.get(f"/api/v1/audit?limit=4&cursor={first['next_cursor']}", "admin")
    assert [e["seq"] for e in (*first["items"], *second["items"])] == [1, 2, 3, 4, 5]
    assert second["next_cursor"] is None
    assert [(await daemon.get("/api/v1/audit", scope))[0].status for scope in ("read", "respond")] == [
        403,
        403,
    ]


@pytest.mark.parametrize("form", ["json", "csv"])
async def test_an_export_is_asked_for_fetched_and_verified(daemon: Daemon, form: str) -> None:
    for number in range(3):
        await daemon.alert(alert(f"A{number}", service=str(number)))
    answer, made = await daemon.post("/api/v1/audit/exports", {"format": form}, "admin")
    assert (answer.status, made["first"], made["last"], made["state"]) == (201, 1, 3, "ready")
    await daemon.post("/api/v1/incidents/1/acknowledge", {})
    assert (await daemon.get(answer.headers["Location"], "admin"))[1] == made
    answer, bundle = await daemon.get(made["url"], "admin")
    assert answer.headers["Content-Disposition"].endswith(f'.{form}"')
    found = judged(bundle)
    assert isinstance(found, Verified)
    assert found.last == 3, "what happened since is not in it, however late it is fetched"
    assert (await daemon.get(made["url"], "read"))[0].status == 403
    assert (await daemon.get("/api/v1/audit/exports/99", "admin"))[0].status == 404
    for wrong in ({"format": "pdf"}, {"to": 0}, {"from": 0}, {"to": "soon"}):
        assert (await daemon.post("/api/v1/audit/exports", wrong, "admin"))[0].status == 422


async def test_a_download_that_breaks_off_is_no_bundle(daemon: Daemon) -> None:
    await daemon.alert(alert())
    _, made = await daemon.post("/api/v1/audit/exports", {}, "admin")
    daemon.desk.downloads = 2
    assert (await daemon.get(made["url"], "admin"))[0].status == 503
    daemon.desk.downloads = 0
    assert isinstance(judged((await daemon.get(made["url"], "admin"))[1]), Verified)


async def test_the_public_keys_are_told(daemon: Daemon) -> None:
    await daemon.store.write(lambda tx: workflow.introduce(tx, KEY, daemon.clock.now()))
    _, listed = await daemon.get("/api/v1/audit/keys", "admin")
    pages.KeyList.model_validate(listed)
    assert [(k["id"], k["public_key"]) for k in listed["items"]] == [(KEY.public.id, KEY.public.pem)]


async def test_no_token_and_no_secret_comes_into_the_log(daemon: Daemon) -> None:
    token = await daemon.new_token("ci", ["respond"])
    await daemon.post("/api/v1/incidents", {"title": "Odd", "severity": "info"}, token)
    _, made = await daemon.post("/api/v1/audit/exports", {}, "admin")
    bundle: bytes = (await daemon.get(made["url"], "admin"))[1]
    canaries: list[Any] = [token, SECRET, PAGER, "xoxb-fake", "R" * 32]
    assert [c for c in canaries if c.encode() in bundle] == []
    assert verify(io.BytesIO(bundle)).count == 1
