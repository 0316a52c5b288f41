"""A postmortem in every form: nothing that a stranger wrote runs, breaks a table or leaves its block."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.rendering.course import Lane, Span, course
from incidentd.rendering.formats import Format
from incidentd.rendering.postmortem import lanes, parts, rendered
from incidentd.rendering.record import phases
from incidentd.rendering.sections import Section
from incidentd.rendering.svg import columns
from incidentd.store.timeline import StoredEntry
from tests.rendering.pages import KNOWN, Tags

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EVIL = "<script>alert(1)</script>|```\n</pre>`*\u202e\x1b[31m"
words = st.text(max_size=30) | st.just(EVIL)


def incident(said: str, *, open_: bool) -> dict[str, Any]:
    """The part about the incident itself."""
    over = None if open_ else NOON + 9 * MINUTE
    return {
        "id": 12, "ref": "INC-12", "title": said, "severity": "critical", "service": said,
        "state": "triggered" if open_ else "resolved", "drill": open_, "labels": {"alertname": said},
        "route": said, "started_at": NOON - MINUTE, "opened_at": NOON, "first_acknowledged_at": None,
        "acknowledged_by": None, "resolved_at": over, "resolved_by": said, "ended_at": over,
    }  # fmt: skip


def postmortem(said: str, *, open_: bool = False) -> dict[str, Any]:
    """One in which every text is `said`."""
    step = {"number": 1, "text": said, "automated": True, "state": "done", "actor": said, "at": NOON}
    shown = {"name": said, "title": said, "reason": said, "hash": "h"}
    label = {"alertname": said, "instance": said}
    alert = {"severity": "critical", "status": "firing", "labels": label, "annotations": {"summary": said}}
    deployed = {"service": said, "environment": said, "version": said, "status": None, "blamed": True}
    told = {"notice": "triggered", "to": said, "channel": said, "state": "sent", "why": said, "class": "page"}
    item = {"id": 3, "title": said, "owner": said, "due": date(2026, 12, 24), "state": "open"}
    figures = {"detect_seconds": 60.0, "acknowledge_seconds": None, "resolve_seconds": 600.0, "counts": False}
    return {
        "incident": incident(said, open_=open_),
        "written_at": NOON + 10 * MINUTE,
        "truncated": True,
        "figures": {**figures, "alerts": 1, "reopened": 2, "pages": 1, "people_paged": [said]},
        "phases": [{"state": "triggered", "from": NOON, "to": NOON + 9 * MINUTE}],
        "timeline": [{"at": NOON, "kind": "note", "actor": said, "text": said}],
        "alerts": [{**alert, "starts_at": NOON, "ends_at": None}] * 13,
        "deliveries": [{**told, "created_at": NOON, "sent_at": NOON}],
        "deployments": [{**deployed, "started_at": NOON, "finished_at": None, "offset_seconds": -240.0}],
        "runbook": {
            **shown,
            "steps": [{**step, "comment": said, "output": [{"at": NOON, "actor": said, "text": said}]}],
        },
        "runbook_url": said,
        "budget_debits": [{"slo": said, "seconds": 600.0, "share": 0.25}],
        "actions": [{**item, "overdue": True, "comment": said}],
    }


@given(words)
def test_a_page_holds_only_its_own_elements_and_leads_nowhere(said: str) -> None:
    page = Tags.of(rendered(postmortem(said), Format.HTML))
    assert page.found <= KNOWN
    assert page.links == []


@given(words)
def test_markdown_keeps_its_tables_and_its_blocks(said: str) -> None:
    inside = False
    for line in rendered(postmortem(said), Format.MD).split("\n"):
        if line.startswith("```"):
            assert line == "```"
            inside = not inside
        elif not inside:
            bare = re.sub(r"\\.", "", line)
            assert "`" not in bare
            assert "<" not in bare
    assert not inside


@pytest.mark.parametrize("open_", [True, False])
def test_every_table_has_as_many_cells_as_columns(open_: bool) -> None:
    tables = [part for part in parts(postmortem("x", open_=open_)) if isinstance(part, Section)]
    assert all(len(row) == len(table.columns) for table in tables for row in table.rows)
    figures = {row[0]: row[1] for row in tables[0].rows}
    assert figures["Acknowledged"] == "never"
    assert figures["Resolved"].startswith("still open" if open_ else "2026-03-01 12:09Z by x, after 10 min")


def test_what_the_api_answered_is_the_same_on_the_other_side_of_the_wire() -> None:
    made = postmortem("x")
    sent = json.loads(rendered(made, Format.JSON))
    assert rendered(sent, Format.MD) == rendered(made, Format.MD)
    assert rendered(sent, Format.HTML) == rendered(made, Format.HTML)


def test_what_nobody_can_know_but_people_is_asked_for() -> None:
    made = postmortem("x") | {"actions": []}
    asked = [line for line in rendered(made, Format.MD).split("\n") if line.startswith("> To write")]
    assert len(asked) == 5
    assert "incidentctl actions add INC-12 TITLE" in asked[-1].replace("\\", "")


def test_the_drawing_has_a_row_for_each_subject_and_says_how_many_alerts_are_left_out() -> None:
    names = [lane.name for lane in lanes(postmortem("x"))]
    assert names == ["Incident", "Deployments", "Pages", *["x x"] * 12, "and 1 more alerts"]


@given(
    st.lists(st.tuples(st.integers(-(10**6), 10**6), st.integers(0, 10**6)), max_size=8),
    st.text(st.characters(min_codepoint=32, exclude_categories=("Cs", "Cn")), max_size=9),
)
def test_nothing_is_drawn_outside(spans: list[tuple[int, int]], said: str) -> None:
    found = [
        Span(NOON + n * timedelta(seconds=1), NOON + (n + m) * timedelta(seconds=1), "alert", said)
        for n, m in spans
    ]
    picture = ET.fromstring(course("x", [Lane(said, tuple(found))]))  # noqa: S314 - our own
    for shape in picture.iter("{http://www.w3.org/2000/svg}rect"):
        x, width = float(shape.attrib["x"]), float(shape.attrib["width"])
        assert x >= 0
        assert x + width <= 480.2


def test_columns_are_as_high_as_they_are_many() -> None:
    picture = ET.fromstring(columns("x", [(NOON, 2.0), (NOON, 0.0), (NOON, 1.0)], "2"))  # noqa: S314 - our own
    shapes = picture.findall("{http://www.w3.org/2000/svg}rect")
    assert [float(shape.attrib["height"]) for shape in shapes] == [90.0, 45.0]
    assert ET.fromstring(columns("x", [], "0")).tag.endswith("svg")  # noqa: S314 - our own


def test_the_states_follow_each_other_from_the_opening_to_the_end() -> None:
    kinds = ["triggered", "alerts_joined", "acknowledged", "acknowledged", "severity_raised", "resolved",
             "reopened", "acknowledged"]  # fmt: skip
    entries = [StoredEntry(n, 1, n, NOON + n * MINUTE, kind, "x", "", {}) for n, kind in enumerate(kinds)]
    found = phases(entries, NOON + 20 * MINUTE)
    assert [
        (each["state"], (each["from"] - NOON) / MINUTE, (each["to"] - NOON) / MINUTE) for each in found
    ] == [
        ("triggered", 0, 2),
        ("acknowledged", 2, 4),
        ("triggered", 4, 5),
        ("triggered", 6, 7),
        ("acknowledged", 7, 20),
    ]
