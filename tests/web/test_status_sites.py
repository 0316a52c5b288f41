"""Several pages from one daemon: who sees which, where they stand, and what asks for a token."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.conftest import TOKENS, Daemon, Start
from tests.web.status_world import PUBLIC, document

SECRET = "token-of-the-internal-page-0123"
PAGE: dict[str, Any] = {
    "name": "Acme",
    "components": [
        {"name": "Search", "match": ['service="search"']},
        {"name": "Kafkaesque", "match": ['service="kafka"'], "pages": ["internal"]},
    ],
    "pages": {
        "internal": {"name": "Acme inside", "token": SECRET, "language": "de"},
        "partner": {"name": "Partners", "url": "https://partner.example.com"},
    },
}
BASIC = {"Authorization": "Basic aW50ZXJuOnRva2VuLW9mLXRoZS1pbnRlcm5hbC1wYWdlLTAxMjM="}


@pytest.fixture
def sites(start: Start) -> Any:
    return start(status_page=PAGE)


async def names(daemon: Daemon, base: str, token: str | None = None) -> list[str]:
    answer, found = await daemon.get(f"{base}/api/v2/components.json", token)
    assert answer.status == 200, found
    return [component["name"] for component in found["components"]]


async def test_each_page_shows_its_own_components_below_its_own_path(sites: Any) -> None:
    async with sites as daemon:
        assert await names(daemon, "") == ["Search"]
        assert await names(daemon, "/pages/partner") == ["Search"]
        assert await names(daemon, "/pages/internal", SECRET) == ["Search", "Kafkaesque"]
        answer, page = await daemon.get("/pages/internal", SECRET)
        assert (await daemon.get("/pages/internal/", SECRET))[1] == page
        assert 'lang="de"' in page.decode()
        assert 'href="/pages/internal/history"' in page.decode()
        assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
        assert answer.headers["Cache-Control"] == "private, max-age=10"
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("path", ["", "/", "/api/v2/summary.json", "/history.rss", "/badge.svg", "/history"])
async def test_a_private_page_asks_for_its_token(sites: Any, path: str) -> None:
    async with sites as daemon:
        for given, status in (
            (None, 401),
            ("wrong-token-wrong-token", 401),
            (SECRET, 200),
            ("read", 200),
            ("ingest", 403),
        ):
            answer, _ = await daemon.get(f"/pages/internal{path}", given)
            assert answer.status == status, given
        refused, _ = await daemon.get(f"/pages/internal{path}", None)
        assert refused.headers["WWW-Authenticate"].startswith('Basic realm="internal"')
        asked, _ = await daemon.get(f"/pages/internal{path}", None, headers=BASIC)
        assert asked.status == 200


async def test_a_pages_token_opens_that_page_and_nothing_else(sites: Any) -> None:
    async with sites as daemon:
        assert (await daemon.get("/api/v1/incidents", SECRET))[0].status == 401
        assert (await daemon.get("/api/v1/incidents", TOKENS["read"]))[0].status == 200


async def test_who_is_not_let_in_does_not_learn_what_there_is(sites: Any) -> None:
    async with sites as daemon:
        for path in ("nothing", "history/2026-01", "incidents/abcdefghijkl", "api/v2/nope.json"):
            assert (await daemon.get(f"/pages/internal/{path}", SECRET))[0].status == 404, path
        for path in ("history/2026-01", "incidents/abcdefghijkl", "badge/x.svg"):
            assert (await daemon.get(f"/pages/internal/{path}", None))[0].status == 401, path


async def test_what_is_not_there_is_404_whoever_asks(sites: Any) -> None:
    async with sites as daemon:
        for path in (
            "/pages/nothing",
            "/pages/main",
            "/pages/main/",
            "/pages/internal/nothing",
            "/pages/internal/pages/partner",
        ):
            assert (await daemon.get(path, None))[0].status == 404, path


async def test_a_page_with_an_address_of_its_own_is_found_by_host(sites: Any) -> None:
    async with sites as daemon:
        for host in ("partner.example.com", "PARTNER.example.com"):
            _, found = await daemon.get("/api/v2/status.json", None, headers={"Host": host})
            assert (found["page"]["name"], found["page"]["url"]) == (
                "Partners",
                "https://partner.example.com",
            )
        _, other = await daemon.get("/api/v2/status.json", None, headers={"Host": "elsewhere.example.com"})
        assert other["page"]["name"] == "Acme"


async def test_an_incident_of_hidden_components_stays_inside(sites: Any) -> None:
    async with sites as daemon:
        said = {"title": "Kafkaesque is down", "components": {"Kafkaesque": "major_outage"}}
        _, made = await daemon.post(PUBLIC, said)
        path = "/pages/internal/api/v2/summary.json"
        headers = {"Authorization": f"Bearer {SECRET}"}
        while not (found := (await daemon.get(path, None, headers=headers))[1])["incidents"]:
            pass
        assert found["incidents"][0]["name"] == "Kafkaesque is down"
        outside = await document(daemon, "/api/v2/summary.json", bool)
        assert (outside["incidents"], outside["status"]["indicator"]) == ([], "none")
        assert (await daemon.get(f"/incidents/{made['id']}", None))[0].status == 404
        assert (await daemon.get(f"/pages/internal/incidents/{made['id']}", SECRET))[0].status == 200


async def test_pages_are_packed_for_browsers(sites: Any) -> None:
    async with sites as daemon:
        plain, page = await daemon.get("/", None, headers={"Accept-Encoding": "identity"})
        assert "Content-Encoding" not in plain.headers
        packed, same = await daemon.get("/", None, headers={"Accept-Encoding": "gzip, br"})
        assert (packed.headers["Content-Encoding"], same) == ("gzip", page)
        assert int(packed.headers["Content-Length"]) < len(page) / 2
        refused, _ = await daemon.get("/", None, headers={"Accept-Encoding": "gzip;q=0"})
        assert "Content-Encoding" not in refused.headers
