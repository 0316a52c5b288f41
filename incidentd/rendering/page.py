"""A page that stands alone as one file: its own style, drawings in it, nothing that runs and nothing it loads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from incidentd.rendering.escape import html, lines

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d(?: [\d:]{5,8}Z)?")
_LONG: Final = 32
"""Characters that have no room beside others on a telephone."""
# Classes of drawings: a fill that a drawing brings itself is for where there is no style.
_STYLE: Final = """
:root{color-scheme:light dark;--ink:#1d2329;--soft:#5b6670;--line:#dde2e7;--head:#f4f6f8;--paper:#fff;--mark:#fff7df;
--bar:#3f6fb5;--triggered:#c62828;--acknowledged:#b8860b;--deployment:#6a4fb3;--alert:#8a97a5}
@media screen and (prefers-color-scheme:dark){:root{--ink:#e3e7eb;--soft:#9aa6b2;--line:#343c45;--head:#20262d;
--paper:#15191e;--mark:#302a17;--bar:#7aa5e6;--triggered:#f0706a;--acknowledged:#e0b341;--deployment:#a993ee;--alert:#76838f}}
@media print{:root{color-scheme:light}h2{break-after:avoid}tr,svg{break-inside:avoid}}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:0 auto;padding:1.5rem 1rem 4rem;color:var(--ink);
background:var(--paper);overflow-wrap:anywhere}
h1{font-size:1.5rem;line-height:1.25}h2{font-size:1.1rem;margin:2.2rem 0 .5rem}p{margin:.4rem 0}.soft{color:var(--soft)}
.wide{overflow-x:auto}table{border-collapse:collapse;min-width:min(100%,30rem)}
th,td{padding:.3rem .7rem .3rem 0;border-bottom:1px solid var(--line);text-align:left;vertical-align:top;
overflow-wrap:normal;font-variant-numeric:tabular-nums}
td{min-width:4.5rem;max-width:34rem}td:first-child{min-width:6rem;max-width:18rem;overflow-wrap:anywhere}
td.at{white-space:nowrap}.wide:focus-visible{outline:2px solid var(--bar)}
th{color:var(--soft);font-weight:600;white-space:nowrap}
.todo{background:var(--mark);border-left:3px solid var(--acknowledged);padding:.5rem .8rem}
pre{background:var(--head);padding:.6rem .8rem;overflow-x:auto;font:13px/1.45 ui-monospace,monospace}
svg{display:block;width:100%;max-width:36rem;height:auto;color:var(--ink);margin:.3rem 0 .8rem}
svg .bar{fill:var(--bar)}svg .triggered{fill:var(--triggered)}svg .acknowledged{fill:var(--acknowledged)}
svg .deployment{fill:var(--deployment)}svg .alert{fill:var(--alert)}svg .grid{stroke:var(--line)}
@media screen and (max-width:40rem){h1{font-size:1.3rem}th,td{font-size:.87rem;padding-right:.5rem}
td{min-width:0}td:first-child{min-width:5.4rem}.pairs td:first-child{min-width:7.3rem}
.cards,.cards tbody{display:block;min-width:0}.cards .head{display:none}
.cards tr{display:flex;flex-wrap:wrap;gap:.1rem 1rem;padding:.5rem 0;border-bottom:1px solid var(--line)}
.cards td,.cards td:first-child{border:0;padding:0;min-width:0;max-width:100%;overflow-wrap:anywhere}
.cards td:first-child,.cards td.long{flex:0 0 100%}.cards td:first-child{font-weight:600}.cards td:empty{display:none}
.cards td:not(:first-child)[data-name]::before{content:attr(data-name) " ";color:var(--soft)}}
"""


def page(title: str, parts: Iterable[str]) -> str:
    """The whole file; `title` is unchecked words, `parts` are elements."""
    name = html(title)
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><main><h1>{name}</h1>"
        + "".join(parts)
        + "</main></body></html>\n"
    )


def heading(title: str) -> str:
    """A section's heading."""
    return f"<h2>{html(title)}</h2>"


def table(name: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells of unchecked words. A narrow window scrolls the table, not the page; on a telephone long rows are cards."""
    heads = "".join(f'<th scope="col">{html(each)}</th>' if each else "<td></td>" for each in columns)
    known, named = list(rows), any(columns)
    head = f'<tr class="head">{heads}</tr>' if named else ""
    body = "".join("<tr>" + "".join(map(_cell, row, columns)) + "</tr>" for row in known)
    dated = any(_DAY.fullmatch(text) for row in known for text in row)
    long = dated or any(len(text) > _LONG for row in known for text in row[1:])
    kind = "pairs" if not named else "cards" if long else "plain"
    region = f'role="region" tabindex="0" aria-label="{html(name)}"'
    return f'<div class="wide" {region}><table class="{kind}">{head}{body}</table></div>'


def _cell(text: str, column: str) -> str:
    # A day would be broken at its hyphens.
    kind = "at" if _DAY.fullmatch(text) else "long" if len(text) > _LONG else ""
    told = f' class="{kind}"' if kind else ""
    # What a card says in front of it.
    named = f' data-name="{html(column)}"' if column else ""
    return f"<td{told}{named}>{html(text)}</td>"


def paragraph(text: str, kind: str = "") -> str:
    """One line of unchecked words; `kind` is a class of the style."""
    return f'<p class="{kind}">{html(text)}</p>' if kind else f"<p>{html(text)}</p>"


def block(text: str) -> str:
    """Several lines as they are."""
    inside = "\n".join([html(line) for line in lines(text).split("\n")])
    return f'<pre tabindex="0">{inside}</pre>'
