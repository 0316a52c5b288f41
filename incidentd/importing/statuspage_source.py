"""Bytes -> the documents of a page in Statuspage's shape, checked for what the import relies on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from incidentd.importing.source import ImportRefused

SUMMARY = "summary.json"
DOCUMENTS = (SUMMARY, "components.json", "incidents.json", "scheduled-maintenances.json")
"""What is read, below `/api/v2/`. All but the first may be missing."""
_LISTS = ("components", "incidents", "scheduled_maintenances")
_ACCEPTED = "accepted: the answers of a page in Statuspage's public API, version 2"


@dataclass(frozen=True, slots=True)
class Documents:
    """What a page told."""

    page: Mapping[str, Any]
    components: Sequence[Mapping[str, Any]]
    incidents: Sequence[Mapping[str, Any]]
    maintenances: Sequence[Mapping[str, Any]]
    months: Sequence[Mapping[str, Any]]
    """Of `/history.json`: what is older than the newest 50, in a line each."""


def documents(files: Mapping[str, bytes], history: Sequence[bytes] = ()) -> Documents:
    """The documents in `files`, by name. Raises `ImportRefused` with all problems at once."""
    problems: list[str] = []
    found = {name: _object(name, data, problems) for name, data in files.items()}
    if SUMMARY not in found:
        raise ImportRefused(f"{SUMMARY} is missing; {_ACCEPTED}")
    summary = found[SUMMARY]
    page = summary.get("page")
    if not isinstance(page, Mapping) or not isinstance(page.get("name"), str):
        problems.append(f"{SUMMARY}: page.name is missing; {_ACCEPTED}")
        page = {}
    components, incidents, maintenances = [
        _listed(found, name, key, problems) for name, key in zip(DOCUMENTS[1:], _LISTS, strict=True)
    ]
    months = [month for number, data in enumerate(history) for month in _months(number, data, problems)]
    if problems:
        raise ImportRefused(*problems)
    return Documents(page, components, incidents, maintenances, months)


def _object(name: str, data: bytes, problems: list[str]) -> Mapping[str, Any]:
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError as refused:
        problems.append(f"{name}: line {refused.lineno}: is not JSON ({refused.msg}); {_ACCEPTED}")
        return {}
    if not isinstance(found, dict):
        problems.append(f"{name}: is no JSON object; {_ACCEPTED}")
        return {}
    return found


def _listed(
    found: Mapping[str, Mapping[str, Any]], name: str, key: str, problems: list[str]
) -> list[Mapping[str, Any]]:
    """A list out of its own document, else out of the summary."""
    where, listed = (name, found[name].get(key)) if name in found else (SUMMARY, found[SUMMARY].get(key, []))
    if not isinstance(listed, list):
        problems.append(f"{where}: {key} is no list; {_ACCEPTED}")
        return []
    for index, each in enumerate(listed):
        if not isinstance(each, dict) or not all(isinstance(each.get(k), str) for k in ("id", "name")):
            problems.append(f"{where}: {key}[{index}] has no id and name; {_ACCEPTED}")
            return []
    return listed


def _months(number: int, data: bytes, problems: list[str]) -> list[Mapping[str, Any]]:
    found = _object(f"history.json, page {number + 1}", data, problems).get("months", [])
    return [month for month in found if isinstance(month, dict)] if isinstance(found, list) else []
