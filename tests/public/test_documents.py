"""The documents that readers of Statuspage's format get, in every case that there is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET

import orjson
import pytest

from incidentd.public import documents
from tests.public.checker import DOCUMENTS, document_faults, schema_faults
from tests.public.scenes import SCENES, sixty


def read(tree: Mapping[str, documents.Document]) -> dict[str, Any]:
    """Schema -> document."""
    return {name: orjson.loads(tree[f"/api/v2/{path}"].body) for name, path in DOCUMENTS.items()}


@pytest.mark.parametrize("scene", SCENES)
def test_every_document_of_every_scene_keeps_its_schema_and_agrees_with_the_others(scene: str) -> None:
    found = read(documents.render(SCENES[scene]()))
    faults = [fault for name, document in found.items() for fault in schema_faults(name, document)]
    assert [*faults, *document_faults(found)] == []


@pytest.mark.parametrize("scene", SCENES)
def test_every_feed_and_picture_is_well_formed(scene: str) -> None:
    tree = documents.render(SCENES[scene]())
    for path in tree:
        if path.endswith((".atom", ".rss", ".svg")):
            ET.fromstring(tree[path].body)  # noqa: S314 - our own


@pytest.mark.parametrize(
    ("scene", "indicator", "description"),
    [
        ("empty", "none", "All Systems Operational"),
        ("all green", "none", "All Systems Operational"),
        ("maintenance only", "maintenance", "Service Under Maintenance"),
        ("one outage", "major", "Partial System Outage"),
        ("overlapping", "major", "Partial System Outage"),
        ("maintenance and outage", "major", "Partial System Outage"),
        ("postmortem", "none", "All Systems Operational"),
        ("hostile", "critical", "Major Service Outage"),
    ],
)
def test_the_words_are_those_that_readers_look_for(scene: str, indicator: str, description: str) -> None:
    status = read(documents.render(SCENES[scene]()))["status"]["status"]
    assert status == {"indicator": indicator, "description": description}


def test_the_fifty_newest_incidents_are_listed_and_the_open_one_however_old_it_is() -> None:
    page = sixty()
    found = read(documents.render(page))
    listed = [incident["id"] for incident in found["incidents"]["incidents"]]
    assert (len(listed), listed[0], listed[-1]) == (50, "inc000000001", "inc000000099")
    assert [i["id"] for i in found["summary"]["incidents"]] == ["inc000000099"]


def test_every_incident_has_its_own_page_however_old_it_is() -> None:
    page = sixty()
    tree = documents.render(page)
    for incident in page.incidents:
        assert incident.name.encode() in tree[f"/incidents/{incident.id}"].body


def test_what_comes_first_in_a_feed_is_the_present_state() -> None:
    tree = documents.render(SCENES["one outage"]())
    feed = ET.fromstring(tree["/history.atom"].body)  # noqa: S314 - our own
    content = feed.findtext("{http://www.w3.org/2005/Atom}entry/{http://www.w3.org/2005/Atom}content") or ""
    assert content.index("<strong>Identified</strong>") < content.index("<strong>Investigating</strong>")
    assert "A database node ran out of disk.<br />We are moving" in content


def test_the_same_page_makes_the_same_bytes_and_another_one_another_etag() -> None:
    first, again = documents.render(SCENES["one outage"]()), documents.render(SCENES["one outage"]())
    assert {path: first[path].etag for path in first} == {path: again[path].etag for path in again}
    other = documents.render(SCENES["all green"]())
    assert first["/api/v2/status.json"].etag != other["/api/v2/status.json"].etag
