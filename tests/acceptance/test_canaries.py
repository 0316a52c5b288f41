"""A marked secret in every place where the configuration takes one, and no trace of it anywhere afterwards.

Failures included: what a vendor answers when it refuses a credential is where secrets leak.
"""

from __future__ import annotations

import io
import sqlite3
import string
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from incidentd import log
from incidentd.audit.keys import SigningKey
from incidentd.clock import FixedClock
from incidentd.store.accounts import Account
from incidentd.store.audit import after
from incidentd.web.op import PUBLIC
from incidentd.web.routes import OPS
from incidentd.workflows import accounts
from tests.acceptance.bodies import recorded
from tests.acceptance.client import Client
from tests.acceptance.harness import ALICE, EVERYBODY, NOON, World, configuration, vendors, write
from tests.fakes.http import Answer
from tests.web.people import CHEAP, browser

MARK = "CaNaRy"
NOBODY = "http://127.0.0.1:9"
PASSWORD = f"{MARK}pass word of alice 42"


class Plants:
    """Secrets, each unlike the others."""

    def __init__(self) -> None:
        self.all: list[str] = []

    def secret(self, prefix: str = "", tail: str = "") -> str:
        """One more."""
        letter = string.ascii_letters[len(self.all)]
        self.all.append(f"{prefix}{MARK}{letter * 24}{tail}")
        return self.all[-1]

    def private_key(self) -> str:
        """A key in PEM, the middle of which is a secret."""
        pem = SigningKey.new().pem().decode()
        self.all.append(pem.splitlines()[1])
        return pem

    def address(self) -> str:
        """Of nobody, with a secret in it."""
        return f"{NOBODY}/{self.secret()}"


def sections(folder: Path, plants: Plants) -> dict[str, Any]:
    """Sections with a secret in every place that takes one."""
    secret, file = plants.secret, folder / "mounted"
    file.write_text(secret(), encoding="utf-8")
    auth = {
        "tokens": [
            {"name": "alice", "token": ALICE, "scopes": ["admin"]},
            {"name": "robot", "token": secret(), "previous": secret(), "scopes": ["read"]},
            {"name": "mounted", "token": {"file": str(file)}, "scopes": ["read"]},
        ],
        "oidc": {
            "issuer": NOBODY,
            "client_id": "incidentd",
            "client_secret": secret(),
            "default_role": "viewer",
        },
    }
    members = [
        {"url": NOBODY, "username": "me", "password": secret()},
        {"url": f"{NOBODY}/other", "token": secret()},
    ]
    return {
        "auth": auth,
        "audit": {
            "key": plants.private_key(),
            "previous_key": plants.private_key(),
            "anchor": {"webhook": plants.address(), "every": "1s"},
        },
        "automation": {"enabled": True, "prometheus": {"main": {"url": NOBODY, "token": secret()}}},
        "sources": {"main": {"alertmanagers": members}},
        "self_check": {"heartbeat_url": plants.address()},
        "server": {"port": 0, "public_url": "http://127.0.0.1:8650"},
        "users": {"bob": {"name": "Bob", "leave": {"url": plants.address()}}},
        **_outward(secret),
    }


def _outward(secret: Callable[..., str]) -> dict[str, Any]:
    counted = {"errors": "sum(x[$window])", "total": "sum(y[$window])"}
    keys = {"access_key": secret(), "secret_key": secret(), "session_token": secret()}
    traces = {"endpoint": NOBODY, "headers": {"api-key": secret()}}
    return {
        "slo": [
            {
                "name": "api",
                "service": "api",
                "target": 99.9,
                "promql": {"prometheus": NOBODY, "token": secret(), **counted},
            }
        ],
        "status_page": {
            "pages": {"inside": {"name": "Inside", "token": secret()}},
            "export": {"bucket": {"endpoint": NOBODY, "bucket": "copies", **keys}},
        },
        "telemetry": {"traces": traces, "sentry": {"dsn": f"https://{secret()}@127.0.0.1/1"}},
    }


def channels(plants: Plants) -> dict[str, Any]:
    """One more channel of each kind that has secrets."""
    secret = plants.secret
    smtp = {"host": "127.0.0.1", "port": 9, "tls": "none", "username": "me", "password": secret()}
    return {
        "slack2": {
            "kind": "slack",
            "token": secret("xoxb-"),
            "channel": "C1",
            "signing_secret": secret(),
            "mode": "socket",
            "app_token": secret("xapp-"),
            "base_url": NOBODY,
        },
        "slack3": {"kind": "slack", "webhook_url": plants.address()},
        "pager2": {
            "kind": "pagerduty",
            "routing_key": secret(),
            "previous_routing_keys": [secret()],
            "webhook_secrets": [secret()],
            "base_url": NOBODY,
        },
        "hook2": {"kind": "webhook", "url": plants.address(), "secret": secret("whsec_", "aa")},
        "notes": {"kind": "apprise", "urls": [f"json://me:{secret()}@127.0.0.1:9/x"]},
        "mail2": {"kind": "email", "from": "a@example.com", "to": ["b@example.com"], "smtp": smtp},
    }


def _places() -> set[str]:
    """Every field of the configuration that takes a secret."""
    found, models = set[str](), list(BaseModel.__subclasses__())
    for model in models:
        models += model.__subclasses__()
        if model.__module__.startswith(("incidentd.config", "incidentd.channels")):
            for name, field in model.model_fields.items():
                if "SecretStr" in repr(field.annotation):
                    found.add(f"{model.__name__}.{name}")
    return found


def _planted(value: object, plants: Plants) -> set[str]:
    """Those of them that hold one of ours."""
    found = set[str]()
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            held = getattr(value, name)
            if any(secret in text for text in _texts(held) for secret in plants.all):
                found.add(f"{type(value).__name__}.{name}")
            found |= _planted(held, plants)
    elif isinstance(value, Mapping):
        found |= {place for item in value.values() for place in _planted(item, plants)}
    elif isinstance(value, tuple | list):
        found |= {place for item in value for place in _planted(item, plants)}
    return found


def _texts(value: object) -> list[str]:
    if isinstance(value, SecretStr):
        return [value.get_secret_value()]
    if isinstance(value, Mapping):
        return [text for item in value.values() for text in _texts(item)]
    return [text for item in value for text in _texts(item)] if isinstance(value, tuple | list) else []


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Everything that is logged, at every level."""
    stream = io.StringIO()
    log.configure("debug", "json", stream)
    yield stream
    log.configure()


async def test_no_marked_secret_is_anywhere_afterwards(tmp_path: Path, lines: io.StringIO) -> None:
    plants, database = Plants(), tmp_path / "incidentd.db"
    async with _told(tmp_path, database, sections(tmp_path, plants), channels(plants)) as here:
        assert _places()
        assert _places() - _planted(here.daemon.config, plants) == set(), "plant the new one too"
        await _use(here)
        answers = await _everything_answered(here)
        entries = await here.daemon.store.read(lambda tx: after(tx, 0, 1000))
        reload = await here.client.call("POST", "/-/reload")
        here.file.write_text(here.file.read_text().replace('"kind": "slack"', '"kind": "slakc"', 1))
        refused = await here.client.call("POST", "/-/reload")
        assert (reload.status, refused.status) == (200, 422), refused.text
        console = here.console.getvalue()
    places = {
        "log": lines.getvalue(),
        "answers": "\n".join([*answers, reload.text, refused.text]),
        "audit": "\n".join([each.entry.decode() for each in entries]),
        "console": console,
        "database": "\n".join(sqlite3.connect(database).iterdump()),
        "config": repr(here.daemon.config) + here.daemon.config.model_dump_json(),
    }
    found = [
        (place, secret)
        for place, text in places.items()
        for secret in [*plants.all, PASSWORD]
        if secret in text
    ]
    assert found == []
    assert MARK not in places["answers"] + places["audit"] + places["console"]


@asynccontextmanager
async def _told(
    folder: Path, database: Path, given: dict[str, Any], more: dict[str, Any]
) -> AsyncIterator[World]:
    """A world with the planted channels beside its own, all told of everything."""
    clock = FixedClock(NOON)
    async with vendors(clock) as told:
        whole = configuration(
            f"sqlite+aiosqlite:///{database}", told, **given, channels={**told.channels(), **more}
        )
        whole["route"] = {"notify": [*EVERYBODY, *more]}
        here = World(write(folder / "incidentd.yaml", whole), clock, told)
        await here.start()
        try:
            yield here
        finally:
            await here.stop()


async def _use(here: World) -> None:
    """Alerts come, vendors refuse, people sign in rightly and wrongly, strangers guess."""
    here.clock.set(here.clock.now() + timedelta(minutes=2))
    await here.daemon.auditing.sign()
    here.vendors.slack.script([Answer(401, {"ok": False, "error": "invalid_auth"})])
    assert (await here.client.post(recorded("single_firing"))).status == 200
    now = here.clock.now()
    made = Account("carol", CHEAP.hash(PASSWORD), "viewer", None, now, now)
    await here.daemon.store.write(lambda tx: accounts.create(tx, made, "root"))
    async with browser(here.daemon.url) as carol:
        await carol.open("/login/oidc")
        await carol.sign_in("carol", PASSWORD + "x")
        await carol.sign_in(PASSWORD, PASSWORD)
        await carol.sign_in("carol", PASSWORD)
    stranger = Client(here.daemon.url, MARK + "guess" * 5)
    try:
        for path in ("/api/v1/incidents", f"/ack/{MARK}", f"/calendars/{MARK}.ics", "/metrics"):
            await stranger.call("GET", path)
    finally:
        await stranger.close()


async def _everything_answered(here: World) -> list[str]:
    """Every answer to GET that an admin can get, headers included."""
    found: list[str] = []
    for op in OPS:
        if "GET" not in op.methods or op.path == "/api/v1/events":
            continue
        path = op.path.replace("{id}", "1").replace("{name}", "main").replace("{fingerprint}", "0" * 16)
        answer = await here.client.call("GET", path)
        assert answer.status < 500 or op.access == PUBLIC, (path, answer.text)
        found.append(f"{path}\n{dict(answer.headers)}\n{answer.text}")
    return found
