"""Whom a request came from: proxies, certificates, and how often somebody may come."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from incidentd.config import Server
from incidentd.web.clients import client_of, network_of
from incidentd.web.routes import OPS
from tests.web.conftest import Daemon, Start, webhook

PROXY = {"trusted_proxies": ["127.0.0.1", "10.0.0.0/8"]}
SUBJECT = "CN=alertmanager,O=Acme"


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ([], "127.0.0.1"),
        (["203.0.113.9"], "203.0.113.9"),
        (["1.1.1.1, 203.0.113.9"], "203.0.113.9"),
        (["1.1.1.1", "203.0.113.9, 10.1.2.3"], "203.0.113.9"),
        (["1.1.1.1, rubbish, 10.1.2.3"], "127.0.0.1"),
        (["10.1.2.3"], "127.0.0.1"),
        (["2001:db8::1"], "2001:db8::1"),
        ([", ".join(["9.9.9.9"] * 5000)], "9.9.9.9"),
    ],
)
def test_the_last_address_that_no_proxy_of_ours_has_is_the_clients(forwarded: list[str], client: str) -> None:
    headers = [("X-Forwarded-For", value) for value in forwarded]
    request = make_mocked_request("GET", "/", headers=_multi(headers))
    request = request.clone(remote="127.0.0.1")
    assert client_of(request, Server.model_validate(PROXY)) == client
    assert client_of(request, Server()) == "127.0.0.1"


def _multi(pairs: list[tuple[str, str]]) -> Any:
    from multidict import CIMultiDict, CIMultiDictProxy

    return CIMultiDictProxy(CIMultiDict(pairs))


def test_an_ipv6_client_is_its_network() -> None:
    assert network_of("2001:db8:1:2:3::4") == network_of("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert network_of("::ffff:203.0.113.9") == "203.0.113.9"
    assert network_of("unknown") == "unknown"


def certificates(**more: Any) -> dict[str, Any]:
    clients = [{"name": "am", "subject": SUBJECT, "scopes": ["ingest"], "source": "other"}]
    return {"client_certificates": {"header": "X-Client-Subject", "clients": clients, **more}}


async def posted(daemon: Daemon, **headers: str) -> int:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    answer, _ = await daemon.call("POST", "/webhooks/alertmanager", headers=given, json=webhook())
    return answer.status


async def test_a_certificate_that_a_trusted_proxy_has_checked_lets_in(start: Start) -> None:
    async with start(tokens=False, server=PROXY, auth=certificates()) as daemon:
        assert await posted(daemon, X_Client_Subject=SUBJECT) == 200
        assert daemon.intake.posts[0].source == "other"
        assert await posted(daemon, X_Client_Subject=SUBJECT.lower()) == 401
        assert await posted(daemon) == 401
        assert (await daemon.get("/api/v1/incidents", None, headers={"X-Client-Subject": SUBJECT}))[
            0
        ].status == 403
        assert daemon.sample("auth_attempts_total", type="certificate", status="ok") == 1


async def test_the_same_header_from_anybody_else_is_worth_nothing(start: Start) -> None:
    far = {"trusted_proxies": ["10.0.0.0/8"]}
    async with start(tokens=False, server=far, auth=certificates()) as daemon:
        assert await posted(daemon, X_Client_Subject=SUBJECT) == 401


async def test_a_subject_given_twice_or_not_verified_is_refused(start: Start) -> None:
    verified = certificates(verified_header="X-Client-Verify")
    async with start(tokens=False, server=PROXY, auth=verified) as daemon:
        assert await posted(daemon, X_Client_Subject=SUBJECT) == 401
        assert await posted(daemon, X_Client_Subject=SUBJECT, X_Client_Verify="FAILED:expired") == 401
        assert await posted(daemon, X_Client_Subject=SUBJECT, X_Client_Verify="SUCCESS") == 200
        headers = _multi(
            [("X-Client-Subject", SUBJECT), ("X-Client-Subject", SUBJECT), ("X-Client-Verify", "SUCCESS")]
        )
        url = f"{daemon.url}/webhooks/alertmanager"
        async with daemon.session.post(url, json=webhook(), headers=headers) as answer:
            assert answer.status == 401


async def test_a_page_cannot_use_the_certificate_of_a_browser(start: Start) -> None:
    async with start(tokens=False, server=PROXY, auth=certificates()) as daemon:
        assert await posted(daemon, X_Client_Subject=SUBJECT, Sec_Fetch_Site="cross-site") == 403


async def test_a_client_may_ask_for_public_pages_so_often_and_others_go_on(start: Start) -> None:
    async with start(server={**PROXY, "public_rate": 2}) as daemon:
        first = {"X-Forwarded-For": "203.0.113.1"}
        asked = [(await daemon.call("GET", "/badge.svg", headers=first))[0] for _ in range(21)]
        assert [answer.status for answer in asked] == [200] * 20 + [429]
        assert asked[-1].headers["Retry-After"] == "1"
        for headers in ({"X-Forwarded-For": "203.0.113.2"}, {}):
            assert (await daemon.call("GET", "/badge.svg", headers=headers))[0].status == 200
        daemon.clock.ahead += timedelta(seconds=1)
        assert (await daemon.call("GET", "/badge.svg", headers=first))[0].status == 200
        assert (await daemon.call("GET", "/health/live", headers=first))[0].status == 200
        assert daemon.sample("rate_limit_hits_total", endpoint="/badge.svg") == 1


def test_alerts_and_people_at_work_are_never_told_to_come_less_often() -> None:
    assert {op.access for op in OPS if op.limited} == {"public", "signed link", "sign-in"}
    assert not [
        op.path for op in OPS if op.limited and op.path.startswith(("/webhooks", "/api/v1", "/health"))
    ]


async def test_an_unauthenticated_flood_at_intake_is_always_the_same_401(start: Start) -> None:
    async with start(server={**PROXY, "public_rate": 1}) as daemon:
        headers = {"X-Forwarded-For": "203.0.113.1"}
        for _ in range(60):
            answer, told = await daemon.call(
                "POST", "/webhooks/alertmanager", headers=headers, json=webhook()
            )
            assert (answer.status, told["detail"]) == (401, "valid credentials are needed")
