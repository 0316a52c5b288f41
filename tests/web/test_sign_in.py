"""People sign in with a password: sessions, what guards them against other sites, and against guessing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import orjson
import pytest

from incidentd.store import audit as audit_store
from incidentd.store import sessions
from incidentd.workflows import accounts as workflow
from tests.web.conftest import Daemon, Start
from tests.web.people import GOOD, Browser, account, browser

INCIDENT = {"title": "x", "severity": "info"}


@pytest.fixture
async def alice(daemon: Daemon) -> AsyncIterator[Browser]:
    """Alice's browser; she has an account and is not signed in."""
    await account(daemon)
    async with browser(daemon.url) as opened:
        yield opened


async def declare(alice: Browser, **headers: str) -> int:
    return (await alice.api("POST", "/api/v1/incidents", INCIDENT, **headers)).status


async def proof(alice: Browser) -> str:
    token: str = orjson.loads((await alice.api("GET", "/api/v1/session")).text)["csrf_token"]
    return token


async def actions(daemon: Daemon) -> list[str]:
    """What the audit log says happened."""
    found = await daemon.store.read(lambda tx: audit_store.after(tx, 0, 100))
    return [orjson.loads(sealed.entry)["action"] for sealed in found]


async def test_who_follows_a_link_signs_in_and_gets_there(daemon: Daemon, alice: Browser) -> None:
    turned = await alice.open("/runbooks/some?x=1")
    assert turned.status == 303
    page = await alice.follow(turned)
    assert 'name="next" value="/runbooks/some?x=1"' in page.text
    done = await alice.sign_in(next="/runbooks/some?x=1")
    assert (done.status, done.headers["Location"]) == (303, "runbooks/some?x=1")
    assert (await alice.follow(done)).status == 404  # there is no such runbook, but she may look
    assert (await alice.api("GET", "/api/v1/incidents")).status == 200
    assert "signed in as <strong>alice</strong> (responder)" in (await alice.open("/login")).text
    assert await actions(daemon) == ["account.created", "session.opened"]
    assert daemon.sample("auth_attempts_total", type="password", status="ok") == 1


async def test_programs_are_never_sent_elsewhere(daemon: Daemon, alice: Browser) -> None:
    for headers in ({}, {"Accept": "text/html"}, {"Sec-Fetch-Mode": "cors"}):
        answer, _ = await daemon.call("GET", "/api/v1/incidents", headers=headers)
        assert answer.status == 401
    answer, _ = await daemon.call("POST", "/webhooks/alertmanager", headers={"Sec-Fetch-Mode": "navigate"})
    assert answer.status == 401


async def test_the_cookie_is_out_of_reach_of_scripts_and_of_the_database(
    daemon: Daemon, alice: Browser
) -> None:
    await alice.sign_in()
    (cookie,) = alice.set_cookies
    assert cookie.endswith("; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax")
    secret = alice.cookies["incidentd"]
    (row,) = await daemon.store.read(lambda tx: sessions.every(tx, 10))
    assert secret not in repr(row)
    assert row.hash == workflow.session_hash(secret)


async def test_over_https_the_cookie_is_bound_to_this_host(start: Start) -> None:
    async with start(server={"public_url": "https://incidents.example.com"}) as daemon:
        await account(daemon)
        async with browser(daemon.url) as alice:
            done = await alice.sign_in()
            assert done.status == 303
            assert alice.set_cookies[0].startswith("__Host-incidentd=")
            assert alice.set_cookies[0].endswith("; Secure")
            assert (await alice.api("GET", "/api/v1/incidents")).status == 200


async def test_signing_in_again_gives_another_secret_and_ends_the_first(
    daemon: Daemon, alice: Browser
) -> None:
    await alice.sign_in()
    first = alice.cookies["incidentd"]
    await alice.sign_in()
    assert alice.cookies["incidentd"] != first
    alice.cookies["incidentd"] = first
    assert (await alice.api("GET", "/api/v1/incidents")).status == 401


async def test_a_made_up_cookie_is_worth_nothing(alice: Browser) -> None:
    for made_up in ("x", "A" * 43, "A" * 5000):
        alice.cookies["incidentd"] = made_up
        assert (await alice.api("GET", "/api/v1/incidents")).status == 401


async def test_acting_takes_the_proof_that_pages_of_ours_get(alice: Browser) -> None:
    await alice.sign_in()
    token = await proof(alice)
    assert await declare(alice) == 403
    assert await declare(alice, **{"X-CSRF-Token": "0" * 64}) == 403
    assert await declare(alice, **{"X-CSRF-Token": token, "Sec-Fetch-Site": "cross-site"}) == 403
    assert await declare(alice, **{"X-CSRF-Token": token, "Sec-Fetch-Site": "same-site"}) == 403
    assert await declare(alice, **{"X-CSRF-Token": token}) == 201


async def test_who_acts_is_who_signed_in(daemon: Daemon, alice: Browser) -> None:
    await alice.sign_in()
    headers = {"X-CSRF-Token": await proof(alice)}
    made = orjson.loads((await alice.api("POST", "/api/v1/incidents", INCIDENT, **headers)).text)
    done = await alice.api("POST", f"/api/v1/incidents/{made['id']}/acknowledge", {}, **headers)
    assert orjson.loads(done.text)["acknowledged_by"] == "alice"


async def test_a_token_counts_before_the_cookie_and_needs_no_proof(daemon: Daemon, alice: Browser) -> None:
    await alice.sign_in()
    bearer = {"Authorization": "Bearer token-with-the-scope-respond"}
    assert await declare(alice, **bearer) == 201
    assert await declare(alice, Authorization="Bearer wrong-wrong-wrong-wrong") == 401


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Host": "evil.example"}],
    ids=str,
)
async def test_no_other_site_signs_anybody_in_or_out(
    daemon: Daemon, alice: Browser, headers: dict[str, str]
) -> None:
    forged = await alice.submit("/login", {"name": "alice", "password": GOOD}, **headers)
    assert (forged.status, alice.cookies) == (403, {})
    await alice.sign_in()
    csrf = (await alice.open("/login")).csrf
    out = await alice.submit("/logout", {"csrf": csrf}, **headers)
    assert out.status in {303, 403}
    assert len(await daemon.store.read(lambda tx: sessions.every(tx, 10))) == 1
    assert daemon.sample("security_events_total", event_type="csrf", severity="warning") >= 1


async def test_an_origin_tells_where_browsers_say_nothing_else(alice: Browser) -> None:
    for origin in ("https://evil.example", "null"):
        async with alice.session.post(
            f"{alice.base}/login", data={"name": "alice", "password": GOOD}, headers={"Origin": origin}
        ) as answer:
            assert answer.status == 403


async def test_a_name_that_was_rebound_to_us_gets_no_session(alice: Browser) -> None:
    await alice.sign_in()
    answer = await alice.api("GET", "/api/v1/incidents", Host="evil.example")
    assert answer.status == 421
    assert (await alice.api("GET", "/api/v1/incidents", Host="localhost:1")).status == 200


async def test_signing_out_ends_the_session_and_needs_the_form(daemon: Daemon, alice: Browser) -> None:
    await alice.sign_in()
    csrf, kept = (await alice.open("/login")).csrf, dict(alice.cookies)
    assert (await alice.submit("/logout", {"csrf": "0" * 64})).status == 403
    assert (await alice.open("/logout")).status == 405
    done = await alice.submit("/logout", {"csrf": csrf})
    assert (done.status, alice.cookies) == (303, {})
    alice.cookies.update(kept)
    assert (await alice.api("GET", "/api/v1/incidents")).status == 401
    assert (await actions(daemon))[-1] == "session.closed"


async def test_everywhere_ends_all_of_her_sessions(daemon: Daemon, alice: Browser) -> None:
    await alice.sign_in()
    async with browser(daemon.url) as phone:
        await phone.sign_in()
        csrf = (await alice.open("/login")).csrf
        await alice.submit("/logout", {"csrf": csrf, "everywhere": "yes"})
        assert (await phone.api("GET", "/api/v1/incidents")).status == 401


async def test_an_idle_session_and_an_old_one_end(daemon: Daemon, alice: Browser) -> None:
    await alice.sign_in()
    daemon.clock.ahead += timedelta(hours=11)
    assert (await alice.api("GET", "/api/v1/incidents")).status == 200
    daemon.clock.ahead += timedelta(hours=13)
    assert (await alice.api("GET", "/api/v1/incidents")).status == 401
    await alice.sign_in()
    for _ in range(15):
        daemon.clock.ahead += timedelta(hours=11)
        assert (await alice.api("GET", "/api/v1/incidents")).status == 200
    daemon.clock.ahead += timedelta(hours=11)
    assert (await alice.api("GET", "/api/v1/incidents")).status == 401


async def test_a_session_outlives_a_restart_but_not_the_account(daemon: Daemon, alice: Browser) -> None:
    await alice.sign_in()
    daemon.desk.auth.sessions.forget()  # what another replica, or the next start, knows
    assert (await alice.api("GET", "/api/v1/incidents")).status == 200
    now = daemon.clock.now()
    await daemon.store.write(lambda tx: workflow.disable(tx, "alice", "root", now))
    daemon.clock.ahead += timedelta(seconds=5)
    assert (await alice.api("GET", "/api/v1/incidents")).status == 401
    assert (await alice.sign_in()).status == 401


async def test_a_new_role_and_a_new_password_end_sessions(daemon: Daemon, alice: Browser) -> None:
    for change in (
        lambda tx: workflow.change_role(tx, "alice", "viewer", None, "root", daemon.clock.now()),
        lambda tx: workflow.change_password(tx, "alice", "x", "root", daemon.clock.now()),
    ):
        assert (await alice.sign_in()).status == 303
        await daemon.store.write(change)
        daemon.clock.ahead += timedelta(seconds=5)
        assert (await alice.api("GET", "/api/v1/incidents")).status == 401


async def test_a_database_that_is_away_signs_nobody_out(daemon: Daemon, alice: Browser) -> None:
    await alice.sign_in()
    daemon.clock.ahead += timedelta(seconds=6)
    daemon.store.reads_fail = True
    assert (await alice.api("GET", "/api/v1/session")).status == 200
    daemon.desk.auth.sessions.forget()
    assert (await alice.api("GET", "/api/v1/session")).status == 503


@pytest.mark.parametrize(
    "place",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/a\r\nX: y",
        "/../x",
        "/https://evil.example/x",
        "/https:/evil.example",
        "/https:evil.example",
        "/javascript:alert(1)",
        "/data:text,x",
        "/a//evil.example",
    ],
)
async def test_nobody_is_sent_to_another_site(alice: Browser, place: str) -> None:
    done = await alice.sign_in(next=place)
    assert (done.status, done.headers["Location"]) == (303, "login")
    assert "evil" not in (await alice.open(f"/login?next={place!r}")).text


async def test_an_admin_sees_who_is_signed_in_and_ends_it(daemon: Daemon, alice: Browser) -> None:
    await alice.sign_in()
    _, listed = await daemon.get("/api/v1/sessions", "admin")
    (one,) = listed["items"]
    assert (one["actor"], one["role"], one["provider"], one["teams"]) == ("alice", "responder", "local", None)
    assert (await daemon.get("/api/v1/sessions", "respond"))[0].status == 403
    answer, _ = await daemon.call("DELETE", f"/api/v1/sessions/{one['id']}", token="admin")
    assert answer.status == 200
    assert (await alice.api("GET", "/api/v1/incidents")).status == 401
    assert (await daemon.call("DELETE", f"/api/v1/sessions/{one['id']}", token="admin"))[0].status == 404
    assert (await daemon.call("DELETE", "/api/v1/sessions/%25", token="admin"))[0].status == 404


async def test_the_first_account_ends_token_free_mode_even_when_it_is_disabled(start: Start) -> None:
    async with start(tokens=False) as daemon:
        assert (await daemon.get("/api/v1/incidents", None))[0].status == 200
        assert "Nobody can sign in here yet" in (await daemon.get("/login", None))[1].decode()
        await account(daemon)
        await daemon.store.write(lambda tx: workflow.disable(tx, "alice", "root", daemon.clock.now()))
        assert (await daemon.get("/api/v1/incidents", None))[0].status == 401


async def test_forms_are_read_strictly(alice: Browser) -> None:
    async def sent(data: bytes, kind: str = "application/x-www-form-urlencoded") -> int:
        async with alice.session.post(
            f"{alice.base}/login", data=data, headers={"Content-Type": kind}
        ) as answer:
            return answer.status

    assert await sent(b'{"name": "alice"}', "application/json") == 415
    assert await sent(b"name=alice&name=bob&password=x") == 400
    assert await sent(b"name=%ff&password=x") == 400
    assert await sent(b"&".join(b"a%d=1" % i for i in range(20))) == 400
