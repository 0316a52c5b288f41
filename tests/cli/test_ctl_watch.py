"""`watch`: one line an entry, no entry lost over reconnects, a clean end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

from incidentd.cli.client import parse_events
from tests.cli.conftest import Run
from tests.cli.fake_server import FakeServer, problem, sse


def test_events_are_read_as_the_standard_says() -> None:
    stream = b": ping\n\nid: 7\nevent: timeline\ndata: a\ndata:b\nretry: 500\n\n"
    stream += b"data: c\r\n\r\nid: 9\ndata: cut off"
    events = list(parse_events(stream.splitlines(keepends=True)))
    assert [(event.id, event.name, event.data) for event in events] == [
        ("7", "timeline", "a\nb"),
        ("7", "message", "c"),
    ]
    assert events[0].retry_ms == 500


def test_it_resumes_after_the_last_entry_it_saw(run: Run, server: FakeServer) -> None:
    server.streams = [sse(1), problem(503, "busy"), sse(2, text="\x1b[31mdone"), problem(401, "unauthorised")]
    result = run("watch")
    assert result.exit_code == 4
    first, second = result.stdout.splitlines()
    assert first == "08:00:00 INC-12 acknowledged alice: looking"
    assert second == "08:00:00 INC-12 acknowledged alice: done"
    assert [headers.get("Last-Event-ID") for headers in server.headers] == [None, "1", "1", "2"]
    assert "connection lost" in result.stderr


def test_it_can_start_after_a_known_event_and_print_json_lines(run: Run, server: FakeServer) -> None:
    server.streams = [sse(8) + b"event: ping\ndata: x\n\n", problem(403, "forbidden")]
    result = run("watch", "--after", "7", "--json")
    assert json.loads(result.stdout)["seq"] == 8
    assert server.headers[0]["Last-Event-ID"] == "7"


def test_the_first_connection_must_succeed(run: Run, server: FakeServer) -> None:
    server.streams = [problem(503, "busy")]
    assert run("watch").exit_code == 1


def test_ctrl_c_ends_it_with_success(server: FakeServer, env: dict[str, str]) -> None:
    server.streams = [sse(1)]
    command = [sys.executable, "-m", "incidentd.cli.ctl", "watch", "--url", server.url]
    # Where the suite runs in the background SIGINT is ignored, which a child would inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "INC-12" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert process.stderr.read() == ""
