"""Every answer of the alert webhooks that the contract names, and nothing else."""

import asyncio
import gzip
import json
import threading
import zlib
from collections.abc import Callable
from datetime import datetime

import pytest

from incidentd.ingest import alertmanager
from incidentd.ingest.types import Post
from incidentd.store import quarantine
from incidentd.store.engine import StoreRejectedError, StoreUnavailableError
from incidentd.web import body as body_module
from incidentd.web import webhooks
from incidentd.workflows.intake import IntakeFullError
from tests.web.conftest import TOKENS, Daemon, Start, alert, until, webhook

INGEST = {"Authorization": f"Bearer {TOKENS['ingest']}"}
BODY = json.dumps(webhook(alert())).encode()


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("path", ["/webhooks/alertmanager", "/webhooks/grafana"])
@pytest.mark.parametrize("slash", ["", "/"])
async def test_both_methods_and_both_spellings_are_taken_without_a_redirect(
    daemon: Daemon, method: str, path: str, slash: str
) -> None:
    answer, data = await daemon.call(method, path + slash, data=BODY, headers=INGEST)
    assert answer.status == 200
    request_id = answer.headers["X-Request-ID"]
    assert data == {
        "request_id": request_id,
        "received": 1,
        "accepted": 1,
        "quarantined": 0,
        "incidents": [1],
    }


async def test_the_request_id_of_the_sender_is_kept_if_it_is_harmless(daemon: Daemon) -> None:
    kept, _ = await daemon.post(
        "/webhooks/alertmanager", webhook(), "ingest", headers={"X-Request-ID": "am-0.7:x_1"}
    )
    assert kept.headers["X-Request-ID"] == "am-0.7:x_1"
    for bad in ("x" * 65, "a b", 'a"b', "ä"):
        other, _ = await daemon.post(
            "/webhooks/alertmanager", webhook(), "ingest", headers={"X-Request-ID": bad}
        )
        assert other.headers["X-Request-ID"] != bad


async def test_a_bad_alert_is_set_aside_and_its_neighbours_are_taken(daemon: Daemon) -> None:
    data = await daemon.alert(alert("Good"), {"status": "odd", "labels": {"alertname": "Bad"}})
    assert (data["received"], data["accepted"], data["quarantined"]) == (2, 1, 1)
    kept = await daemon.context.store.read(lambda tx: quarantine.search(tx, before=None, limit=5))
    assert [item.request_id for item in kept] == [data["request_id"]]
    assert daemon.sample("incidentd_alerts_received_total", source="main", status="firing") == 1
    assert daemon.sample("incidentd_alerts_quarantined_total", source="main", reason="status") == 1
    assert daemon.sample("incidentd_webhook_requests_total", source="main", code="200") == 1
    assert daemon.sample("incidentd_ingest_seconds_count") == 1


@pytest.mark.parametrize("content", [b"", b"not json", b"[]", b"{}", b'{"alerts": 3}', b"\xff\xfe"])
async def test_a_body_that_is_no_webhook_is_400(daemon: Daemon, content: bytes) -> None:
    answer, problem = await daemon.call("POST", "/webhooks/alertmanager", data=content, headers=INGEST)
    assert answer.status == problem["status"] == 400
    assert answer.content_type == "application/problem+json"
    assert "Expected is the webhook body" in problem["detail"]
    assert daemon.sample("incidentd_webhook_requests_total", source="main", code="400") == 1


async def test_no_and_wrong_credentials_are_401_and_another_scope_is_403(daemon: Daemon) -> None:
    for token, status in ((None, 401), ("wrong-token-wrong-token", 401), ("read", 403), ("respond", 403)):
        answer, _ = await daemon.post("/webhooks/alertmanager", webhook(), token)
        assert answer.status == status
    assert daemon.sample("incidentd_webhook_requests_total", source="unknown", code="401") == 2


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes), ("GZIP", gzip.compress)],
)
async def test_known_encodings_are_read(
    daemon: Daemon, encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    headers = INGEST | {"Content-Encoding": encoding}
    answer, _ = await daemon.call("POST", "/webhooks/alertmanager", data=compress(BODY), headers=headers)
    assert answer.status == 200


async def test_deflate_without_its_wrapper_is_read(daemon: Daemon) -> None:
    raw = zlib.compressobj(wbits=-15)
    headers = INGEST | {"Content-Encoding": "deflate"}
    content = raw.compress(BODY) + raw.flush()
    answer, _ = await daemon.call("POST", "/webhooks/alertmanager", data=content, headers=headers)
    assert answer.status == 200


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "none", "compress"])
async def test_an_unknown_encoding_is_415(daemon: Daemon, encoding: str) -> None:
    headers = INGEST | {"Content-Encoding": encoding}
    answer, _ = await daemon.call("POST", "/webhooks/alertmanager", data=BODY, headers=headers)
    assert answer.status == 415


@pytest.mark.parametrize("content", [BODY, gzip.compress(BODY)[:-9], gzip.compress(BODY) + b"more"])
async def test_a_broken_compression_is_400(daemon: Daemon, content: bytes) -> None:
    headers = INGEST | {"Content-Encoding": "gzip"}
    answer, _ = await daemon.call("POST", "/webhooks/alertmanager", data=content, headers=headers)
    assert answer.status == 400


async def test_too_large_is_413_as_sent_in_chunks_and_after_decompression(start: Start) -> None:
    async def chunks() -> object:
        for _ in range(8):
            yield b" " * 1024

    async with start(server={"max_body": "4KiB"}) as daemon:
        for data, encoding in (
            (b" " * 5000, "identity"),
            (chunks(), "identity"),
            (gzip.compress(b" " * 5_000_000), "gzip"),
        ):
            headers = INGEST | {"Content-Encoding": encoding}
            answer, _ = await daemon.call("POST", "/webhooks/alertmanager", data=data, headers=headers)
            assert answer.status == 413
        assert daemon.desk.bodies.used == 0
        assert (await daemon.alert(alert()))["accepted"] == 1


@pytest.mark.parametrize(
    "failure", [IntakeFullError("the intake queue is full"), StoreUnavailableError("locked")]
)
async def test_what_is_not_durable_now_is_503_with_retry_after(daemon: Daemon, failure: Exception) -> None:
    daemon.intake.failure = failure
    answer, problem = await daemon.post("/webhooks/alertmanager", webhook(alert()), "ingest")
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "5"
    assert "locked" not in problem["detail"]


@pytest.mark.parametrize("failure", [StoreRejectedError("value"), RuntimeError("bug with /etc/passwd")])
async def test_a_bug_is_500_and_tells_nothing_about_itself(daemon: Daemon, failure: Exception) -> None:
    daemon.intake.failure = failure
    answer, problem = await daemon.post("/webhooks/alertmanager", webhook(alert()), "ingest")
    assert answer.status == 500
    assert str(failure) not in json.dumps(problem)
    assert problem["request_id"] == answer.headers["X-Request-ID"]


async def test_a_daemon_that_stops_answers_503(daemon: Daemon) -> None:
    daemon.context.stopping.set()
    answer, _ = await daemon.post("/webhooks/alertmanager", webhook(alert()), "ingest")
    assert answer.status == 503


async def test_bodies_that_are_too_much_together_are_503_but_one_alone_always_fits(start: Start) -> None:
    async with start(server={"max_body": "64KiB"}) as daemon:
        with daemon.desk.bodies.hold(2**40) as held:
            held.take(128 * 1024)
            answer, _ = await daemon.post("/webhooks/alertmanager", webhook(alert()), "ingest")
            assert answer.status == 503
        answer, _ = await daemon.post("/webhooks/alertmanager", webhook(alert()), "ingest")
        assert answer.status == 200
        assert daemon.desk.bodies.used == 0


async def test_a_full_queue_is_503_before_the_body_is_read(daemon: Daemon) -> None:
    daemon.intake.full = True
    reader, writer = await asyncio.open_connection("127.0.0.1", daemon.port)
    head = f"POST /webhooks/alertmanager HTTP/1.1\r\nHost: x\r\nAuthorization: {INGEST['Authorization']}\r\n"
    writer.write(head.encode() + b"Content-Length: 1000\r\n\r\n")
    async with asyncio.timeout(5):
        assert (await reader.readline()).startswith(b"HTTP/1.1 503")
    writer.close()


async def test_people_acknowledge_while_more_posts_than_are_taken_wait_for_their_commit(
    daemon: Daemon,
) -> None:
    await daemon.alert(alert())
    bodies, daemon.intake.gate = daemon.desk.bodies, asyncio.Event()
    bodies.max_bodies = 20
    waiting = [asyncio.create_task(daemon.alert(alert(f"A{n}"))) for n in range(20)]
    await until(lambda: bodies.bodies == 20)
    answer, _ = await daemon.post("/webhooks/alertmanager", webhook(alert("TooMuch")), "ingest")
    assert (answer.status, answer.headers["Connection"]) == (503, "close")
    assert (await daemon.post("/api/v1/incidents/1/acknowledge"))[0].status == 200
    assert (await daemon.get("/api/v1/incidents"))[0].status == 200
    daemon.intake.gate.set()
    await asyncio.gather(*waiting)
    assert bodies.bodies == 0


async def test_a_token_may_name_its_source(start: Start) -> None:
    tokens = [{"name": "o", "token": TOKENS["ingest"], "scopes": ["ingest"], "source": "other"}]
    async with start(auth={"tokens": tokens}) as daemon:
        await daemon.alert(alert())
        assert [post.source for post in daemon.intake.posts] == ["other"]


async def test_a_large_body_is_parsed_in_a_thread_and_a_small_one_is_not(daemon: Daemon) -> None:
    threads: list[int] = []

    def parse(data: bytes, source: str, now: datetime) -> Post:
        threads.append(threading.get_ident())
        return alertmanager.parse(data, source, now)

    for data in (BODY, BODY + b" " * body_module.INLINE_BYTES):
        await webhooks._parsed(parse, data, "main", daemon.clock.now())
    assert [thread == threading.get_ident() for thread in threads] == [True, False]
    alerts = [alert(f"Down{number}", filler="x" * 200) for number in range(600)]
    assert (await daemon.alert(*alerts))["accepted"] == 600


async def test_credentials_come_before_the_body(daemon: Daemon) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", daemon.port)
    writer.write(b"POST /webhooks/alertmanager HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
    async with asyncio.timeout(5):
        assert (await reader.readline()).startswith(b"HTTP/1.1 401")
    writer.close()


async def test_a_body_that_comes_too_slowly_costs_the_connection_without_an_answer(daemon: Daemon) -> None:
    daemon.desk.bodies.first_seconds = 0.05
    reader, writer = await asyncio.open_connection("127.0.0.1", daemon.port)
    head = f"POST /webhooks/alertmanager HTTP/1.1\r\nHost: x\r\nAuthorization: {INGEST['Authorization']}\r\n"
    writer.write(head.encode() + b"Content-Length: 1000\r\n\r\n{")
    async with asyncio.timeout(5):
        try:
            received = await reader.read()
        except ConnectionError:
            received = b""
    assert received == b""
    writer.close()
    await until(lambda: daemon.desk.bodies.used == 0)
