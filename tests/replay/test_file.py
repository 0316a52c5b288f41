"""An exported journal is read back as it was, and anything else is refused in words."""

from __future__ import annotations

import gzip
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from incidentd.domain.maintenance import Plan, Window
from incidentd.domain.matcher import parse_matcher
from incidentd.domain.schedule import Override
from incidentd.replay.file import UnreadableJournalError, read, write
from incidentd.replay.recording import MadeWindow
from tests.replay.story import acts, kept, recording
from tests.workflows.world import at, fires

PLAN = Plan(at(0).replace(tzinfo=None), timedelta(minutes=30), "Etc/UTC", "FREQ=DAILY")
WHOLE = replace(
    recording(
        kept(0, fires("ä")),
        kept(1)._replace(body=b"\xff\n{"),
        acts(2, "snoozed", until=at(9), comment="später"),
        acts(3, "assigned", user="bob"),
    ),
    overrides=(Override(7, "primary", "bob", at(0), at(9)),),
    windows=(MadeWindow(Window("works", (parse_matcher('job=~"a|b"'),), PLAN), at(0), at(5)),),
)


def test_an_export_is_read_back_whole_and_is_the_same_every_time(tmp_path: Path) -> None:
    first, second = tmp_path / "one.gz", tmp_path / "two.gz"
    assert write(first, WHOLE) == 2
    write(second, WHOLE)
    assert first.read_bytes() == second.read_bytes()
    assert read(first) == WHOLE


def packed(content: bytes) -> bytes:
    # Without the time of day: the names of the tests are made of it.
    return gzip.compress(content, mtime=0)


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b"",
        packed(b""),
        packed(b"[]\n"),
        packed(b"{}\n"),
        packed(b'{"incidentd_journal": 2}\n'),
        packed(b'{"incidentd_journal": 1, "since": "x", "until": "x"}\n'),
        packed(b'{"incidentd_journal": 1}\n{"format": "other", "at": "2026-01-01T00:00:00Z"}\n'),
        packed(b'{"incidentd_journal": 1}\n')[:-9],
    ],
)
def test_what_is_no_journal_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "journal.gz"
    file.write_bytes(content)
    with pytest.raises(UnreadableJournalError):
        read(file)
