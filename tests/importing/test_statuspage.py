"""A page in Statuspage's shape becomes ours: every object and field is accounted for, and dates and texts are kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from incidentd.config import load
from incidentd.importing import ImportedPage, ImportRefused, as_text, as_yaml, convert_page, documents
from incidentd.importing.report import UNKNOWN, Outcome
from incidentd.web.status_history import HistoryBody

DATA = Path(__file__).parent / "data" / "statuspage"
NAMES = ("summary.json", "components.json", "incidents.json", "scheduled-maintenances.json")


def imported(**changed: bytes) -> ImportedPage:
    """The fixture, with other bytes for some of its documents."""
    files = {name: (DATA / name).read_bytes() for name in NAMES}
    files |= {name.replace("_", "-") + ".json": data for name, data in changed.items()}
    return convert_page(documents(files, [(DATA / "history.json").read_bytes()]))


def event(found: ImportedPage, code: str) -> dict[str, Any]:
    return next(e for listed in found.history.values() for e in listed if e["id"] == code)


def fields(value: Any, path: str = "") -> list[str]:
    """Paths of what is not null, found without the importer's help."""
    if isinstance(value, dict) and value:
        return [f for k, each in value.items() for f in fields(each, f"{path}.{k}".lstrip("."))]
    if isinstance(value, list) and any(isinstance(each, dict) for each in value):
        return [f for n, each in enumerate(value) for f in fields(each, f"{path}.{n}")]
    return [path] if value is not None else []


def test_every_object_and_field_is_in_the_report_and_whatever_differs_says_why() -> None:
    entries = {entry.id: entry for entry in imported().report.entries}
    for name, key in zip(NAMES[1:], ("components", "incidents", "scheduled_maintenances"), strict=True):
        for raw in json.loads((DATA / name).read_text())[key]:
            assert {f.field for f in entries[raw["id"]].fields} == set(fields(raw)), raw["name"]
    said = [(e.id, f.field) for e in entries.values() for f in e.fields if f.reason == UNKNOWN]
    # A component in an incident is its present self: it stands in the list of components.
    assert [(i, f) for i, f in said if not f.startswith("components.")] == []
    assert [e.id for e in entries.values() if e.outcome is not Outcome.MAPPED and not e.reason] == []


def test_the_configuration_is_one_that_loads_with_ids_groups_and_order(tmp_path: Path) -> None:
    found = imported()
    file = tmp_path / "incidentd.yaml"
    file.write_text(as_yaml(found.config, found.report, "Statuspage"), encoding="utf-8")
    page = load(file, {}).config.status_page
    assert (page.name, page.time_zone, page.url) == (
        "Acme",
        "America/Los_Angeles",
        "https://status.acme.example",
    )
    assert [(c.name, c.public_id, c.group) for c in page.components] == [
        ("E-mail", "h2ftsgbw7kmk", None),
        ("API requests", "8l4ygp009s5s", "Core"),
        ("Web — dashboard", "brv1bkgrwx7q", "Core"),
    ]
    assert [str(c.match[0]) for c in page.components] == [
        'service="e-mail"', 'service="api-requests"', 'service="web-dashboard"',
    ]  # fmt: skip
    assert page.components[2].only_show_if_degraded
    assert str(page.components[1].start_date) == "2024-01-31"


def test_incidents_keep_their_texts_dates_and_what_they_affected() -> None:
    found = event(imported(), "p31zjtct2jer")
    assert (found["status"], found["impact"], found["resolved_at"]) == (
        "postmortem", "major", "2026-10-03T19:00:00.000Z",
    )  # fmt: skip
    assert [u["status"] for u in found["updates"]] == [
        "investigating",
        "monitoring",
        "resolved",
        "postmortem",
    ]
    assert found["updates"][1]["body"] == "A fix & a restart.\nWe are watching."
    assert found["updates"][3]["body"] == "What happened\nA disk was full.\none".replace("\nA", "A")
    assert found["updates"][0]["affected"] == {"8l4ygp009s5s": ["operational", "major_outage"]}


def test_what_is_open_or_still_to_come_says_what_to_do() -> None:
    entries = {entry.id: entry for entry in imported().report.entries}
    assert "incidentctl status resolve" in entries["xbd5ql6yrkmr"].reason
    assert "schedule it anew" in entries["m2m2m2m2m2m2"].reason
    assert event(imported(), "m2m2m2m2m2m2")["scheduled_for"] == "2027-03-10T09:00:00.000Z"


def test_what_only_the_old_history_knows_is_taken_with_its_last_text() -> None:
    found = imported()
    old = event(found, "old1old1old1")
    assert (old["started_at"], old["resolved_at"]) == ("2024-01-01T07:30:00.000Z", "2024-01-01T08:30:00.000Z")
    assert [u["body"] for u in old["updates"]] == ["All good again."]
    assert event(found, "old2old2old2")["scheduled_until"] > event(found, "old2old2old2")["scheduled_for"]
    entry = next(e for e in found.report.entries if e.name == "No time")
    assert (entry.outcome, entry.kind) == (Outcome.DROPPED, "history")
    assert len([e for listed in found.history.values() for e in listed]) == 6


def test_the_history_is_what_the_daemon_takes() -> None:
    body = HistoryBody.model_validate_json(json.dumps(imported().history))
    assert (len(body.incidents), len(body.maintenances)) == (3, 3)


def test_the_report_names_the_command_that_follows() -> None:
    found = imported()
    text = as_text(found.report, "Statuspage")
    assert text.startswith("Statuspage import: ")
    assert text.rstrip().endswith("incidentctl status import history.json")


def hostile() -> bytes:
    raw = {
        "id": "../../etc", "name": "\u202eevil\x1b[2J", "status": "exploded", "impact": 7, "created_at": "never",
        "incident_updates": [{"id": 3, "body": "<script>alert(1)</script>" * 3, "status": None}, "no object"],
        "components": [None, {"id": []}],
    }  # fmt: skip
    return json.dumps({"incidents": [raw, {"id": "x", "name": "y"}]}).encode()


def test_odd_and_hostile_values_become_something_that_is_taken() -> None:
    found = imported(incidents=hostile())
    body = HistoryBody.model_validate_json(json.dumps(found.history))
    odd = body.incidents[0]
    assert (odd.status, odd.impact, odd.updates[0].body) == ("resolved", "none", "alert(1)" * 3)
    assert "\x1b" not in as_text(found.report)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "summary.json is missing"),
        ({"summary.json": b"<html>"}, "is not JSON"),
        ({"summary.json": b"[]"}, "is no JSON object"),
        ({"summary.json": b'{"page": {}}'}, "page.name is missing"),
        (
            {"summary.json": b'{"page": {"name": "A"}}', "incidents.json": b'{"incidents": null}'},
            "is no list",
        ),
        (
            {"summary.json": b'{"page": {"name": "A"}}', "components.json": b'{"components": [{}]}'},
            "no id and name",
        ),
    ],
)
def test_what_is_no_such_page_is_refused_with_its_place(files: dict[str, bytes], said: str) -> None:
    with pytest.raises(ImportRefused, match=said):
        documents(files)
