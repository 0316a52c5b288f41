"""The log: no secret gets into it, and it never stops the work it tells of."""

from __future__ import annotations

import asyncio
import io
import json
import logging

import pytest
import structlog

from incidentd import log
from incidentd.tracing import CURRENT


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


def test_levels_have_four_words() -> None:
    stream = io.StringIO()
    log.configure("debug", "json", stream)
    ours, theirs = structlog.get_logger(), logging.getLogger("library")
    for name in ("debug", "info", "warning", "error"):
        getattr(ours, name)("said")
        getattr(theirs, name)("said")
    theirs.critical("said")
    ours.critical("said")
    levels = [json.loads(line)["level"] for line in stream.getvalue().splitlines()]
    assert levels == [
        *[level for level in ("debug", "info", "warn", "error") for _ in "12"],
        "error",
        "error",
    ]


@pytest.mark.parametrize("level", ["warn", "warning"])
def test_below_the_level_nothing_is_written(level: str) -> None:
    stream = io.StringIO()
    log.configure(level, "json", stream)
    structlog.get_logger().info("not said")
    logging.getLogger("library").info("not said")
    assert stream.getvalue() == ""


async def test_what_is_bound_stands_in_every_line_inside_and_in_none_outside() -> None:
    stream = io.StringIO()
    log.configure("info", "json", stream)
    lines = structlog.get_logger()

    async def later() -> None:
        lines.info("of a task")
        logging.getLogger("library").warning("of a library")

    with log.bound(request_id="r-1", incident=None):
        with log.bound(incident=12, request_id="inner"):
            lines.info("inside", incident=13)
        CURRENT.set(f"00-{'a' * 32}-{'b' * 16}-01")
        await asyncio.gather(asyncio.create_task(later()))
        await asyncio.create_task(later(), context=log.unbound())
    CURRENT.set(None)
    lines.info("outside")
    said = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line.get("request_id"), line.get("incident"), line.get("trace_id")) for line in said] == [
        ("inner", 13, None),
        ("r-1", None, "a" * 32),
        ("r-1", None, "a" * 32),
        (None, None, None),
        (None, None, None),
        (None, None, None),
    ]


def test_a_terminal_is_not_moved_by_what_others_wrote() -> None:
    stream = io.StringIO()
    log.configure("info", "console", stream)
    error = ValueError("\x1b[2Jgone\x07")
    structlog.get_logger().error("failed", title="\x1b]0;mine\x07", exc_info=error)
    assert "\x1b" not in stream.getvalue()
    assert "\x07" not in stream.getvalue()
