"""A person gets an account at the command line, works on an incident from a browser, and loses the account again."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

from click.testing import CliRunner

from incidentd.cli.main import main
from tests.acceptance.bodies import recorded
from tests.acceptance.client import Client
from tests.acceptance.harness import World, world
from tests.web.people import GOOD, browser

LOCAL = {"port": 0, "public_url": "http://127.0.0.1:8650"}


async def incidentd(here: World, *args: str, typed: str = "") -> str:
    """Run a command beside the daemon; what it printed."""
    arguments = [*args, "--config", str(here.file)]
    done = await asyncio.to_thread(lambda: CliRunner().invoke(main, arguments, input=typed))
    assert done.exit_code == 0, done.output
    return done.stdout


async def test_from_the_account_to_the_acknowledgement_to_the_end_of_the_account(
    tmp_path: Path, database_url: str
) -> None:
    async with world(tmp_path, database_url, server=LOCAL) as here:
        (number,) = (await here.post(recorded("single_firing")))["incidents"]
        await incidentd(here, "user", "add", "bob", "--role", "responder", typed=GOOD + "\n")
        here.clock.set(here.clock.now() + timedelta(seconds=6))
        async with browser(here.daemon.url) as bob:
            turned = await bob.open(f"/api/v1/incidents/{number}")
            assert turned.status == 303
            assert "Nobody can sign in" not in (await bob.follow(turned)).text
            assert (await bob.sign_in("bob", next=f"/api/v1/incidents/{number}")).status == 303
            proof = json.loads((await bob.api("GET", "/api/v1/session")).text)["csrf_token"]
            path = f"/api/v1/incidents/{number}/acknowledge"
            assert (await bob.api("POST", path, {}, **{"X-CSRF-Token": proof})).status == 200
            await here.settle()
            await here.restart()
            bob.base = here.daemon.url
            assert (await bob.api("GET", "/api/v1/incidents")).status == 200
            await incidentd(here, "user", "disable", "bob")
            here.clock.set(here.clock.now() + timedelta(seconds=6))
            assert (await bob.api("GET", "/api/v1/incidents")).status == 401
        told = await here.client.all(f"/api/v1/incidents/{number}/timeline")
        assert "bob" in [entry["actor"] for entry in told if entry["kind"] == "acknowledged"]
        done = [entry["action"] for entry in await here.client.all("/api/v1/audit")]
        wanted = ["account.created", "session.opened", "incident.acknowledged", "account.disabled"]
        assert [action for action in done if action in wanted] == wanted


async def test_a_token_is_rotated_while_its_client_goes_on(tmp_path: Path) -> None:
    database = f"sqlite+aiosqlite:///{tmp_path}/incidentd.db"
    async with world(tmp_path, database, server=LOCAL) as here:
        first = await incidentd(here, "token", "create", "am", "--scope", "ingest")
        second = await incidentd(here, "token", "rotate", "am")
        here.clock.set(here.clock.now() + timedelta(seconds=6))
        for token in (first, second):
            client = Client(here.daemon.url, token.strip())
            assert (await client.post(recorded("single_firing"))).status == 200
            await client.close()
        await here.settle()
