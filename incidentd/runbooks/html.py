"""Runbooks as HTML that is safe to show: what the file says, never what it could do to its reader."""

from __future__ import annotations

import re
from collections.abc import Mapping

import nh3

from incidentd.domain.runbook_query import fill_query
from incidentd.runbooks.markdown import parser, step_kind

_FRONT = re.compile(r"\A---[ \t]*\n.*?\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_TAGS = {
    *("h1", "h2", "h3", "h4", "h5", "h6", "p", "br", "hr", "ul", "ol", "li", "blockquote", "pre", "code"),
    *("em", "strong", "a", "table", "thead", "tbody", "tr", "th", "td"),
}
"""No images: whoever hosts one would learn when an incident is looked at."""


def body_html(text: str, labels: Mapping[str, str] | None = None) -> str:
    """The Markdown of a runbook, without its front matter, as HTML without scripts, styles, images or odd links.

    Queries show the values of `labels`, so that they can be pasted where somebody wants to ask more.
    """
    tokens = parser().parse(_FRONT.sub("", text, count=1))
    for token in tokens:
        if (kind := step_kind(token)) is not None:
            filled = fill_query(token.content, labels) if labels is not None else token.content
            token.content = f"# {kind}\n{filled}"
    written = parser().renderer.render(tokens, parser().options, {})
    return nh3.clean(
        written,
        tags=_TAGS,
        attributes={"a": {"href"}, "ol": {"start"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
