"""The audit log of a real daemon: exported over the API, verified by the command, anchored outside, not fooled."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from incidentd.audit.keys import SigningKey
from incidentd.cli.main import main
from tests.acceptance.bodies import alert, webhook
from tests.acceptance.harness import NOON, World, world, write
from tests.audit.forger import cut
from tests.fakes.http import Answer, HttpFake, Received

MINUTE = timedelta(minutes=1)


class Receiver(HttpFake):
    """An archive of heads that is not ours."""

    async def answer(self, received: Received) -> Answer:
        return Answer(204, b"")


def run(*args: str | Path) -> Result:
    """One `incidentd` command."""
    return CliRunner().invoke(main, [str(arg) for arg in args])


async def verified(*args: str | Path) -> Result:
    """`incidentd audit verify`, which blocks."""
    return await asyncio.to_thread(run, "audit", "verify", *args)


async def fetched(here: World, target: Path, **wanted: str) -> Path:
    """A bundle over the API, in a file."""
    asked = await here.client.act("audit/exports", **wanted)
    got = await here.client.call("GET", asked["url"])
    await asyncio.to_thread(target.write_bytes, got.text.encode())
    return target


async def public_key(here: World, folder: Path) -> Path:
    """The key that signs now, as a file."""
    listed = await here.client.get("/api/v1/audit/keys")
    path = folder / "public.pem"
    path.write_text(listed["items"][-1]["public_key"])
    return path


async def sign(here: World) -> None:
    """A minute passes, and the clockwork looks."""
    here.clock.set(here.clock.now() + MINUTE)
    await here.daemon.auditing.note_refusals()
    await here.daemon.auditing.sign()


async def some_life(here: World) -> None:
    """An alert, a person, and somebody who is not let in."""
    await here.post(webhook(alert("Disk", NOON)))
    await here.client.act("incidents/1/acknowledge", comment="mine")
    refused = await here.client.call("GET", "/api/v1/audit", headers={"Authorization": "Bearer nonsense"})
    assert refused.status == 401


async def test_what_people_and_machines_did_is_exported_and_verified(
    tmp_path: Path, database_url: str
) -> None:
    async with world(tmp_path, database_url) as here:
        await some_life(here)
        await sign(here)
        key = await public_key(here, tmp_path)
        actions = {entry["action"] for entry in await here.client.all("/api/v1/audit")}
        assert actions >= {
            "audit.key", "daemon.started", "incidents.changed", "incident.acknowledged", "security.auth_fail",
        }  # fmt: skip
        for form in ("json", "csv"):
            bundle = await fetched(here, tmp_path / form, format=form)
            found = await verified(bundle, "--public-key", key)
            assert (found.exit_code, "is whole" in found.output) == (0, True), found.output
            assert "warning: no --public-key was given" in (await verified(bundle)).output
            bundle.write_bytes(bundle.read_bytes().replace(b"acknowledged", b"acknowledgeD", 1))
            assert (await verified(bundle, "--public-key", key)).exit_code == 1


async def test_heads_go_outside_and_a_log_that_was_cut_is_found_out(tmp_path: Path) -> None:
    heads, database = tmp_path / "worm" / "heads.jsonl", tmp_path / "x.db"
    async with Receiver() as receiver:
        anchor = {"file": str(heads), "webhook": receiver.url, "email": "mail", "every": "1h"}
        url = f"sqlite+aiosqlite:///{database}"
        async with world(tmp_path, url, audit={"anchor": anchor}) as here:
            await some_life(here)
            await sign(here)
            mails = [mail for mail in here.vendors.mail.mails if "audit log" in str(mail.content["Subject"])]
            assert (len(receiver.requests), len(mails)) == (1, 1)
            assert await here.client.metric("incidentd_audit_anchored", place="file") > 0
            key = await public_key(here, tmp_path)
            await here.client.act("incidents/1/resolve", force=True)
            await sign(here)
            assert len(receiver.requests) == 1, "once an hour"
            whole = await fetched(here, tmp_path / "whole.json")
            assert (await verified(whole, "--public-key", key, "--head", heads)).exit_code == 0
        told = [json.loads(line) for line in heads.read_text().splitlines()]
        assert [head["seq"] for head in told] == sorted({head["seq"] for head in told})
        assert len(receiver.requests) == 2, "and once more at the end"
        cut(database, told[-1]["seq"] - 2)
        short = await _exported(tmp_path, "short.json")
        assert "is whole" in (await verified(short, "--public-key", key)).output, "by itself it looks well"
        found = await verified(short, "--public-key", key, "--head", heads)
        assert (found.exit_code, "BROKEN (forked" in found.output or "BROKEN (truncated" in found.output) == (
            1,
            True,
        )


async def test_a_daemon_signs_no_log_that_was_cut_under_it_and_says_so(tmp_path: Path) -> None:
    database, heads = tmp_path / "x.db", tmp_path / "heads.jsonl"
    url = f"sqlite+aiosqlite:///{database}"
    async with world(tmp_path, url, audit={"anchor": {"file": str(heads)}}) as here:
        await some_life(here)
        await sign(here)
        assert await here.client.metric("incidentd_audit_broken") == 0
        told = heads.read_text()
        await asyncio.to_thread(cut, database, 2)
        await sign(here)
        assert await here.client.metric("incidentd_audit_broken") == 1
        await here.client.act("incidents/1/resolve", force=True)
        await sign(here)
        assert heads.read_text() == told


async def test_a_log_that_was_cut_while_nobody_looked_is_not_signed_until_somebody_says_why(
    tmp_path: Path,
) -> None:
    database, heads = tmp_path / "x.db", tmp_path / "heads.jsonl"
    url = f"sqlite+aiosqlite:///{database}"
    async with world(tmp_path, url, audit={"anchor": {"file": str(heads)}}) as here:
        await some_life(here)
        await sign(here)
        kept = tmp_path / "audit-head.json"
        await here.stop()
        assert kept.stat().st_mode & 0o777 == 0o600
        assert kept.read_text() == heads.read_text().splitlines(keepends=True)[-1]
        await asyncio.to_thread(cut, database, 2)
        told = heads.read_text()
        await here.start()
        await sign(here)
        assert await here.client.metric("incidentd_audit_broken") == 1
        assert heads.read_text() == told, "nothing is signed, though in the database all is well"
        argv = ("audit", "accept", "--reason", "restored a backup", "--config", here.file)
        done = await asyncio.to_thread(run, *argv)
        assert (done.exit_code, "accepted: the log goes on from entry" in done.output) == (0, True), (
            done.output
        )
        await sign(here)
        assert await here.client.metric("incidentd_audit_broken") == 0
        assert len(heads.read_text()) > len(told)
        again = await asyncio.to_thread(run, *argv)
        assert (again.exit_code, "nothing is wrong" in again.output) == (1, True)
        entries = await here.client.all("/api/v1/audit")
        [accepted] = [entry for entry in entries if entry["action"] == "audit.accepted"]
        assert accepted["private"] == {"reason": "restored a backup"}
        assert accepted["data"]["lost"]["seq"] == json.loads(told.splitlines()[-1])["seq"]


async def _exported(folder: Path, name: str) -> Path:
    target = folder / name
    argv: tuple[Any, ...] = (
        "audit",
        "export",
        "--output",
        target,
        "--config",
        folder / "incidentd.yaml",
    )
    done = await asyncio.to_thread(run, *argv)
    assert done.exit_code == 0, done.output
    return target


async def test_who_trusts_the_key_before_can_trust_the_one_that_it_vouches_for(
    tmp_path: Path, database_url: str
) -> None:
    files = [tmp_path / "one.pem", tmp_path / "two.pem"]
    for file in files:
        file.write_bytes(SigningKey.new().pem())
    async with world(tmp_path, database_url, audit={"key": {"file": str(files[0])}}) as here:
        await some_life(here)
        await sign(here)
        old = await public_key(here, tmp_path)
        config = json.loads(here.file.read_text())
        one, two = ({"file": str(file)} for file in files)
        write(here.file, {**config, "audit": {"key": two, "previous_key": one}})
        await here.restart()
        await sign(here)
        keys = (await here.client.get("/api/v1/audit/keys"))["items"]
        noted = [e for e in await here.client.all("/api/v1/audit") if e["action"] == "audit.key"]
        assert [entry["data"]["after"] for entry in noted] == [None, keys[0]["id"]]
        found = await verified(await fetched(here, tmp_path / "b.json"), "--public-key", old)
        assert (found.exit_code, keys[1]["id"] in found.output) == (0, True), found.output
        assert "vouched" not in found.output
