"""Runbooks as HTML that is safe to show: what the file says, never what it could do to its reader."""

from __future__ import annotations

import re

import nh3

from incidentd.runbooks.markdown import parser

_FRONT = re.compile(r"\A---[ \t]*\n.*?\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_TAGS = {
    *("h1", "h2", "h3", "h4", "h5", "h6", "p", "br", "hr", "ul", "ol", "li", "blockquote", "pre", "code"),
    *("em", "strong", "a", "table", "thead", "tbody", "tr", "th", "td"),
}
"""No images: whoever hosts one would learn when an incident is looked at."""


def body_html(text: str) -> str:
    """The Markdown of a runbook, without its front matter, as HTML without scripts, styles, images or odd links."""
    written = parser().render(_FRONT.sub("", text, count=1))
    return nh3.clean(
        written,
        tags=_TAGS,
        attributes={"a": {"href"}, "ol": {"start"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
