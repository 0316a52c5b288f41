"""Acknowledging from a mail: looking changes nothing, pressing the button does it once, other tokens do nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
import structlog

from incidentd.domain.ack_link import AckLinks
from incidentd.store import schema
from incidentd.store.engine import Tx
from incidentd.web.middleware import loggable
from incidentd.workflows.secrets import ack_secret
from tests.web.conftest import Daemon, Start, alert

BOB, ALICE = "bob@example.com", "Alice@Example.com"
POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"


@pytest.fixture
async def daemon(start: Start) -> AsyncIterator[Daemon]:
    """A server whose alerts opened INC-1; Alice is a user, Bob only has a mailbox."""
    async with start(users={"alice": {"name": "Alice", "email": "alice@example.com"}}) as daemon:
        secret = await daemon.store.write(lambda tx: ack_secret(tx, daemon.clock.now()))
        daemon.context.ack_links = AckLinks(secret, daemon.url)
        await daemon.alert(alert("Checkout errors <b>", service="checkout"))
        yield daemon


def path(
    daemon: Daemon, recipient: str = BOB, incident: int = 1, episode: int = 1, delivery: str = "a-1"
) -> str:
    """The path of a link as a mail has it."""
    links = daemon.context.ack_links
    assert links is not None
    return links.url(incident, episode, recipient, daemon.clock.now(), delivery).removeprefix(daemon.url)


async def snapshot(daemon: Daemon) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""

    def read(tx: Tx) -> dict[str, list[tuple[Any, ...]]]:
        return {
            table.name: sorted((tuple(row) for row in tx.conn.execute(sa.select(table))), key=repr)
            for table in schema.metadata.sorted_tables
        }

    return await daemon.store.read(read)


async def press(daemon: Daemon, where: str, **rest: Any) -> tuple[int, str]:
    answer, page = await daemon.call("POST", where, **rest)
    return answer.status, page.decode()


async def see(daemon: Daemon, where: str) -> tuple[int, str]:
    answer, page = await daemon.get(where, None)
    return answer.status, page.decode()


async def incident(daemon: Daemon) -> dict[str, Any]:
    return dict((await daemon.get("/api/v1/incidents/1"))[1])


async def test_a_scanner_that_looks_fifty_times_changes_nothing(daemon: Daemon) -> None:
    before, where = await snapshot(daemon), path(daemon)
    writes = daemon.store.writes
    for _ in range(50):
        answer, page = await daemon.get(where, None)
        assert (answer.status, answer.content_type) == (200, "text/html")
        head, nothing = await daemon.call("HEAD", where)
        assert (head.status, nothing) == (200, b"")
        assert b"<script" not in page
    assert await snapshot(daemon) == before
    assert (daemon.store.writes, daemon.changes[1:]) == (writes, [])


async def test_the_page_shows_what_it_is_about_and_who_will_be_recorded(daemon: Daemon) -> None:
    answer, raw = await daemon.get(path(daemon), None)
    page = raw.decode()
    assert "INC-1 &middot; triggered" in page
    assert "Checkout errors &lt;b&gt; is down" in page
    assert '<span class="badge">critical</span>' in page
    assert "You will be recorded as <strong>bob@example.com via e-mail link</strong>." in page
    assert '<form method="post"><button type="submit">Acknowledge INC-1</button></form>' in page
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


async def test_pressing_the_button_acknowledges_and_pressing_again_changes_nothing(daemon: Daemon) -> None:
    where = path(daemon)
    status, page = await press(daemon, where, data=b"")
    assert (status, "<h1>Acknowledged</h1>" in page, "<form" in page) == (200, True, False)
    assert (await incident(daemon))["acknowledged_by"] == "bob@example.com via e-mail link"
    assert len(daemon.changes) == 2
    before = await snapshot(daemon)
    for status, page in (await press(daemon, where), await see(daemon, where)):
        assert status == 200
        assert "<h1>Already acknowledged</h1>" in page
        assert "Acknowledged by bob@example.com via e-mail link at 20" in page
        assert "<form" not in page
    assert await snapshot(daemon) == before


async def test_a_user_with_this_mail_address_is_recorded_by_name(daemon: Daemon) -> None:
    await press(daemon, path(daemon, ALICE))
    assert (await incident(daemon))["acknowledged_by"] == "alice via e-mail link"
    _, told = await daemon.get("/api/v1/incidents/1/timeline")
    assert told["items"][-1]["actor"] == "alice via e-mail link"


async def test_who_comes_second_is_told_who_was_first(daemon: Daemon) -> None:
    await daemon.post("/api/v1/incidents/1/acknowledge")
    for status, page in (await press(daemon, path(daemon)), await see(daemon, path(daemon))):
        assert status == 200
        assert "Acknowledged by responder at" in page
    assert (await incident(daemon))["acknowledged_by"] == "responder"


async def test_a_resolved_incident_says_so_and_stays_resolved(daemon: Daemon) -> None:
    await daemon.alert(alert("Checkout errors <b>", "resolved", service="checkout"))
    for status, page in (await press(daemon, path(daemon)), await see(daemon, path(daemon))):
        assert status == 200
        assert "<h1>Already resolved</h1>" in page
        assert "Resolved at 20" in page
    assert (await incident(daemon))["state"] == "resolved"


async def test_a_link_works_once_even_when_the_acknowledgement_was_taken_back(daemon: Daemon) -> None:
    where = path(daemon)
    await press(daemon, where)
    await daemon.post("/api/v1/incidents/1/unacknowledge")
    for status, page in (await press(daemon, where), await see(daemon, where)):
        assert (status, "This link has been used" in page) == (410, True)
        assert "incidentctl ack INC-1" in page
    assert (await incident(daemon))["state"] == "triggered"
    assert (await press(daemon, path(daemon, delivery="a-2")))[0] == 200
    assert (await incident(daemon))["state"] == "acknowledged"


async def test_a_link_of_an_earlier_episode_does_not_acknowledge_the_next_one(daemon: Daemon) -> None:
    where = path(daemon)
    await daemon.post("/api/v1/incidents/1/resolve", {"force": True})
    await daemon.post("/api/v1/incidents/1/reopen")
    status, page = await press(daemon, where)
    assert (status, "has been reopened since this mail" in page) == (410, True)
    assert (await press(daemon, path(daemon, episode=2)))[0] == 200
    assert (await incident(daemon))["state"] == "acknowledged"


async def test_an_expired_link_names_the_command_and_shows_nothing_of_the_incident(daemon: Daemon) -> None:
    where = path(daemon)
    daemon.clock.ahead += timedelta(hours=24)
    for status, page in (await press(daemon, where), await see(daemon, where)):
        assert (status, "This link has expired" in page) == (410, True)
        assert "incidentctl ack INC-1" in page
        assert "Checkout" not in page
    assert (await incident(daemon))["state"] == "triggered"


async def test_a_forged_token_and_an_incident_that_is_gone_are_404(daemon: Daemon) -> None:
    before = await snapshot(daemon)
    for where in (path(daemon)[:-1], path(daemon) + "A", "/ack/x", "/ack/%00", "/ack/" + "A" * 5000):
        for status, page in (await press(daemon, where), await see(daemon, where)):
            assert (status, "This link is not valid" in page) == (404, True)
            assert "incidentctl ack ID" in page
    assert daemon.sample("security_events_total", event_type="sig_fail", severity="warning") == 10
    for status, page in (
        await press(daemon, path(daemon, incident=99)),
        await see(daemon, path(daemon, incident=99)),
    ):
        assert (status, "INC-99 is not known here any more" in page) == (404, True)
    assert await snapshot(daemon) == before


async def test_without_a_key_every_token_is_refused(daemon: Daemon) -> None:
    where = path(daemon)
    daemon.context.ack_links = None
    assert (await press(daemon, where))[0] == 404


async def test_a_token_is_the_only_credential_wherever_the_press_comes_from(daemon: Daemon) -> None:
    foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert (await press(daemon, "/ack/guess", headers=foreign))[0] == 404
    assert (await incident(daemon))["state"] == "triggered"
    assert (await press(daemon, path(daemon), headers=foreign))[0] == 200
    assert (await incident(daemon))["state"] == "acknowledged"


async def test_a_token_opens_nothing_else(daemon: Daemon) -> None:
    token = path(daemon).removeprefix("/ack/")
    assert (await daemon.post("/api/v1/incidents/1/acknowledge", None, token))[0].status == 401
    assert (await daemon.get("/api/v1/incidents", token))[0].status == 401


async def test_a_large_body_is_refused_before_anything_happens(daemon: Daemon) -> None:
    answer, _ = await daemon.call("POST", path(daemon), data=b"x" * 5000)
    assert answer.status == 413
    assert (await incident(daemon))["state"] == "triggered"


async def test_while_the_database_is_away_the_page_says_try_again(daemon: Daemon) -> None:
    daemon.store.reads_fail = daemon.store.writes_fail = True
    for method in ("GET", "POST"):
        answer, page = await daemon.call(method, path(daemon))
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        assert b"incidentctl ack INC-1" in page
    daemon.store.reads_fail = daemon.store.writes_fail = False
    assert (await incident(daemon))["state"] == "triggered"


async def test_the_token_is_in_no_log_and_no_metric(daemon: Daemon) -> None:
    where = path(daemon)
    token = where.removeprefix("/ack/")
    with structlog.testing.capture_logs() as lines:
        await press(daemon, where)
        await see(daemon, where)
        for method, wrong in (("GET", f"{where}/"), ("PUT", where), ("GET", f"/prefix{where}")):
            answer, _ = await daemon.call(method, wrong)
            assert answer.status in {404, 405}
    assert {line.get("path") for line in lines} >= {"/ack/{token}"}
    metrics = (await daemon.get("/metrics"))[1].decode()
    assert token[:20] not in str(lines) + metrics
    assert BOB not in str(lines) + metrics
    assert 'route="/ack/{token}"' in metrics


def test_a_mistyped_link_is_logged_without_its_token() -> None:
    assert loggable("/ack/secret/") == "/ack/***"
    assert loggable("/prefix/ack/secret") == "/prefix/ack/***"
    assert loggable("/api/v1/nothing") == "/api/v1/nothing"


async def test_all_replicas_share_one_key_that_is_made_once(daemon: Daemon) -> None:
    first = await daemon.store.write(lambda tx: ack_secret(tx, daemon.clock.now()))
    assert len(first) == 32
    assert await daemon.store.write(lambda tx: ack_secret(tx, daemon.clock.now())) == first


async def test_the_style_sheet_is_served_to_anybody(daemon: Daemon) -> None:
    answer, style = await daemon.get("/ack.css", None)
    assert (answer.status, answer.content_type) == (200, "text/css")
    assert b"prefers-color-scheme: dark" in style
