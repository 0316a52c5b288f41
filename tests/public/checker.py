"""Judges a status page, live or exported, by Atlassian Statuspage's public format: schemas, invariants, HTTP, feeds."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import datetime
from email.message import Message
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

from jsonschema import Draft202012Validator

SCHEMAS: Final = Path(__file__).parent.parent / "data" / "statuspage"
DOCUMENTS: Final = {
    "summary": "summary.json",
    "status": "status.json",
    "components": "components.json",
    "incidents": "incidents.json",
    "incidents-unresolved": "incidents/unresolved.json",
    "scheduled-maintenances": "scheduled-maintenances.json",
    "scheduled-maintenances-upcoming": "scheduled-maintenances/upcoming.json",
    "scheduled-maintenances-active": "scheduled-maintenances/active.json",
}
"""Schema -> path below `/api/v2/`."""
FEEDS: Final = {"history.atom": "application/atom+xml", "history.rss": "application/rss+xml"}
_RANK: Final = (
    "operational", "under_maintenance", "degraded_performance", "partial_outage", "major_outage",
)  # fmt: skip
_ATOM: Final = "{http://www.w3.org/2005/Atom}"
Json = dict[str, Any]


def schema_faults(name: str, document: object) -> list[str]:
    """Where one document differs from its schema."""
    schema = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    found = Draft202012Validator(schema).iter_errors(document)
    return [f"{name} {list(fault.absolute_path)}: {fault.message[:200]}" for fault in found]


def faults(base: str, *, static: bool = False) -> list[str]:
    """Everything that is wrong with the page at `base`; of a `static` copy, nothing that its server decides. Blocks."""
    found, documents = [], {}
    for name, path in DOCUMENTS.items():
        status, headers, body = _ask(f"{base}/api/v2/{path}")
        if status != 200:
            found.append(f"{path}: HTTP {status}")
            continue
        documents[name] = json.loads(body)
        found += schema_faults(name, documents[name])
        if not headers["Content-Type"].replace(" ", "").startswith("application/json"):
            found.append(f"{path}: {headers['Content-Type']}")
        found += [] if static else _http_faults(f"{base}/api/v2/{path}", headers)
    if _ask(f"{base}/api/v2/nope.json")[0] != 404:
        found.append("an unknown document is not 404")
    if found:
        return found
    events = len(documents["incidents"]["incidents"])
    events += len(documents["scheduled-maintenances"]["scheduled_maintenances"])
    return [*document_faults(documents), *_feed_faults(base, min(events, 50), static=static)]


def _ask(url: str, method: str = "GET", **headers: str) -> tuple[int, Message, bytes]:
    request = urllib.request.Request(url, method=method, headers=headers)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.headers, refused.read()


def _http_faults(url: str, headers: Message) -> Iterator[str]:
    if headers["Access-Control-Allow-Origin"] != "*":
        yield f"{url}: no CORS header, which widgets need"
    if "max-age" not in headers.get("Cache-Control", ""):
        yield f"{url}: no Cache-Control max-age"
    status, _, body = _ask(url, "HEAD")
    if status != 200 or body:
        yield f"{url}: HEAD is {status}"
    if not headers["ETag"]:
        yield f"{url}: no ETag"
    elif _ask(url, **{"If-None-Match": headers["ETag"]})[0] != 304:
        yield f"{url}: no 304 on If-None-Match"


def document_faults(documents: Mapping[str, Json]) -> list[str]:
    """What the documents of one moment say against each other."""
    return [*_agreement(documents), *_components(documents["summary"]), *_all_events(documents)]


def _agreement(documents: Mapping[str, Json]) -> Iterator[str]:
    summary = documents["summary"]
    incidents = [i["id"] for i in documents["incidents"]["incidents"]]
    unresolved = [i["id"] for i in documents["incidents-unresolved"]["incidents"]]
    plans = {m["id"] for m in documents["scheduled-maintenances"]["scheduled_maintenances"]}
    going_on = {
        m["id"]
        for name in ("upcoming", "active")
        for m in documents[f"scheduled-maintenances-{name}"]["scheduled_maintenances"]
    }
    for right, what in (
        (all(d["page"] == summary["page"] for d in documents.values()), "pages differ"),
        (summary["status"] == documents["status"]["status"], "status differs"),
        (summary["components"] == documents["components"]["components"], "components differ"),
        ([i["id"] for i in summary["incidents"]] == unresolved, "unresolved incidents differ"),
        ({m["id"] for m in summary["scheduled_maintenances"]} == going_on, "maintenances differ"),
        (set(unresolved) <= set(incidents), "an unresolved incident is none of the incidents"),
        (not set(incidents) & plans, "a maintenance is among the incidents"),
        (len(incidents) <= 50, "more than 50 incidents"),
    ):
        if not right:
            yield what


def _components(summary: Json) -> Iterator[str]:
    known = {c["id"]: c for c in summary["components"]}
    if len(known) != len(summary["components"]):
        yield "a component's id is there twice"
    for each in known.values():
        group = known.get(each["group_id"] or "")
        if each["group_id"] and (group is None or each["id"] not in group.get("components", [])):
            yield f"{each['id']} is in a group that does not know it"
        if each["group"]:
            members = [known[key]["status"] for key in each["components"] if key in known]
            if len(members) != len(each["components"]) or each["status"] != max(members, key=_RANK.index):
                yield f"group {each['id']} is not as its worst member"
    for event in summary["incidents"] + summary["scheduled_maintenances"]:
        other = [each["id"] for each in event["components"] if known.get(each["id"]) != each]
        yield from [f"{event['id']} has another {key} than the page" for key in other]
    yield from _indicator(summary, known)


def _indicator(summary: Json, known: Mapping[str, Json]) -> Iterator[str]:
    leaves, indicator = (
        [c["status"] for c in known.values() if not c["group"]],
        summary["status"]["indicator"],
    )
    if any(status in _RANK[2:] for status in leaves) and indicator in {"none", "maintenance"}:
        yield f"something is degraded, and the indicator says {indicator}"
    if not summary["incidents"] and set(leaves) <= {"operational"} and indicator != "none":
        yield f"all is well, and the indicator says {indicator}"


def _all_events(documents: Mapping[str, Json]) -> Iterator[str]:
    plans = documents["scheduled-maintenances"]["scheduled_maintenances"]
    for event in documents["incidents"]["incidents"] + plans:
        yield from [f"{event['id']}: {fault}" for fault in _event(event, documents["summary"]["page"])]


def _event(event: Json, page: Json) -> Iterator[str]:
    updates = event["incident_updates"]
    if event["page_id"] != page["id"] or {u["incident_id"] for u in updates} != {event["id"]}:
        yield "ids differ"
    if updates != sorted(updates, key=lambda u: _at(u["display_at"]), reverse=True):
        yield "updates are not the newest first"
    if updates[0]["status"] != event["status"]:
        yield "its status is not that of its newest update"
    if not _at(event["created_at"]) <= _at(event["updated_at"]) <= _at(page["updated_at"]):
        yield "it changed before it was there, or after the page"
    if len({u["id"] for u in updates}) != len(updates):
        yield "an update's id is there twice"
    if "scheduled_for" in event and _at(event["scheduled_for"]) >= _at(event["scheduled_until"]):
        yield "it ends before it begins"


def _at(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")


def _feed_faults(base: str, events: int, *, static: bool) -> Iterator[str]:
    for path, media in FEEDS.items():
        status, headers, body = _ask(f"{base}/{path}")
        if status != 200 or not (static or headers["Content-Type"].startswith(media)):
            yield f"{path}: HTTP {status}, {headers['Content-Type']}"
        root = ET.fromstring(body)  # noqa: S314 - our own
        atom = path.endswith("atom")
        entries = root.findall(f"{_ATOM}entry") if atom else root.findall("channel/item")
        if len(entries) != events:
            yield f"{path}: {len(entries)} entries for {events} events"
        names = ("id", "title", "updated", "content") if atom else ("guid", "title", "pubDate", "description")
        said = [[entry.findtext(f"{_ATOM if atom else ''}{name}") for name in names] for entry in entries]
        if not all(all(each) for each in said) or len({each[0] for each in said}) != len(said):
            yield f"{path}: an entry is incomplete, or there twice"
