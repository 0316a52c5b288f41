"""What scanners put into addresses: counted and logged, and nothing else: a detector that refuses can stop alerts.

Only the address of a request is looked at, never a body: what alerts say is not suspicious, however it looks.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_plus

import re2

from incidentd.security_events import Activity

_MOST: Final = 2048
"""Characters of an address that are looked at."""
_PLAIN: Final = re.compile(r"(?!.*\.\.)[A-Za-z0-9_./?=&,:@~-]*", re.ASCII)
"""Addresses that carry nothing: nearly all."""
_PATTERNS: Final = (
    (
        Activity.TRAVERSAL,
        r"(?:^|[/\\=])\.\.(?:[/\\]|$)|/etc/(?:passwd|shadow)|[a-z]:\\windows|\x00|/\.(?:git|env|svn|aws|ssh)\b",
    ),
    (
        Activity.XSS,
        r"<\s*/?\s*(?:script|svg|img|iframe|body|object)\b|javascript:|\bon(?:error|load|click|mouseover)\s*=",
    ),
    (
        Activity.SQLI,
        (
            r"\bunion\b.{0,20}\bselect\b|\b(?:or|and)\b\s+['\"]?\w+['\"]?\s*=\s*['\"]?\w+|['\"]\s*(?:or|and)\b.{0,20}="
            r"|;\s*(?:drop|delete|insert|update|alter|create)\s|\b(?:sleep|benchmark|pg_sleep|waitfor)\b\s*[(']|'\s*(?:--|#)"
        ),
    ),
    (Activity.TEMPLATE, r"\{\{.*\}\}|\$\{.*\}|\{%.*%\}|<%.*%>|#\{.*\}"),
    (
        Activity.COMMAND,
        r"[;|&`]\s*(?:cat|ls|id|whoami|wget|curl|nc|bash|sh|ping|rm|python|perl|powershell)\b|\$\(.*\)|/bin/(?:ba)?sh",
    ),
)
_ENGINE: Final = tuple([(kind, re2.compile(f"(?is){pattern}")) for kind, pattern in _PATTERNS])
"""RE2: linear in the length of what anybody may send."""
_ALSO: Final = re.compile(r"/\.(?:git|env|svn|aws|ssh)\b")


def probes(target: str) -> tuple[Activity, ...]:
    """What an address, path and query as they were sent, tries; nearly always nothing."""
    target = target[:_MOST]
    if _PLAIN.fullmatch(target) and not _ALSO.search(target):
        return ()
    # Decoded twice, as some servers do, which scanners count on.
    once = unquote_plus(target, errors="replace")
    text = f"{target}\n{once}\n{unquote_plus(once, errors='replace')}".encode("utf-8", "replace")
    return tuple([kind for kind, pattern in _ENGINE if pattern.search(text)])
