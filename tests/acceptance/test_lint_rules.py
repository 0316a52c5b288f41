"""The rules that a real Prometheus has loaded, judged as files are."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from click.testing import CliRunner, Result

from incidentd.cli.main import main
from tests.acceptance import prometheus as prom
from tests.acceptance.prometheus import SHOP_DOWN, Prometheus

ORPHAN = {**SHOP_DOWN, "alert": "Orphan", "labels": {"severity": "dire", "service": "other"}}


async def lint(folder: Path, *args: str) -> Result:
    routes = [{"matchers": ['service="shop"'], "notify": ["console"]}]
    (folder / "incidentd.yaml").write_text(json.dumps({"route": {"notify": ["console"], "routes": routes}}))
    command = ["lint-rules", "--config", str(folder / "incidentd.yaml"), *args]
    return await asyncio.to_thread(CliRunner().invoke, main, command)


async def test_a_real_prometheus_is_asked_and_its_rules_say_the_same_as_its_file(tmp_path: Path) -> None:
    prom.binary()
    prometheus = Prometheus(tmp_path / "prometheus", "127.0.0.1:1")
    rules = {"groups": [{"name": "shop", "rules": [SHOP_DOWN, ORPHAN, {"record": "x", "expr": "up"}]}]}
    file = prometheus.folder / "rules.yml"
    file.write_text(json.dumps(rules))
    async with prom.started(prometheus):
        asked = await lint(tmp_path, "--prometheus", f"{prometheus.url}/", "--json")
    assert asked.exit_code == 1
    document: dict[str, Any] = json.loads(asked.stdout)
    errors = [(f["alert"], f["code"], f["file"]) for f in document["findings"] if f["level"] == "error"]
    assert errors == [("Orphan", "no_route", str(file)), ("Orphan", "unknown_severity", str(file))]
    read = json.loads((await lint(tmp_path, str(file), "--json")).stdout)
    assert [{**finding, "line": None} for finding in read["findings"]] == document["findings"]


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [(401, 4, "--token-file"), (404, 5, "path prefix"), (302, 1, "redirects"), (500, 1, "answered 500")],
)
async def test_a_refusal_has_its_own_exit_code_and_remedy(
    tmp_path: Path, status: int, code: int, said: str
) -> None:
    async with _server(
        lambda _: web.Response(status=status, headers={"Location": "http://x.example"})
    ) as url:
        result = await lint(tmp_path, "--prometheus", url)
    assert (result.exit_code, said in result.output) == (code, True)


async def test_what_is_no_prometheus_is_told_apart(tmp_path: Path) -> None:
    async with _server(lambda _: web.Response(text="<html>")) as url:
        result = await lint(tmp_path, "--prometheus", url)
    assert (result.exit_code, "does not answer as Prometheus" in result.output) == (1, True)


async def test_the_token_and_the_headers_are_sent_and_never_printed(tmp_path: Path) -> None:
    seen: list[dict[str, str]] = []

    def answer(request: web.Request) -> web.Response:
        seen.append({name.lower(): value for name, value in request.headers.items()})
        return web.json_response({"status": "success", "data": {"groups": []}})

    (tmp_path / "token").write_text("hunter2\n")
    sent = ["--token-file", str(tmp_path / "token"), "--header", "X-Scope-OrgID: acme"]
    async with _server(answer) as url:
        result = await lint(tmp_path, "--prometheus", url, *sent)
    assert result.exit_code == 0, result.output
    assert (seen[0]["authorization"], seen[0]["x-scope-orgid"]) == ("Bearer hunter2", "acme")
    assert "hunter2" not in result.output


class _server:  # noqa: N801 - used like a function
    """A server that answers `/api/v1/rules` as it is told to."""

    def __init__(self, answer: Any) -> None:
        async def handle(request: web.Request) -> web.Response:
            response: web.Response = answer(request)
            return response

        app = web.Application()
        app.router.add_get("/api/v1/rules", handle)
        self._server = TestServer(app)

    async def __aenter__(self) -> str:
        await self._server.start_server()
        return str(self._server.make_url("/"))

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()
