"""Accounts, sessions and rotated tokens, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from incidentd.store import accounts, sessions, tokens
from incidentd.store.accounts import Account
from incidentd.store.engine import Store
from incidentd.store.sessions import LOCAL, Session
from incidentd.workflows.tokens import new_token

NOW = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
ALICE = Account("alice", "hash", "viewer", ("pay",), NOW, NOW)


def session(digest: str, actor: str = "alice", provider: str = LOCAL, at: datetime = NOW) -> Session:
    return Session(digest * 64, actor, provider, "viewer", None, at, at)


async def test_an_account_is_kept_as_it_was_made_and_changed(store: Store) -> None:
    assert not await store.read(accounts.any_account)
    assert await store.write(lambda tx: accounts.add(tx, ALICE))
    assert not await store.write(lambda tx: accounts.add(tx, ALICE))
    assert await store.read(accounts.every) == [ALICE]
    later = NOW + timedelta(hours=1)
    await store.write(lambda tx: accounts.set_role(tx, "alice", "admin", None))
    await store.write(lambda tx: accounts.set_password(tx, "alice", "other", later))
    await store.write(lambda tx: accounts.set_disabled(tx, "alice", later))
    await store.write(lambda tx: accounts.set_hash(tx, "alice", "stale", "never"))
    await store.write(lambda tx: accounts.signed_in(tx, "alice", later))
    changed = Account("alice", "other", "admin", None, NOW, later, later, later)
    assert await store.read(lambda tx: accounts.get(tx, "alice")) == changed
    assert not await store.write(lambda tx: accounts.set_disabled(tx, "nobody", None))


async def test_sessions_are_revoked_one_by_one_by_number_and_all_together(store: Store) -> None:
    made = [session(c) for c in "abc"] + [session("d", "bob"), session("e", "alice", "https://id.example")]
    for each in made:
        await store.write(lambda tx, each=each: sessions.add(tx, each))  # type: ignore[misc]
    assert await store.read(lambda tx: sessions.get(tx, "a" * 64)) == made[0]
    assert await store.write(lambda tx: sessions.revoke(tx, "a" * 64, NOW))
    assert not await store.write(lambda tx: sessions.revoke(tx, "a" * 64, NOW))
    assert await store.read(lambda tx: sessions.get(tx, "a" * 64)) is None
    assert await store.write(lambda tx: sessions.revoke_numbered(tx, "b" * 16, NOW)) == ["alice"]
    assert await store.write(lambda tx: sessions.revoke_numbered(tx, "%", NOW)) == []
    assert await store.write(lambda tx: sessions.revoke_all(tx, "alice", NOW, LOCAL)) == 1
    assert [each.actor for each in await store.read(lambda tx: sessions.every(tx, 10))] == ["bob", "alice"]


async def test_sessions_that_nobody_uses_are_forgotten(store: Store) -> None:
    for digest, days in (("a", 40), ("b", 40), ("c", 1)):
        at = NOW - timedelta(days=days)
        await store.write(lambda tx, d=digest, at=at: sessions.add(tx, session(d, at=at)))  # type: ignore[misc]
    await store.write(lambda tx: sessions.seen(tx, [("b" * 64, NOW)]))
    assert await store.write(lambda tx: sessions.delete_old(tx, NOW - timedelta(days=30), 10)) == 1
    assert await store.write(lambda tx: sessions.delete_old(tx, NOW - timedelta(days=30), 10)) == 0
    assert len(await store.read(lambda tx: sessions.every(tx, 10))) == 2


async def test_a_rotated_token_knows_the_one_before_it(store: Store) -> None:
    _, made = new_token("am", ["read"], None, None, NOW, ("pay",))
    await store.write(lambda tx: tokens.add(tx, made))
    until = NOW + timedelta(hours=1)
    assert await store.write(lambda tx: tokens.rotate(tx, "am", "f" * 64, until, NOW)) == made
    (kept,) = await store.read(tokens.all_tokens)
    assert (kept.hash, kept.previous_hash, kept.previous_until) == ("f" * 64, made.hash, until)
    assert kept.teams == ("pay",)
    await store.write(lambda tx: tokens.revoke(tx, "am", NOW))
    assert await store.write(lambda tx: tokens.rotate(tx, "am", "e" * 64, until, NOW)) is None
