"""Passwords: changed with the present one, and guessed only so often, without locking anybody out."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from argon2 import PasswordHasher

from incidentd.clock import FixedClock, SystemClock
from incidentd.store import audit as audit_store
from incidentd.web.throttle import Guesses, Rates
from incidentd.workflows import accounts
from incidentd.workflows.passwords import Passwords
from tests.web.conftest import Daemon, Start
from tests.web.people import BETTER, GOOD, Browser, account, browser
from tests.web.test_sign_in import alice

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


class Counting(PasswordHasher):
    """Counts what takes time: hashes, and hashes that are checked."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.done: list[str] = []

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        self.done.append("hash")
        return super().hash(password, salt=salt)

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - argon2's name for it
        self.done.append("verify")
        return super().verify(hash, password)


async def test_what_is_wrong_is_not_told_and_costs_as_much_whoever_it_is(
    daemon: Daemon, alice: Browser
) -> None:
    await account(daemon, "gone")
    now = daemon.clock.now()
    await daemon.store.write(lambda tx: accounts.disable(tx, "gone", "root", now))
    hasher = Counting()
    daemon.desk.passwords = Passwords(hasher)
    tried = (("alice", "x"), ("nobody-of-this-name", "x"), ("gone", GOOD), ("n" * 80, "x"), ("alice", ""))
    answers, end = [], await daemon.store.read(audit_store.head)
    for name, password in tried:
        answers.append(await alice.sign_in(name=name, password=password))
    assert {each.status for each in answers} == {401}
    assert len({each.text for each in answers}) == 1
    assert hasher.done == ["hash", *["verify"] * 5], (
        "the first is what strangers are compared with, made once"
    )
    assert await daemon.store.read(audit_store.head) == end, "nor does the database do more for who is known"
    names = [each.name for each in daemon.context.metrics.refusals.take(minute=True).singles]
    assert names == ["alice", "", "gone", "", "alice"], "what is no account may be a password"
    assert daemon.sample("security_events_total", event_type="auth_fail", severity="warning") == 5


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
