"""People sign in at an identity provider that judges by the rules, and nothing it says is believed without proof."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

from incidentd.web.oidc_door import Departure
from tests.fakes.identity import CLIENT, SECRET, IdentityFake
from tests.web.conftest import Daemon, config_of, running
from tests.web.people import Browser, Shown, browser

ALICE = {"sub": "u-1", "email": "alice@example.com", "email_verified": True, "groups": ["oncall"]}


@dataclass
class World:
    """A daemon, a provider, and Alice's browser."""

    daemon: Daemon
    idp: IdentityFake
    alice: Browser

    async def round_trip(self, next_: str = "/login") -> Shown:
        """Press the button, sign in over there, come back."""
        left = await self.alice.open(f"/login/oidc?next={next_}")
        assert left.status == 303, left.text
        async with self.alice.session.get(left.headers["Location"], allow_redirects=False) as there:
            back = urlsplit(there.headers["Location"])
        return await self.alice.open(f"/login/callback?{back.query}", **{"Sec-Fetch-Site": "cross-site"})

    async def whoami(self) -> Any:
        return orjson.loads((await self.alice.api("GET", "/api/v1/session")).text)


@asynccontextmanager
async def world(tmp_path: Path, **oidc: Any) -> AsyncIterator[World]:
    async with IdentityFake("http://127.0.0.1:8650/login/callback") as idp:
        given = {
            "issuer": idp.url,
            "client_id": CLIENT,
            "client_secret": SECRET,
            "roles": {"responder": ["oncall"], "admin": ["sre"]},
            **oidc,
        }
        config = config_of(tmp_path, users={"alice": {"name": "Alice", "email": "Alice@example.com"}})
        teams = {"pay": {"matchers": ['team="pay"'], "groups": ["payments"]}}
        auth = type(config.auth).model_validate({"tokens": config.auth.tokens, "oidc": given, "teams": teams})
        config = config.model_copy(update={"auth": auth})
        async with running(config) as daemon, browser(daemon.url) as alice:
            idp.now, idp.claims = int(daemon.clock.now().timestamp()), dict(ALICE)
            yield World(daemon, idp, alice)
            assert idp.violations == []


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as opened:
        yield opened


async def test_who_signs_in_there_is_signed_in_here(here: World) -> None:
    assert 'href="login/oidc?next=/login"' in (await here.alice.open("/login")).text
    done = await here.round_trip("/runbooks/x")
    assert (done.status, done.headers["Location"]) == (303, "../runbooks/x")
    who = await here.whoami()
    assert (who["actor"], who["scopes"], who["restricted"]) == ("alice", ["read", "respond"], False)
    assert list(here.alice.cookies) == ["incidentd"]  # what was needed for the way there is gone
    assert here.daemon.sample("auth_attempts_total", type="oidc", status="ok") == 1


@pytest.mark.parametrize(
    ("claims", "actor", "scopes"),
    [
        ({"email": "bob@example.com", "groups": ["oncall", "sre"]}, "bob@example.com", ["admin"]),
        ({"email_verified": False}, "u-1", ["read", "respond"]),
        ({"email_verified": "true"}, "u-1", ["read", "respond"]),
        ({"email": None, "groups": "oncall"}, "u-1", ["read", "respond"]),
        ({"aud": [CLIENT, "other"], "azp": CLIENT}, "alice", ["read", "respond"]),
    ],
)
async def test_who_somebody_is_follows_from_the_claims(
    here: World, claims: dict[str, Any], actor: str, scopes: list[str]
) -> None:
    here.idp.claims |= claims
    assert (await here.round_trip()).status == 303
    who = await here.whoami()
    assert (who["actor"], who["scopes"]) == (actor, scopes)


@pytest.mark.parametrize("groups", [[], ["other"], None, 7, [7]])
async def test_who_is_in_no_group_has_no_role_here(here: World, groups: Any) -> None:
    here.idp.claims["groups"] = groups
    refused = await here.round_trip()
    assert (refused.status, here.alice.cookies) == (403, {})
    assert "have no role here" in refused.text


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "http://127.0.0.1:1"},
        {"iss": None},
        {"aud": "other"},
        {"aud": ["other", "another"]},
        {"aud": [CLIENT, "other"]},
        {"azp": "other"},
        {"aud": None},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": 1},
        {"exp": None},
        {"iat": 4_000_000_000},
        {"sub": None},
        {"email": "incidentd"},
        {"email": "a\u202eb"},
        {"email": "x" * 65},
        {"email": "source"},
    ],
    ids=str,
)
async def test_an_id_token_that_breaks_a_rule_lets_nobody_in(here: World, claims: dict[str, Any]) -> None:
    here.idp.claims |= claims
    refused = await here.round_trip()
    assert (refused.status, here.alice.cookies) == (401, {})
    assert here.daemon.sample("auth_attempts_total", type="oidc", status="failed") == 1


async def test_an_unsigned_token_and_one_of_another_key_are_refused(here: World) -> None:
    here.idp.forge = here.idp.unsigned(ALICE)
    assert (await here.round_trip()).status == 401
    async with IdentityFake() as other:
        other.now, other.url = here.idp.now, here.idp.url
        here.idp.forge = other.id_token(ALICE)
        assert (await here.round_trip()).status == 401
        here.idp.forge = "not.a.token"
        assert (await here.round_trip()).status == 401


@pytest.mark.parametrize("kind", ["RSA", "Ed25519"])
async def test_a_new_key_of_the_provider_is_fetched_but_not_for_every_forgery(here: World, kind: str) -> None:
    assert (await here.round_trip()).status == 303
    here.idp.rotate(kind)
    here.daemon.clock.ahead += timedelta(seconds=61)
    assert (await here.round_trip()).status == 303
    fetched, here.idp.forge = here.idp.keys_fetched, here.idp.unsigned(ALICE)
    for _ in range(3):
        assert (await here.round_trip()).status == 401
    assert here.idp.keys_fetched == fetched == 2


async def test_a_code_that_another_browser_brings_is_worth_nothing(here: World) -> None:
    left = await here.alice.open("/login/oidc")
    async with here.alice.session.get(left.headers["Location"], allow_redirects=False) as there:
        query = urlsplit(there.headers["Location"]).query
    async with browser(here.daemon.url) as victim:
        assert (await victim.open(f"/login/callback?{query}")).status == 401
        await victim.open("/login/oidc")
        assert (await victim.open(f"/login/callback?{query}")).status == 401
        assert victim.cookies == {}
    assert here.daemon.sample("security_events_total", event_type="csrf", severity="warning") == 2


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?error=access_denied&state={state}",
        "?code=x&state=",
        "?code=x&state={state}&iss=http://evil.example",
    ],
)
async def test_coming_back_with_anything_else_lets_nobody_in(here: World, query: str) -> None:
    await here.alice.open("/login/oidc")
    left = Departure.of(here.alice.cookies["incidentd-oidc"])
    assert left is not None
    refused = await here.alice.open("/login/callback" + query.format(state=left.state))
    assert (refused.status, here.alice.cookies) == (401, {})
    assert "evil" not in refused.text


@pytest.mark.parametrize(
    "described",
    [
        {"issuer": "http://evil.example"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": None},
    ],
    ids=str,
)
async def test_a_provider_that_is_not_what_it_should_be_is_not_asked(
    here: World, described: dict[str, Any]
) -> None:
    here.idp.described = described
    assert (await here.alice.open("/login/oidc")).status == 401


async def test_members_of_no_team_see_nothing_where_teams_count(tmp_path: Path) -> None:
    async with world(tmp_path, teams_only=True) as here:
        for team in ("pay", "search"):
            body = {"title": team, "severity": "info"}
            await here.daemon.post("/api/v1/incidents", body, "respond")
        assert (await here.round_trip()).status == 303
        assert (await here.whoami())["restricted"] is True
        assert orjson.loads((await here.alice.api("GET", "/api/v1/incidents")).text)["items"] == []


async def test_a_default_role_and_a_name_claim(tmp_path: Path) -> None:
    async with world(tmp_path, default_role="viewer", name_claim="preferred_username") as here:
        here.idp.claims |= {"groups": [], "preferred_username": "Alice A."}
        assert (await here.round_trip()).status == 303
        who = await here.whoami()
        assert (who["actor"], who["scopes"]) == ("Alice A.", ["read"])


async def test_sessions_end_with_the_provider(here: World) -> None:
    await here.round_trip()
    auth = here.daemon.context.config.auth.model_copy(update={"oidc": None})
    here.daemon.context.config = here.daemon.context.config.model_copy(update={"auth": auth})
    assert (await here.alice.api("GET", "/api/v1/session")).status == 401
    assert (await here.alice.open("/login/oidc")).status == 404
    assert (await here.alice.open("/login/callback")).status == 404
