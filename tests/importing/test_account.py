"""Nothing is dropped silently: every object and every field of every fixture is in the report, in both its forms."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from incidentd.importing import as_json, as_text
from incidentd.importing.report import UNKNOWN, Outcome
from tests.importing.support import FIXTURES, GIVEN, imported, loaded


def _objects(found: Any) -> Iterator[dict[str, Any]]:
    """Every object of an export, found without the importer's help."""
    if isinstance(found, list):
        for each in found:
            yield from _objects(each)
    elif "values" in found:
        yield from _resources(found["values"]["root_module"])
    elif "results" in found:
        yield from found["results"]
    elif not {"id", "name", "user_pk"} & set(found):
        for each in found.values():
            yield from _objects(each)
    else:
        yield found


def _resources(module: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (resource["values"] for resource in module.get("resources", ()))
    for child in module.get("child_modules", ()):
        yield from _resources(child)


def _fields(value: Any, path: str = "") -> Iterator[str]:
    """Paths of what is not null, found without the importer's help."""
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield from _fields(each, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
        for index, each in enumerate(value):
            yield from _fields(each, f"{path}.{index}")
    elif value is not None:
        yield path


def _name(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("channels", [{}, GIVEN], ids=["no channels", "channels"])
@pytest.mark.parametrize("fixture", FIXTURES, ids=_name)
def test_every_object_and_every_field_is_in_the_report(fixture: Path, channels: dict[str, str]) -> None:
    report = imported(fixture, channels).report
    objects = list(_objects(json.loads(fixture.read_text())))
    # Whom the export only names is added behind the objects of the export.
    assert len(report.entries) >= len(objects) > 10
    for raw, entry in zip(objects, report.entries, strict=False):
        said = {finding.field for finding in entry.fields} - {"schedule_id"}
        assert said == set(_fields(raw)), entry.id
        assert entry.id == raw.get("id") or "id" not in raw


@pytest.mark.parametrize("fixture", FIXTURES, ids=_name)
def test_no_field_of_the_documented_contract_is_unknown(fixture: Path) -> None:
    report = imported(fixture, GIVEN).report
    unknown = [(e.id, f.field) for e in report.entries for f in e.fields if f.reason == UNKNOWN]
    assert unknown == []


@pytest.mark.parametrize("fixture", FIXTURES, ids=_name)
def test_whatever_is_not_mapped_says_why(fixture: Path) -> None:
    entries = imported(fixture).report.entries
    assert [e.id for e in entries if e.outcome is not Outcome.MAPPED and not e.reason] == []
    fields = [
        (e.id, f) for e in entries for f in e.fields if f.outcome is not Outcome.MAPPED and not f.reason
    ]
    assert fields == []
    kept = [(e.id, f) for e in entries if e.outcome is Outcome.DROPPED for f in e.fields]
    assert [each for each in kept if each[1].outcome is Outcome.APPROXIMATED] == []


@pytest.mark.parametrize("fixture", FIXTURES, ids=_name)
def test_both_forms_of_the_report_name_every_object_and_field(fixture: Path) -> None:
    report = imported(fixture).report
    text, parsed = as_text(report), json.loads(as_json(report))
    assert sum(parsed["summary"].values()) == len(parsed["objects"]) == len(report.entries)
    for entry, written in zip(report.entries, parsed["objects"], strict=True):
        assert entry.id in text
        assert [each["field"] for each in written["fields"]] == [f.field for f in entry.fields]
        assert all(finding.field in text for finding in entry.fields)
    assert list(report.commands) == parsed["commands"]


@pytest.mark.parametrize("channels", [{}, GIVEN], ids=["no channels", "channels"])
@pytest.mark.parametrize("fixture", FIXTURES, ids=_name)
def test_our_own_loader_takes_what_was_written(
    fixture: Path, channels: dict[str, str], tmp_path: Path
) -> None:
    found = imported(fixture, channels)
    config = loaded(found, tmp_path)
    assert set(config.users) == set(found.config["users"])
    assert set(config.plans) == set(found.config["schedules"])
    assert set(config.escalation) == set(found.config["escalation"])
    assert len(config.route.routes) == len(found.config["route"]["routes"])


def test_a_field_of_a_later_oncall_is_told_of_too() -> None:
    found = imported({"users": [{"id": "U1", "username": "alice", "pronouns": "she"}]})
    (entry,) = found.report.entries
    assert [(f.field, f.outcome, f.reason) for f in entry.fields][-1] == (
        "pronouns",
        Outcome.DROPPED,
        UNKNOWN,
    )


@pytest.mark.parametrize("fixture", FIXTURES, ids=_name)
def test_no_secret_of_an_export_is_repeated(fixture: Path) -> None:
    found = imported(fixture)
    said = as_text(found.report) + as_json(found.report) + str(found.config)
    assert [
        s for s in ("mReAoNwDm0", "private-", "secret-path", "secretsecret", "verysecret") if s in said
    ] == []
