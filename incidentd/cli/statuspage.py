"""Reads a page in Statuspage's shape: from its public addresses, or from a folder in which they were saved."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from incidentd.cli.common import fail
from incidentd.importing import Documents, documents
from incidentd.importing.statuspage_source import DOCUMENTS, SUMMARY

TIMEOUT_SECONDS = 30.0
MAX_BYTES = 64 * 1024 * 1024
MAX_PAGES = 100
"""Quarters of `/history.json`: twenty-five years."""
_PATH = "/api/v2/"


def documents_of(source: str) -> Documents:
    """The documents at an address, or in a folder. Raises `ImportRefused`; exits with 1 where nothing can be read."""
    if source.startswith(("http://", "https://")):
        return _fetched(source.rstrip("/"))
    return _saved(Path(source))


def _fetched(base: str) -> Documents:
    if not urlsplit(base).hostname:
        fail(f"{base} is no address; accepted: such as https://status.example.com")
    files: dict[str, bytes] = {}
    for name in DOCUMENTS:
        body = _get(f"{base}{_PATH}{name}")
        if body is None and name == SUMMARY:
            fail(f"{base} has no {_PATH}{name}; is it a page in Statuspage's shape?")
        if body is not None:
            files[name] = body
    history: list[bytes] = []
    for number in range(1, MAX_PAGES + 1):
        body = _get(f"{base}/history.json?page={number}")
        if body is None:
            break
        history.append(body)
        if _empty(body):
            break
    return documents(files, history)


def _empty(body: bytes) -> bool:
    """A page of the history without incidents: it was the last, or is none at all."""
    try:
        found = json.loads(body)
    except ValueError:
        return True
    months = found.get("months") if isinstance(found, dict) else None
    return not isinstance(months, list) or not any(m.get("incidents") for m in months if isinstance(m, dict))


def _get(url: str) -> bytes | None:
    """The answer; None if there is nothing. Exits with 1 if it cannot be read."""
    request = urllib.request.Request(url, headers={"Accept": "application/json", "User-Agent": "incidentd"})  # noqa: S310 - http or https, as checked
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - as above
            body: bytes = answer.read(MAX_BYTES + 1)
    except urllib.error.HTTPError as refused:
        with refused:
            if refused.code in {401, 403, 404, 410}:
                return None
            fail(f"{url} answered {refused.code}; try again, or save the documents and name their folder")
    except (OSError, http.client.HTTPException) as failure:
        reason = getattr(failure, "reason", failure)
        fail(f"cannot reach {url}: {getattr(reason, 'strerror', None) or reason}")
    if len(body) > MAX_BYTES:
        fail(f"{url} is larger than {MAX_BYTES // 1024 // 1024} MiB: that is no status page")
    return body


def _saved(folder: Path) -> Documents:
    if not folder.is_dir():
        fail(f"{folder} is no folder; accepted: an address, or a folder with {', '.join(DOCUMENTS)}")
    # As they were saved by hand, or a copy of the page with its addresses.
    roots = (folder, folder / "api" / "v2")
    try:
        files = {
            name: (root / name).read_bytes()
            for root in roots
            for name in DOCUMENTS
            if (root / name).is_file()
        }
        history = [path.read_bytes() for path in sorted(folder.glob("history*.json"))]
    except OSError as refused:
        fail(f"{folder} cannot be read: {refused.strerror}")
    return documents(files, history)
