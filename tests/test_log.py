"""The log: no secret gets into it, and it never stops the work it tells of."""

from __future__ import annotations

import io
import json

import pytest
import structlog

from incidentd import log


class Broken(io.StringIO):
    """A stream on a full disk, or whose reader has gone."""

    def write(self, _text: str) -> int:
        raise BrokenPipeError


def line_of(event: str, **values: object) -> dict[str, object]:
    stream = io.StringIO()
    log.configure("info", "json", stream)
    structlog.get_logger().info(event, **values)
    found: dict[str, object] = json.loads(stream.getvalue())
    return found


@pytest.fixture(autouse=True)
def _as_before() -> object:
    yield
    structlog.reset_defaults()


def test_a_line_says_when_how_bad_and_what_first() -> None:
    assert list(line_of("started", port=1))[:3] == ["timestamp", "level", "event"]


@pytest.mark.parametrize(
    "values",
    [
        {"token": "canary"},
        {"text": "Authorization: Bearer canary-canary"},
        {"problems": ["postgresql://incidentd:canary@db/x", "xoxb-canary-canary"]},
        {"nested": {"password": "canary", "list": [{"url": "https://hooks.slack.com/services/canary"}]}},
    ],
)
def test_secrets_are_cut_out_wherever_they_stand(values: dict[str, object]) -> None:
    assert "canary" not in json.dumps(line_of("something", **values))


def test_a_stream_that_cannot_be_written_stops_nobody() -> None:
    log.configure("info", "json", Broken())
    structlog.get_logger().info("nobody reads this")
    log.configure("info", "console", Broken())
    structlog.get_logger().error("nor this")
