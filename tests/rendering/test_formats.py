"""A report in every form: nothing that a stranger wrote runs, breaks a table or leaves the page."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.domain.dora import Dora
from incidentd.domain.dora import figures as dora_figures
from incidentd.domain.figures import IncidentFacts
from incidentd.domain.figures import report as figures_of
from incidentd.domain.runbook import Runbook
from incidentd.domain.runbook_figures import Steps, Worked, runbook_report
from incidentd.domain.runbook_steps import StepState
from incidentd.domain.toil import Load, breaches, toil
from incidentd.rendering.document import document
from incidentd.rendering.formats import Format, rendered
from incidentd.rendering.sections import sections, span
from incidentd.rendering.svg import bars, burn_down
from incidentd.workflows.reporting import Compiled
from tests.rendering.pages import KNOWN, Tags

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
EVIL = "<script>alert(1)</script>|=cmd()`*\u202e\x1b[31m"


def report(title: str = "API down", person: str = "alice", alertname: str = "Down") -> dict[str, Any]:
    """A report about one incident that took three hours."""
    fact = IncidentFacts(
        severity="critical",
        service=title,
        started_at=NOW - timedelta(hours=5),
        opened_at=NOW - timedelta(hours=5),
        resolved_at=NOW - timedelta(hours=2),
        id=12,
        title=title,
        alertname=alertname,
        reopened=2,
    )
    guided = replace(fact, id=13, runbook=alertname)
    worked = Worked(alertname, title, 1, NOW, Steps.of(3, {StepState.DONE: 2}))
    idle = Runbook("idle", title, (), (), "", "", owner=person)
    made = Compiled(
        window=DAY,
        service=None,
        report=figures_of([fact], NOW, DAY),
        toil=toil([fact], NOW - DAY, NOW),
        load=(Load(person, 3, 1, 2),),
        breaches=tuple(breaches([fact], NOW - DAY, NOW, timedelta(hours=2))),
        objective=timedelta(hours=2),
        dora=Dora(dora_figures([], DAY)),
        runbooks=runbook_report([fact, guided], [worked], [idle], NOW, DAY, idle=True),
    )
    return document(made)


@given(st.text(max_size=30) | st.just(EVIL))
def test_a_page_holds_only_its_own_elements_and_leads_nowhere(words: str) -> None:
    page = Tags.of(rendered(report(words, words, words), Format.HTML))
    assert page.found <= KNOWN
    assert page.links == []


@given(st.text(max_size=30) | st.just(EVIL))
def test_a_table_of_markdown_keeps_its_columns_whatever_is_in_it(words: str) -> None:
    widths: list[int] = []
    for line in rendered(report(words, words, words), Format.MD).split("\n"):
        if line.startswith("|"):
            widths.append(line.replace("\\|", "").count("|"))
        elif widths:
            assert len(set(widths)) == 1
            widths = []


@given(st.text(max_size=30) | st.just("=1+1") | st.just("@SUM(A1)"))
def test_no_cell_of_csv_is_a_formula_and_every_line_has_four(words: str) -> None:
    rows = list(csv.reader(io.StringIO(rendered(report(words, words, words), Format.CSV))))
    assert rows[0] == ["section", "name", "figure", "value"]
    assert {len(row) for row in rows} == {4}
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]


def test_json_is_the_report_itself() -> None:
    made = json.loads(rendered(report(), Format.JSON))
    assert made["mttr_objective"]["items"][0]["seconds"] == 3 * 3600
    # What the API answered is rendered the same on the other side of the wire.
    assert rendered(made, Format.MD) == rendered(report(), Format.MD)


def test_every_section_has_as_many_cells_as_columns() -> None:
    found = sections(report())
    assert [s.title for s in found] == [
        "All incidents",
        "Incidents by severity",
        "Incidents by service",
        "Incidents by alertname",
        "Responders",
        "Noisiest alerts",
        "Flappers",
        "Ended without an acknowledgement: 1",
        "Took longer than 2 h: 1",
        "With and without a runbook",
        "Runbooks used",
        "Runbooks not used",
        "Alerts without a runbook",
    ]
    assert all(len(row) == len(s.columns) for s in found for row in s.rows)


@given(
    st.lists(st.floats(-50, 1), min_size=1, max_size=61), st.text(st.characters(min_codepoint=32), max_size=9)
)
def test_a_burn_down_is_a_picture_whose_line_stays_inside(left: list[float], title: str) -> None:
    course = [(NOW + n * DAY, value) for n, value in enumerate(left)]
    picture = ET.fromstring(burn_down("".join(filter(str.isprintable, title)), course, "red"))  # noqa: S314 - our own
    [line] = picture.findall("{http://www.w3.org/2000/svg}polyline")
    points = [tuple(map(float, pair.split(","))) for pair in line.attrib["points"].split()]
    assert len(points) == len(left)
    assert all(0 <= x <= 640 and 0 <= y <= 200 for x, y in points)


def test_a_drawing_of_nothing_is_a_drawing() -> None:
    assert ET.fromstring(burn_down("b", [], "")).tag.endswith("svg")  # noqa: S314 - our own
    assert ET.fromstring(bars("b", [("<a>", 0.0, "0")])).tag.endswith("svg")  # noqa: S314 - our own


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "-"), (42, "42 s"), (320, "5 min 20 s"), (7500, "2 h 5 min"), (360000, "4 d 4 h"), (3600, "1 h")],
)
def test_a_span_is_said_in_its_two_largest_units(seconds: object, words: str) -> None:
    assert span(seconds) == words
