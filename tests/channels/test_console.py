"""The console's line, and terminals that are gone."""

from __future__ import annotations

import io

import pytest

from incidentd.channels.console import render
from incidentd.channels.http import HttpClient
from incidentd.domain.notification import Notice, Verdict
from tests.channels.support import environment, hostile, message, open_channel


def test_a_page_is_one_readable_line() -> None:
    assert render(message()) == (
        "INC-12 TRIGGERED critical  Checkout errors at 42%  (2 firing)"
        "  http://127.0.0.1:8650/console/incidents/12\n"
    )


def test_an_act_of_a_person_names_them() -> None:
    line = render(message(Notice.ACKNOWLEDGED, actor="alice", comment="looking"))
    assert "INC-12 ACKNOWLEDGED critical" in line
    assert "(by alice, looking, 2 firing)" in line


def test_a_label_cannot_drive_the_terminal() -> None:
    line = render(hostile("\x1b[2J\r\nINC-1 RESOLVED \u202e"))
    assert line[:-1].isprintable()


async def test_a_stream_that_knows_ascii_only_gets_escapes() -> None:
    raw = io.BytesIO()
    output = io.TextIOWrapper(raw, encoding="ascii")
    env = environment(HttpClient(), output=output)  # type: ignore[arg-type]
    outcome = await open_channel({"kind": "console"}, env).send(message(actor="J\u00fcrgen"))
    assert outcome.verdict is Verdict.OK
    assert b"J\\xfcrgen" in raw.getvalue()


@pytest.mark.parametrize("notice", [Notice.TRIGGERED, Notice.RESOLVED])
async def test_a_closed_stream_is_worth_a_retry(notice: Notice) -> None:
    output = io.StringIO()
    sender = open_channel({"kind": "console"}, environment(HttpClient(), output=output))
    output.close()
    assert (await sender.send(message(notice))).verdict is Verdict.RETRY
