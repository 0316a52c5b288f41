"""Check a running status page against the public Statuspage v2 format.

Validates every document of the server at BASE_URL: JSON Schema, invariants across documents, HTTP behaviour (HEAD,
ETag/304, CORS, content type, 404) and the two feeds. Also a program:

    python -m tests.statuspage_conformance BASE_URL [--static]

prints one line per failure. `--static` is for copies behind a plain file server, which sets no headers of its own.
"""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from datetime import datetime
from email.message import Message
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from jsonschema import Draft202012Validator

Json = dict[str, Any]
SCHEMAS = Path(__file__).parent / "data" / "statuspage"
ENDPOINTS = {
    "summary": "summary.json",
    "status": "status.json",
    "components": "components.json",
    "incidents": "incidents.json",
    "incidents-unresolved": "incidents/unresolved.json",
    "scheduled-maintenances": "scheduled-maintenances.json",
    "scheduled-maintenances-upcoming": "scheduled-maintenances/upcoming.json",
    "scheduled-maintenances-active": "scheduled-maintenances/active.json",
}
FEEDS = {"history.atom": "application/atom+xml", "history.rss": "application/rss+xml"}
RANK = ["operational", "under_maintenance", "degraded_performance", "partial_outage", "major_outage"]
ATOM = "{http://www.w3.org/2005/Atom}"


class Checker:
    """Collects what is wrong."""

    def __init__(self, base: str, *, static: bool) -> None:
        self.base = base.rstrip("/")
        self.static = static
        self.failures: list[str] = []

    def check(self, ok: object, message: str) -> None:
        """Note `message` unless `ok`."""
        if not ok:
            self.failures.append(message)

    def http(self, url: str, method: str = "GET", **headers: str) -> tuple[int, Message, bytes]:
        """(status, headers, body); errors of the HTTP kind are answers, not exceptions."""
        request = urllib.request.Request(url, method=method, headers=headers)  # noqa: S310 - loopback
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def documents(self) -> dict[str, Json]:
        """Fetch and validate each document by itself."""
        docs: dict[str, Json] = {}
        for name, path in ENDPOINTS.items():
            url = f"{self.base}/api/v2/{path}"
            code, headers, body = self.http(url)
            self.check(code == 200, f"{path} -> HTTP {code}")
            if code != 200:
                continue
            self._headers(url, path, headers)
            docs[name] = json.loads(body)
            schema = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
            for error in Draft202012Validator(schema).iter_errors(docs[name]):
                place = "/".join(map(str, error.absolute_path))
                self.check(False, f"{path} {place}: {error.message[:140]}")
        self.check(self.http(f"{self.base}/api/v2/nope.json")[0] == 404, "unknown endpoint is not 404")
        return docs

    def _headers(self, url: str, path: str, headers: Message) -> None:
        kind = (headers.get("Content-Type") or "").lower().replace(" ", "")
        self.check(kind.startswith("application/json"), f"{path} content type {kind}")
        code, _, body = self.http(url, "HEAD")
        self.check(code == 200 and not body, f"{path} HEAD -> {code} (monitors probe with HEAD)")
        if self.static:
            return
        self.check(headers.get("Access-Control-Allow-Origin") == "*", f"{path} CORS header missing")
        self.check("max-age" in (headers.get("Cache-Control") or ""), f"{path} no Cache-Control max-age")
        tag = headers.get("ETag")
        self.check(tag, f"{path} no ETag")
        known = self.http(url, **{"If-None-Match": tag or ""})[0]
        self.check(known == 304, f"{path} no 304 on If-None-Match")

    def invariants(self, docs: dict[str, Json]) -> int:
        """What holds across the documents of one moment; how many events there are."""
        summary = docs["summary"]
        page, components = summary["page"], summary["components"]
        incidents = docs["incidents"]["incidents"]
        maintenances = docs["scheduled-maintenances"]["scheduled_maintenances"]
        for name, doc in docs.items():
            self.check(doc["page"]["id"] == page["id"], f"{name} page.id differs")
        self.check(summary["status"] == docs["status"]["status"], "summary.status != status.status")
        same = components == docs["components"]["components"]
        self.check(same, "summary.components != components.components")
        self._lists(docs, incidents, maintenances)
        self._components(page, components)
        by_id = {c["id"]: c for c in components}
        for event in summary["incidents"] + summary["scheduled_maintenances"]:
            for c in event["components"]:
                current = c["id"] in by_id and c["status"] == by_id[c["id"]]["status"]
                self.check(
                    current, f"{event['id']}: embedded component {c['id']} differs from the current one"
                )
        for kind, events in (("incidents", incidents), ("maintenance", maintenances)):
            for event in events:
                self._event(f"{kind}:{event['id']}", event, page)
        self._indicator(summary)
        return len(incidents) + len(maintenances)

    def _lists(self, docs: dict[str, Json], incidents: list[Json], maintenances: list[Json]) -> None:
        summary = docs["summary"]
        unresolved = [i["id"] for i in docs["incidents-unresolved"]["incidents"]]
        listed = [i["id"] for i in summary["incidents"]]
        self.check(listed == unresolved, "summary.incidents != unresolved")
        planned = {
            m["id"]
            for kind in ("upcoming", "active")
            for m in docs[f"scheduled-maintenances-{kind}"]["scheduled_maintenances"]
        }
        told = {m["id"] for m in summary["scheduled_maintenances"]}
        self.check(told == planned, "summary.scheduled_maintenances != upcoming + active")
        ids = {i["id"] for i in incidents}
        self.check(set(listed) <= ids, "unresolved not a subset of incidents")
        self.check(not ids & {m["id"] for m in maintenances}, "maintenance listed as incident")

    def _components(self, page: Json, components: list[Json]) -> None:
        by_id = {c["id"]: c for c in components}
        self.check(len(by_id) == len(components), "duplicate component ids")
        for c in components:
            self.check(c["page_id"] == page["id"], f"component {c['id']} page_id")
            if c["group_id"]:
                parent = by_id.get(c["group_id"]) or {}
                self.check(parent.get("group"), f"{c['id']} group_id dangling")
                self.check(c["id"] in parent.get("components", []), f"{c['id']} not in its group's list")
            if c["group"]:
                children = [by_id[k] for k in c["components"] if k in by_id]
                self.check(len(children) == len(c["components"]), f"group {c['id']} unknown child")
                worst = max((k["status"] for k in children), key=RANK.index, default=c["status"])
                self.check(c["status"] == worst, f"group {c['id']} status is not its worst child's")

    def _event(self, name: str, event: Json, page: Json) -> None:
        updates = event["incident_updates"]
        self.check(event["page_id"] == page["id"], f"{name} page_id")
        self.check(all(u["incident_id"] == event["id"] for u in updates), f"{name} update.incident_id")
        newest_first = sorted(updates, key=lambda u: _at(u["display_at"]), reverse=True)
        self.check(updates == newest_first, f"{name} updates not newest first")
        self.check(updates[0]["status"] == event["status"], f"{name} status is not its newest update's")
        self.check(_at(event["updated_at"]) >= _at(event["created_at"]), f"{name} updated_at < created_at")
        self.check(_at(page["updated_at"]) >= _at(event["updated_at"]), f"{name} newer than page.updated_at")
        self.check(len({u["id"] for u in updates}) == len(updates), f"{name} duplicate update ids")
        if "scheduled_for" in event:
            later = _at(event["scheduled_until"]) > _at(event["scheduled_for"])
            self.check(later, f"{name} window empty")
        for affected in [a for u in updates for a in u["affected_components"] or []]:
            self.check(set(affected) == {"code", "name", "old_status", "new_status"}, f"{name} affected")

    def _indicator(self, summary: Json) -> None:
        leaves = [c["status"] for c in summary["components"] if not c["group"]]
        indicator = summary["status"]["indicator"]
        if not summary["incidents"] and all(s == "operational" for s in leaves):
            self.check(indicator == "none", "all green but indicator != none")
        if any(s in RANK[2:] for s in leaves):
            bad = indicator in {"minor", "major", "critical"}
            self.check(bad, "degraded component but indicator says none/maintenance")

    def feeds(self, events: int) -> None:
        """Both feeds: well formed, every entry complete, ids unique."""
        for path, media in FEEDS.items():
            code, headers, body = self.http(f"{self.base}/{path}")
            self.check(code == 200, f"{path} HTTP {code}")
            kind = headers.get("Content-Type") or ""
            # A plain file server knows neither suffix.
            self.check(self.static or kind.startswith(media), f"{path} content type {kind}")
            try:
                root = ET.fromstring(body)  # noqa: S314 - of our own server
            except ET.ParseError as error:
                self.check(False, f"{path} not well formed: {error}")
                continue
            atom = path.endswith("atom")
            entries = root.findall(f"{ATOM}entry") if atom else root.findall("channel/item")
            self.check(len(entries) == min(events, 50), f"{path} {len(entries)} entries for {events} events")
            wanted = [f"{ATOM}{n}" for n in ("id", "title", "updated", "link")]
            needed = wanted if atom else ["guid", "title", "pubDate", "link"]
            for entry in entries:
                self.check(all(entry.find(n) is not None for n in needed), f"{path} incomplete entry")
            ids = {entry.findtext(needed[0]) for entry in entries}
            self.check(len(ids) == len(entries), f"{path} duplicate ids")


def _at(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")


def failures(base: str, *, static: bool = False) -> list[str]:
    """What the page at `base` does otherwise than the format; blocks while it asks."""
    checker = Checker(base, static=static)
    docs = checker.documents()
    if len(docs) == len(ENDPOINTS) and not checker.failures:
        checker.feeds(checker.invariants(docs))
    return checker.failures


if __name__ == "__main__":
    found = failures(sys.argv[1], static="--static" in sys.argv)
    sys.stdout.write("".join(f"FAIL {line}\n" for line in found) or "OK\n")
    sys.exit(min(len(found), 100))
