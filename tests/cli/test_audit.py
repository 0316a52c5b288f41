"""`incidentd audit`: export, verify, show the key, erase; what is wrong is one line."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from incidentd.audit.checkpoint import sign
from incidentd.audit.keys import SigningKey
from incidentd.cli.main import main
from incidentd.store.engine import Store, Tx
from incidentd.store.migrate import migrate
from incidentd.workflows import audit as workflow
from tests.audit.sample import KEY, OTHER

NOW = datetime(2026, 11, 21, 16, tzinfo=UTC)
VECTORS = Path(__file__).parent.parent / "data" / "audit"


def run(*args: object) -> Result:
    return CliRunner().invoke(main, ["audit", *map(str, args)])


def _noted(at: datetime, who: str, text: str, tx: Tx) -> None:
    workflow.note(tx, at, who, "x", "", {}, {"text": text})


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration whose database has three entries, of alice and bob, and whose key is in a file."""
    url, key = f"sqlite+aiosqlite:///{tmp_path}/x.db", tmp_path / "key.pem"
    key.write_bytes(KEY.pem())

    async def fill() -> None:
        await migrate(url)
        store = Store(url)
        said = (("alice", "mine"), ("bob", "told alice"), ("alice", "done"))
        for day, (who, text) in enumerate(said, 1):
            await store.write(partial(_noted, NOW.replace(day=day), who, text))
        await store.close()

    asyncio.run(fill())
    path = tmp_path / "incidentd.yaml"
    path.write_text(json.dumps({"database": {"url": url}, "audit": {"key": {"file": str(key)}}}))
    return path


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    path = tmp_path / "public.pem"
    path.write_text(KEY.public.pem)
    return path


@pytest.mark.parametrize("form", ["json", "csv"])
def test_an_export_is_verified_with_the_public_key(config: Path, pem: Path, form: str) -> None:
    target = config.with_name("bundle")
    done = run("export", "--format", form, "--output", target, "--config", config)
    assert (done.exit_code, done.stdout.startswith(f"{target}: 3 entries")) == (0, True), done.output
    found = run("verify", target, "--public-key", pem)
    assert (found.exit_code, "is whole: 3 entries (1 to 3)" in found.output) == (0, True), found.output
    assert KEY.public.id in found.output


def test_a_span_of_time_is_exported(config: Path) -> None:
    target = config.with_name("bundle")
    span = ("--from", "2026-11-02", "--to", "2026-11-03T00:00:00+00:00")
    assert "1 entries" in run("export", *span, "--output", target, "--config", config).stdout
    assert "(2 to 2)" in run("verify", target).output
    wrong = run("export", "--from", "yesterday", "--output", target, "--config", config)
    assert (wrong.exit_code, "accepted: 2026-11-21" in wrong.output) == (2, True)


def test_no_file_is_overwritten_and_a_folder_that_is_not_there_is_named(config: Path) -> None:
    exists = run("export", "--output", config, "--config", config)
    assert (exists.exit_code, "exists; choose another name" in exists.output) == (1, True)
    nowhere = run("export", "--output", config.parent / "no" / "b", "--config", config)
    assert (nowhere.exit_code, "cannot be written" in nowhere.output) == (1, True)


def test_the_public_key_is_printed(config: Path) -> None:
    assert run("public-key", "--config", config).stdout == KEY.public.pem


def test_without_a_key_the_command_says_what_to_do(config: Path) -> None:
    config.write_text(json.dumps({"database": json.loads(config.read_text())["database"]}))
    done = run("public-key", "--config", config)
    assert (done.exit_code, "start the daemon once, or set audit.key" in done.output) == (1, True)


def test_who_is_erased_is_in_no_export_any_more_and_the_chain_is_whole(config: Path, pem: Path) -> None:
    target = config.with_name("bundle")
    done = run("erase", "alice", "--config", config)
    assert (done.exit_code, "alice is erased" in done.stdout) == (0, True), done.output
    run("export", "--output", target, "--config", config)
    text = target.read_text()
    assert ["alice" in text, "bob" in text, "mine" in text] == [False, True, False]
    assert run("verify", target, "--public-key", pem).exit_code == 0
    again = run("erase", "alice", "--config", config)
    assert (again.exit_code, "nobody called alice is known" in again.output) == (1, True)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("altered.json", "is BROKEN (altered, entry 7)"),
        ("removed.json", "is BROKEN (missing, entry 4)"),
        ("truncated.json", "is BROKEN (truncated, entry 6)"),
        ("wrong-key.json", "is BROKEN (wrong_key)"),
    ],
)
def test_the_first_entry_that_is_broken_is_named(name: str, said: str, pem: Path) -> None:
    found = run("verify", VECTORS / name, "--public-key", pem)
    assert (found.exit_code, said in found.output) == (1, True), found.output


def test_heads_that_were_kept_elsewhere_are_asked_for(tmp_path: Path, pem: Path) -> None:
    heads = tmp_path / "heads.jsonl"
    good = json.loads(VECTORS.joinpath("vectors.json").read_text())["bundles"]["whole.json"]
    heads.write_text(json.dumps(sign(KEY, 12, good["head"], NOW).document) + "\n\n")
    assert "1 heads kept elsewhere agree" in run("verify", VECTORS / "whole.json", "--head", heads).output
    heads.write_text(json.dumps(sign(KEY, 99, good["head"], NOW).document))
    assert "its tail was cut" in run("verify", VECTORS / "whole.json", "--head", heads).output
    heads.write_text("hello")
    assert run("verify", VECTORS / "whole.json", "--head", heads).exit_code == 2


def test_what_is_no_key_and_what_is_no_file_is_told(tmp_path: Path, pem: Path) -> None:
    secret = tmp_path / "secret.pem"
    secret.write_bytes(SigningKey.new().pem())
    wrong = run("verify", VECTORS / "whole.json", "--public-key", secret)
    assert (wrong.exit_code, "it is no public key in PEM" in wrong.output) == (2, True)
    missing = run("verify", tmp_path / "nothing")
    assert (missing.exit_code, "cannot be read" in missing.output) == (1, True)
    other = tmp_path / "other.pem"
    other.write_text(OTHER.public.pem)
    both = run("verify", VECTORS / "whole.json", "--public-key", other, "--public-key", pem)
    assert both.exit_code == 0, "any of the keys that were given"
