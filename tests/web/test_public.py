"""What everybody may see: the status page and its documents, the OpenAPI document, the headers of every answer."""

from datetime import timedelta

import pytest
from openapi_spec_validator import validate

from incidentd.web import status
from incidentd.web.routes import OPS
from tests.web.conftest import Daemon, Start
from tests.web.status_world import summary

SECURITY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Server": "incidentd",
}
STATUS_PAGES = {op.path for op in status.OPS if op.media == "text/html"}
STATUS_DOCUMENTS = {op.path for op in status.OPS if "{" not in op.path}
COMPONENT = {
    "id", "name", "status", "created_at", "updated_at", "position", "description", "showcase", "start_date",
    "group_id", "page_id", "group", "only_show_if_degraded",
}  # fmt: skip


@pytest.mark.parametrize("token", [None, "admin"])
async def test_every_answer_has_the_security_headers(daemon: Daemon, token: str | None) -> None:
    daemon.context.stopping.set()
    calls = [(method, op.path.replace("{id}", "1"), op) for op in OPS for method in op.methods]
    for method, path, _ in [*calls, ("GET", "/nothing", None), ("PATCH", "/health", None)]:
        answer, _body = await daemon.call(method, path, token=token)
        # Narrower ones: tests of those pages look at them.
        own_policy = path.startswith(("/ack/", "/login")) or path in STATUS_PAGES
        for name, value in SECURITY.items():
            if own_policy and name in {"Content-Security-Policy", "Referrer-Policy"}:
                continue
            assert answer.headers[name] == value, path
        assert answer.headers["X-Request-ID"]
        assert "charset=utf-8" in answer.headers["Content-Type"]
        assert "Strict-Transport-Security" not in answer.headers
        if path not in STATUS_DOCUMENTS:
            assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
            assert "Access-Control-Allow-Origin" not in answer.headers
        if path not in STATUS_DOCUMENTS | {"/api/v1/openapi.json"}:
            assert answer.headers["Cache-Control"] == "no-store", path


async def test_an_unknown_path_is_404_and_a_wrong_method_405_with_allow(daemon: Daemon) -> None:
    answer, problem = await daemon.get("/nothing/here")
    assert (answer.status, answer.content_type, problem["status"]) == (404, "application/problem+json", 404)
    answer, _ = await daemon.call("DELETE", "/webhooks/alertmanager")
    assert (answer.status, answer.headers["Allow"]) == (405, "POST, PUT")
    answer, _ = await daemon.call("PROPFIND", "/webhooks/alertmanager")
    assert answer.status == 405
    answer, _ = await daemon.call("BREW", "/webhooks/alertmanager")
    assert answer.status == 400


async def test_ten_thousand_random_paths_do_not_grow_the_metrics(daemon: Daemon) -> None:
    def series() -> int:
        return sum(len(family.samples) for family in daemon.context.metrics.registry.collect())

    await daemon.get("/nothing")
    await daemon.call("PROPFIND", "/nothing")
    before = series()
    for number in range(0, 10_000, 4):
        await daemon.get(f"/{number}")
        await daemon.get(f"/api/v1/{number}/../x?y={number}")
        await daemon.call("PROPFIND", f"/{number}")
        await daemon.get(f"/webhooks/{number}")
    assert series() == before
    assert len(daemon.desk.http._answered) < 20


async def test_the_openapi_document_is_valid_and_names_exactly_the_routes(daemon: Daemon) -> None:
    answer, document = await daemon.get("/api/v1/openapi.json", None)
    assert answer.status == 200
    validate(document)
    documented = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert documented == {(method, op.path) for op in OPS for method in op.methods if method != "HEAD"}
    operations = [operation for item in document["paths"].values() for operation in item.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    listed = document["paths"]["/api/v1/incidents"]["get"]
    assert {parameter["name"] for parameter in listed["parameters"]} >= {"state", "limit", "cursor", "q"}
    assert listed["x-scope"] == "read"


async def test_all_is_well_without_incidents(daemon: Daemon) -> None:
    answer, summary = await daemon.get("/api/v2/summary.json", None)
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert summary["status"] == {"indicator": "none", "description": "All Systems Operational"}
    assert set(summary) == {"page", "components", "incidents", "scheduled_maintenances", "status"}
    assert set(summary["page"]) == {"id", "name", "url", "time_zone", "updated_at"}
    group, *rest = summary["components"]
    assert set(group) == COMPONENT | {"components"}
    assert all(set(component) == COMPONENT for component in rest)
    assert group["components"] == [rest[0]["id"], rest[1]["id"]]
    assert [c["group_id"] for c in rest] == [group["id"], group["id"], None]
    assert [c["position"] for c in summary["components"]] == [1, 1, 2, 2]
    _, short = await daemon.get("/api/v2/status.json", None)
    assert short == {"page": summary["page"], "status": summary["status"]}
    _, page = await daemon.get("/", None)
    assert "<h1>All Systems Operational</h1>" in page.decode()
    assert "<title>Acme: All Systems Operational</title>" in page.decode()


async def test_the_documents_stay_while_the_database_is_away(daemon: Daemon) -> None:
    first, before = await daemon.get("/api/v2/status.json", None)
    daemon.store.reads_fail = True
    await daemon.noted()
    daemon.clock.ahead += timedelta(minutes=5)
    assert (await daemon.get("/api/v2/status.json", None))[1] == before
    daemon.store.reads_fail = False
    said = {"title": "Mail is slow", "components": {"Blog": "degraded_performance"}}
    await daemon.post("/api/v1/status/publications", said)
    after = await summary(daemon, lambda s: s["incidents"])
    assert after["status"]["indicator"] == "minor"
    assert after["page"]["updated_at"] > before["page"]["updated_at"]
    assert first.headers["ETag"] != (await daemon.get("/api/v2/status.json", None))[0].headers["ETag"]


async def test_a_known_etag_is_304_and_head_has_no_body(daemon: Daemon) -> None:
    for path in STATUS_DOCUMENTS:
        answer, _ = await daemon.get(path, None)
        head, nothing = await daemon.call("HEAD", path)
        assert (head.status, nothing) == (200, b"")
        assert head.headers["Content-Length"] == answer.headers["Content-Length"]
        tag = answer.headers["ETag"]
        same, _ = await daemon.get(path, None, headers={"If-None-Match": f'"x", W/{tag}'})
        assert same.status == 304
        other, _ = await daemon.get(path, None, headers={"If-None-Match": '"x"'})
        assert other.status == 200


async def test_a_name_cannot_break_out_of_the_page(start: Start) -> None:
    page = {"name": "<script>", "components": [{"name": "<b>", "match": ['service="x"']}]}
    async with start(status_page=page) as daemon:
        _, content = await daemon.get("/", None)
        assert "<script>" not in content.decode()
        assert "<b>" not in content.decode()
        assert "<title>&lt;script&gt;: " in content.decode()
