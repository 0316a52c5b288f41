"""A page that stands alone as one file: its own style, drawings in it, nothing that runs and nothing it loads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from incidentd.rendering.escape import html, lines

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
# Classes of drawings: a fill that a drawing brings itself is for where there is no style.
_STYLE: Final = """
:root{color-scheme:light dark;--ink:#1d2329;--soft:#5b6670;--line:#dde2e7;--head:#f4f6f8;--paper:#fff;--mark:#fff7df;
--bar:#3f6fb5;--triggered:#c62828;--acknowledged:#b8860b;--deployment:#6a4fb3;--alert:#8a97a5}
@media(prefers-color-scheme:dark){:root{--ink:#e3e7eb;--soft:#9aa6b2;--line:#343c45;--head:#20262d;--paper:#15191e;
--mark:#302a17;--bar:#7aa5e6;--triggered:#f0706a;--acknowledged:#e0b341;--deployment:#a993ee;--alert:#76838f}}
@media print{:root{color-scheme:light}h2{break-after:avoid}tr,svg{break-inside:avoid}}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:0 auto;padding:1.5rem 1rem 4rem;color:var(--ink);
background:var(--paper);overflow-wrap:anywhere}
h1{font-size:1.5rem;line-height:1.25}h2{font-size:1.1rem;margin:2.2rem 0 .5rem}p{margin:.4rem 0}.soft{color:var(--soft)}
.wide{overflow-x:auto}table{border-collapse:collapse;min-width:min(100%,30rem)}
th,td{padding:.3rem .7rem .3rem 0;border-bottom:1px solid var(--line);text-align:left;vertical-align:top;
overflow-wrap:normal;font-variant-numeric:tabular-nums}
td{min-width:4.5rem;max-width:34rem}td:first-child{min-width:6rem}td.at{min-width:7rem}
th{color:var(--soft);font-weight:600;white-space:nowrap}
.todo{background:var(--mark);border-left:3px solid var(--acknowledged);padding:.5rem .8rem}
pre{background:var(--head);padding:.6rem .8rem;overflow-x:auto;font:13px/1.45 ui-monospace,monospace}
svg{display:block;width:100%;max-width:36rem;height:auto;color:var(--ink);margin:.3rem 0 .8rem}
svg .bar{fill:var(--bar)}svg .triggered{fill:var(--triggered)}svg .acknowledged{fill:var(--acknowledged)}
svg .deployment{fill:var(--deployment)}svg .alert{fill:var(--alert)}svg .grid{stroke:var(--line)}
"""


def page(title: str, parts: Iterable[str]) -> str:
    """The whole file; `title` is unchecked words, `parts` are elements."""
    name = html(title)
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><h1>{name}</h1>" + "".join(parts) + "</body></html>\n"
    )


def heading(title: str) -> str:
    """A section's heading."""
    return f"<h2>{html(title)}</h2>"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells of unchecked words; a narrow window scrolls the table, not the page."""
    head = "".join(f"<th>{html(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def _cell(text: str) -> str:
    # A day would be broken at its hyphens.
    kind = ' class="at"' if _DAY.match(text) else ""
    return f"<td{kind}>{html(text)}</td>"


def paragraph(text: str, kind: str = "") -> str:
    """One line of unchecked words; `kind` is a class of the style."""
    return f'<p class="{kind}">{html(text)}</p>' if kind else f"<p>{html(text)}</p>"


def block(text: str) -> str:
    """Several lines as they are."""
    inside = "\n".join([html(line) for line in lines(text).split("\n")])
    return f"<pre>{inside}</pre>"
