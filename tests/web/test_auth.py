"""Who gets in: the scope matrix over every route, tokens of both kinds, and token-free mode."""

import base64
from datetime import timedelta
from typing import Any

import pytest

from incidentd.config import Scope
from incidentd.store import tokens as token_store
from incidentd.web.local import loopback_host
from incidentd.web.op import LINK, PUBLIC, SIGN_IN, SIGNED, Op
from incidentd.web.routes import OPS
from incidentd.workflows.tokens import new_secret, rotate
from tests.web.conftest import TOKENS, Daemon, Start, webhook

STATUS_PAGE = {
    "/",
    "/history",
    "/history/{month}",
    "/incidents/{id}",
    "/maintenance/{id}.ics",
    "/api/v2/summary.json",
    "/api/v2/status.json",
    "/api/v2/components.json",
    "/api/v2/incidents.json",
    "/api/v2/incidents/unresolved.json",
    "/api/v2/scheduled-maintenances.json",
    "/api/v2/scheduled-maintenances/upcoming.json",
    "/api/v2/scheduled-maintenances/active.json",
    "/api/status/uptime.json",
    "/history.atom",
    "/history.rss",
    "/badge.svg",
    "/badge/{id}.svg",
}
FORMS = {"/subscribe", "/api/v2/subscribers.json"}
"""Whoever asks here is sent a mail first: what they say changes nothing before it is confirmed."""
PUBLIC_PATHS = {
    *STATUS_PAGE,
    *FORMS,
    "/health",
    "/health/live",
    "/health/ready",
    "/api/v1/openapi.json",
    "/ack.css",
    "/login",
}


def path_of(op: Op) -> str:
    path = op.path.replace("{id}", "1").replace("{n}", "1").replace("{run}", "1").replace("{name}", "some")
    return path.replace("{fingerprint}", "0" * 16)


async def test_every_route_of_the_router_is_in_the_table(daemon: Daemon) -> None:
    listed = {(method, path) for op in OPS for path in (op.path, *op.also) for method in op.methods}
    routed = {
        (route.method, route.resource.canonical)
        for route in daemon.app.router.routes()
        if route.resource is not None
    }
    assert routed == listed


def test_the_public_routes_are_those_of_the_contract_and_only_read() -> None:
    public = [op for op in OPS if op.access == PUBLIC]
    assert {op.path for op in public} == PUBLIC_PATHS
    assert {method for op in public if op.path not in FORMS for method in op.methods} == {"GET", "HEAD"}


@pytest.mark.parametrize("op", OPS, ids=lambda op: f"{op.methods[0]} {op.path}")
async def test_each_scope_opens_its_own_routes_and_admin_all(daemon: Daemon, op: Op) -> None:
    if op.path == "/api/v1/events":
        daemon.context.stopping.set()
    for method in op.methods:
        for scope in (None, "wrong-wrong-wrong-wrong", *Scope):
            answer, _ = await daemon.call(method, path_of(op), token=scope)
            if op.access == SIGNED:
                # No token opens what only the vendor may post.
                assert (answer.status, "WWW-Authenticate" in answer.headers) == (401, True)
            elif op.access == SIGN_IN:
                # No token signs a person in or out, or tells whether somebody is.
                assert answer.status in {303, 401, 404, 415}
            elif op.access in {PUBLIC, LINK} or scope in {op.access, Scope.ADMIN}:
                assert answer.status not in {401, 403}
            else:
                assert answer.status == (403 if scope in TOKENS else 401)
                assert ("WWW-Authenticate" in answer.headers) == (answer.status == 401)


async def test_basic_carries_the_token_as_password_and_the_scheme_has_no_case(daemon: Daemon) -> None:
    def basic(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    good = TOKENS["ingest"]
    for header, status in (
        (f"Basic {basic(f'anybody:{good}')}", 200),
        (f"basic {basic(f':{good}')}", 200),
        (f"BEARER {good}", 200),
        (f"Basic {basic(good)}", 401),
        ("Basic !!!", 401),
        ("Basic", 401),
        (f"ApiKey {good}", 401),
        (good, 401),
        ("Bearer ", 401),
    ):
        headers = {"Authorization": header}
        answer, _ = await daemon.post("/webhooks/alertmanager", webhook(), None, headers=headers)
        assert answer.status == status, header
    assert daemon.sample("auth_attempts_total", type="basic", status="ok") == 2
    assert daemon.sample("auth_attempts_total", type="basic", status="failed") == 3
    assert daemon.sample("auth_attempts_total", type="none", status="failed") == 2


async def test_a_token_of_the_database_works_and_its_use_is_noted(daemon: Daemon) -> None:
    text = await daemon.new_token("robot", ["read"])
    assert text.startswith("inc_")
    assert (await daemon.get("/api/v1/incidents", text))[0].status == 200
    await daemon.desk.auth.flush()
    (stored,) = await daemon.context.store.read(token_store.all_tokens)
    assert stored.last_used_at is not None


async def test_revoked_and_expired_tokens_are_refused_within_five_seconds(daemon: Daemon) -> None:
    revoked = await daemon.new_token("revoked", ["read"])
    soon = daemon.clock.now() + timedelta(seconds=30)
    expiring = await daemon.new_token("expiring", ["read"], expires_at=soon)
    assert (await daemon.get("/api/v1/incidents", revoked))[0].status == 200
    await daemon.context.store.write(lambda tx: token_store.revoke(tx, "revoked", daemon.clock.now()))
    daemon.clock.ahead += timedelta(seconds=5)
    assert (await daemon.get("/api/v1/incidents", revoked))[0].status == 401
    assert (await daemon.get("/api/v1/incidents", expiring))[0].status == 200
    daemon.clock.ahead += timedelta(minutes=1)
    assert (await daemon.get("/api/v1/incidents", expiring))[0].status == 401


async def test_a_rotated_token_works_beside_the_new_one_until_the_overlap_is_over(daemon: Daemon) -> None:
    first, second = await daemon.new_token("am", ["read"]), new_secret()
    now = daemon.clock.now()
    until = now + timedelta(hours=1)
    await daemon.store.write(lambda tx: rotate(tx, "am", second, until, "root", now))
    daemon.clock.ahead += timedelta(seconds=5)
    for token in (first, second):
        assert (await daemon.get("/api/v1/incidents", token))[0].status == 200
    daemon.clock.ahead += timedelta(hours=1)
    assert (await daemon.get("/api/v1/incidents", first))[0].status == 401
    assert (await daemon.get("/api/v1/incidents", second))[0].status == 200
    await daemon.context.store.write(lambda tx: token_store.revoke(tx, "am", daemon.clock.now()))
    daemon.clock.ahead += timedelta(seconds=5)
    assert (await daemon.get("/api/v1/incidents", second))[0].status == 401


async def test_a_token_of_the_configuration_and_the_one_before_it_both_work(start: Start) -> None:
    pair = {"name": "am", "token": "n" * 20, "previous": "o" * 20, "scopes": ["read"]}
    async with start(auth={"tokens": [pair]}) as daemon:
        for token, status in (("n" * 20, 200), ("o" * 20, 200), ("p" * 20, 401)):
            assert (await daemon.get("/api/v1/incidents", token))[0].status == status


async def test_a_reload_changes_the_tokens_at_once(start: Start) -> None:
    async with start() as daemon:
        assert (await daemon.get("/api/v1/incidents"))[0].status == 200
        auth = daemon.context.config.auth.model_copy(update={"tokens": daemon.context.config.auth.tokens[:1]})
        daemon.context.config = daemon.context.config.model_copy(update={"auth": auth})
        assert (await daemon.get("/api/v1/incidents"))[0].status == 401


async def test_without_tokens_everything_is_open_to_this_machine_alone(start: Start) -> None:
    async with start(tokens=False) as daemon:
        answer, made = await daemon.post(
            "/api/v1/incidents",
            {"title": "x", "severity": "info"},
            None,
            headers={"X-Incidentd-User": "Zoë\u200b"},
        )
        assert answer.status == 201
        _, done = await daemon.post(f"/api/v1/incidents/{made['id']}/acknowledge", None, None)
        assert done["acknowledged_by"] == "anonymous"
        _, told = await daemon.get(f"/api/v1/incidents/{made['id']}/timeline", None)
        assert told["items"][0]["actor"] == "Zoë"


@pytest.mark.parametrize(
    "name", ["source", "incidentd", "reconcile", "PagerDuty", " Source ", "source" + "\u200b"]
)
async def test_without_tokens_nobody_takes_the_name_of_the_machinery(start: Start, name: str) -> None:
    async with start(tokens=False) as daemon:
        body = {"title": "x", "severity": "info"}
        await daemon.post("/api/v1/incidents", body, None, headers={"X-Incidentd-User": name})
        _, told = await daemon.get("/api/v1/incidents/1/timeline", None)
        assert told["items"][0]["actor"] == "anonymous"


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "localhost.evil.example:8650"},
        {"Host": "10.0.0.1"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Forwarded": "for=1.2.3.4"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"x-forwarded-anything": "1"},
        {"Via": "1.1 proxy"},
        {"X-Real-IP": "127.0.0.1"},
    ],
    ids=str,
)
async def test_without_tokens_a_web_page_and_a_proxy_are_refused(
    start: Start, headers: dict[str, str]
) -> None:
    async with start(tokens=False) as daemon:
        for method, path in (
            ("GET", "/api/v1/incidents"),
            ("POST", "/webhooks/alertmanager"),
            ("GET", "/metrics"),
        ):
            answer, _ = await daemon.call(method, path, headers=headers)
            assert answer.status == 403
        answer, _ = await daemon.call("GET", "/api/v2/status.json", headers=headers)
        assert answer.status == 200


async def test_a_form_cannot_act(start: Start) -> None:
    async with start(tokens=False) as daemon:
        answer, _ = await daemon.call("POST", "/api/v1/incidents/1/acknowledge", data={"comment": "x"})
        assert answer.status == 415


async def test_one_token_in_the_database_ends_token_free_mode_even_when_it_is_revoked(start: Start) -> None:
    async with start(tokens=False) as daemon:
        assert (await daemon.get("/api/v1/incidents", None))[0].status == 200
        await daemon.new_token("first", ["read"])
        await daemon.context.store.write(lambda tx: token_store.revoke(tx, "first", daemon.clock.now()))
        daemon.clock.ahead += timedelta(seconds=5)
        assert (await daemon.get("/api/v1/incidents", None))[0].status == 401


async def test_metrics_open_needs_no_token(start: Start) -> None:
    async with start(server={"metrics_open": True}) as daemon:
        assert (await daemon.get("/metrics", None))[0].status == 200


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("LOCALHOST:8650", True),
        ("a.localhost", True),
        ("127.8.9.1:1", True),
        ("[::1]:8650", True),
        ("[::ffff:127.0.0.1]", True),
        ("", False),
        ("localhost.", False),
        ("notlocalhost", False),
        ("127.0.0.1.evil.example", False),
        ("evil@127.0.0.1.example", False),
        ("[::1", False),
        ("0.0.0.0", False),
    ],
)
def test_only_loopback_hosts_are_loopback(host: str, loopback: Any) -> None:
    assert loopback_host(host) is loopback
