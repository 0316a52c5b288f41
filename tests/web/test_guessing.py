"""Passwords: changed with the present one, and guessed only so often, without locking anybody out."""

from __future__ import annotations

from datetime import timedelta

from incidentd.clock import FixedClock, SystemClock
from incidentd.web.throttle import Guesses, Rates
from tests.web.conftest import Daemon, Start
from tests.web.people import BETTER, GOOD, Browser, account, browser
from tests.web.test_sign_in import actions, alice

__all__ = ["alice"]


async def test_changing_the_password_takes_the_present_one(daemon: Daemon, alice: Browser) -> None:
    await alice.sign_in()
    csrf = (await alice.open("/login")).csrf
    for old, new, status in (("wrong", BETTER, 401), (GOOD, "short", 422), (GOOD, BETTER, 200)):
        shown = await alice.submit("/login/password", {"csrf": csrf, "old": old, "new": new})
        assert shown.status == status
    assert (await alice.api("GET", "/api/v1/incidents")).status == 200
    async with browser(daemon.url) as other:
        assert (await other.sign_in()).status == 401
        assert (await other.sign_in(password=BETTER)).status == 303


async def test_what_is_wrong_is_not_told_and_takes_as_long(daemon: Daemon, alice: Browser) -> None:
    wrong, unknown = await alice.sign_in(password="x"), await alice.sign_in(name="nobody-of-this-name")
    assert (wrong.status, unknown.status) == (401, 401)
    assert wrong.text == unknown.text
    assert "nobody-of-this-name" not in unknown.text
    assert await actions(daemon) == ["account.created", "session.refused"]
    assert daemon.sample("security_events_total", event_type="auth_fail", severity="warning") == 2


async def test_empty_and_endless_passwords_are_wrong(alice: Browser) -> None:
    assert (await alice.sign_in(password="")).status == 401
    assert (await alice.sign_in(password=GOOD + "x" * 300)).status == 401
    assert (await alice.sign_in(password="x" * 9000)).status == 413


def test_an_endless_name_takes_no_more_memory_than_a_name() -> None:
    guesses = Guesses(SystemClock())
    guesses.tried("x" * 8000, "10.0.0.0/24")
    assert max(len(account) for account, _ in guesses._failures) == 64


async def test_made_up_cookies_keep_nobody_out_but_who_makes_them_up(start: Start) -> None:
    async with start(server={"trusted_proxies": ["127.0.0.1"]}) as daemon:
        await account(daemon)
        async with browser(daemon.url) as guesser, browser(daemon.url) as alice:
            await alice.submit("/login", {"name": "alice", "password": GOOD}, **_from(7))
            daemon.desk.auth.sessions._strangers = Rates(FixedClock(daemon.clock.now()), lambda: 1)
            statuses = set()
            for number in range(11):
                guesser.cookies["incidentd"] = f"made-up-{number}"
                statuses.add((await guesser.api("GET", "/api/v1/session", **_from(66))).status)
            assert statuses == {401, 503}
            assert (await alice.api("GET", "/api/v1/session", **_from(7))).status == 200
            daemon.desk.auth.sessions.forget()
            assert (await alice.api("GET", "/api/v1/session", **_from(66))).status == 200, "she was known"


async def test_guessing_waits_longer_and_longer_and_locks_nobody_out(start: Start) -> None:
    async with start(server={"trusted_proxies": ["127.0.0.1"]}) as daemon:
        await account(daemon)
        async with browser(daemon.url) as guesser, browser(daemon.url) as alice:
            for _ in range(5):
                assert (
                    await guesser.submit("/login", {"name": "alice", "password": "x"}, **_from(66))
                ).status == 401
            assert (
                await guesser.submit("/login", {"name": "alice", "password": GOOD}, **_from(66))
            ).status == 429
            assert (
                await alice.submit("/login", {"name": "alice", "password": GOOD}, **_from(7))
            ).status == 303
            daemon.clock.ahead += timedelta(seconds=61)
            assert (
                await guesser.submit("/login", {"name": "alice", "password": "x"}, **_from(66))
            ).status == 401
            daemon.clock.ahead += timedelta(seconds=61)
            late = await guesser.submit("/login", {"name": "alice", "password": GOOD}, **_from(66))
            assert late.status == 429
            assert daemon.sample("rate_limit_hits_total", endpoint="/login") == 2


async def test_a_network_guesses_twenty_times_for_all_accounts(start: Start) -> None:
    async with start(server={"trusted_proxies": ["127.0.0.1"]}) as daemon:
        for number in range(21):
            await account(
                daemon, f"user{number}"
            )  # whose hashes are cheap: this would take seconds otherwise
        async with browser(daemon.url) as guesser:
            tries = [
                (await guesser.submit("/login", {"name": f"user{i}", "password": "x"}, **_from(66))).status
                for i in range(21)
            ]
    assert tries == [401] * 20 + [429]


def _from(last: int) -> dict[str, str]:
    return {"X-Forwarded-For": f"203.0.113.{last}"}
