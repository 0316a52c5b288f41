"""What is printed and what is documented are the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from incidentd.conformance import report
from incidentd.conformance.catalogue import CATALOGUE
from incidentd.conformance.view import schema

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "conformance.md").read_text(encoding="utf-8")


def test_the_page_lists_every_case_as_the_command_prints_them() -> None:
    """To mend it: incidentd conformance --list --markdown, between the markers."""
    between = PAGE.partition("<!-- cases -->\n")[2].partition("<!-- /cases -->")[0]
    assert between == report.table(CATALOGUE) + "\n"


def test_the_schema_in_the_documents_is_that_of_the_code() -> None:
    """To mend it: incidentd conformance --adapter-schema > docs/conformance-adapter.schema.json."""
    kept = json.loads((DOCS / "conformance-adapter.schema.json").read_text(encoding="utf-8"))
    assert kept == schema()


@pytest.mark.parametrize(
    ("place", "model"), [("/capabilities`", "Capabilities"), ("/incidents?label=", "View")]
)
def test_the_examples_of_the_page_fit_the_schema(place: str, model: str) -> None:
    example = PAGE.partition(f"`GET {{adapter}}{place}")[2].partition("```json\n")[2].partition("```")[0]
    whole: dict[str, Any] = {**schema(), "$ref": f"#/$defs/{model}"}
    jsonschema.Draft202012Validator(whole).validate(json.loads(example))


def test_no_two_cases_have_the_same_name() -> None:
    names = [case.name for case in CATALOGUE]
    assert len(set(names)) == len(names)


def test_every_case_says_why_and_where_to_read_about_it() -> None:
    assert all(case.why and case.link.startswith("https://") for case in CATALOGUE)
