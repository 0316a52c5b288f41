"""Where a browser is sent next: to a page of ours and nowhere else, also where a proxy puts us below a path."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from aiohttp import web

_PATH: Final = re.compile(r"/[A-Za-z0-9._~/?=&%:,@+-]{0,500}", re.ASCII)
_ELSEWHERE: Final = re.compile(r"//|\.\.|\A/[^/?]*:")
"""Two slashes anywhere, a way up, or a colon in the first piece: without its slash that is a scheme."""


def ours(path: str | None) -> str:
    """`path` if it is one of ours, else ``/login``: what an address says of where to go next may be anybody's words."""
    return path if path and _PATH.fullmatch(path) and not _ELSEWHERE.search(path) else "/login"


def seen_from(request: web.Request, path: str) -> str:
    """The reference from this request's page to `path`. Relative: what is in front of our paths, only browsers know."""
    return "../" * (request.path.count("/") - 1) + (path.removeprefix("/") or "./")


def sign_in_first(request: web.Request) -> str:
    """The reference to the sign-in page that leads back here."""
    return seen_from(request, f"/login?next={quote(ours(request.path_qs), safe='/')}")
