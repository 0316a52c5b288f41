"""Documents -> files: the same addresses below another root, with compressed siblings and a sign of life. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from incidentd.public.documents import Document
from incidentd.public.text import stamp

CHECKED = "checked.json"
"""Says when the page was last looked at: written anew every minute, changed or not."""
HOME = "index.html"
"""What file servers and object stores show for a folder."""
_HTML = "text/html"


@dataclass(frozen=True, slots=True)
class File:
    """One file."""

    name: str
    """Its path below the root, without a slash in front."""
    body: bytes
    media: str
    cache_control: str
    encoding: str = ""
    """`gzip` for a compressed sibling."""

    @property
    def digest(self) -> str:
        """Tells whether it has changed."""
        return hashlib.sha256(self.body).hexdigest()


def files(documents: Mapping[str, Document], checked_at: datetime, *, folders: bool) -> Iterator[File]:
    """Every document as a file, each followed by its compressed sibling.

    `folders`: a page for people is `index.html` in a folder, as file servers want it; otherwise it has the name of its
    address, as object stores have it. Raises ValueError for an address that could lead out of the root.
    """
    for path, document in documents.items():
        name = _name(path, html=document.media.startswith(_HTML), folders=folders)
        yield File(name, document.body, document.media, document.cache_control)
        if document.packed is not None:
            yield File(f"{name}.gz", document.packed, document.media, document.cache_control, "gzip")
    body = json.dumps({"checked_at": stamp(checked_at)}).encode()
    yield File(CHECKED, body, "application/json; charset=utf-8", "no-cache")


def _name(path: str, *, html: bool, folders: bool) -> str:
    *folder, last = path.removeprefix("/").split("/")
    parts = [*folder, last] if last else folder  # one that ends with a slash is the home of a page
    if any(part in {"", ".", ".."} or "\\" in part or "\0" in part for part in parts):
        raise ValueError(f"{path!r} is no address of a document")
    if not last:
        return "/".join([*parts, HOME])
    name = "/".join(parts)
    return f"{name}/{HOME}" if html and folders and not name.endswith(".html") else name
