"""What a person's words for the public should not hold: found before they are published, and named."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

_ADDRESS = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\d)")
_MAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
_TRACE = re.compile(
    r"Traceback \(most recent|^\s+at [\w.$<>]+\(|^\s*File \"[^\"]+\", line \d+|\bpanic: ", re.MULTILINE
)
_TOKEN = re.compile(
    r"\b(?:xox[abprs]-[\w-]{8,}|gh[pousr]_\w{16,}|glpat-[\w-]{16,}|AKIA[A-Z0-9]{12,}|eyJ[\w-]{10,}\.[\w-]{10,}"
    r"|sk-[\w-]{16,}|[0-9a-f]{32,})\b",
)
_INTERNAL = re.compile(
    r"\b[\w-]+(?:\.[\w-]+)*\.(?:internal|local|lan|corp|intranet|localdomain|svc)\b", re.IGNORECASE
)
_SHORTEST = 4
"""Letters of a label's value that are looked for: `api` or `eu` are words as well."""


def findings(
    text: str, *, domains: Iterable[str] = (), people: Iterable[str] = (), hosts: Iterable[str] = ()
) -> tuple[str, ...]:
    """What of `text` looks internal, in words; empty if nothing does.

    `domains`: further suffixes of internal names; `people`: names that stay inside; `hosts`: what the alerts name.
    """
    found = [f"the private address {word}" for word in _ADDRESS.findall(text) if _private(word)]
    found += [f"the internal name {word}" for word in _whole(_INTERNAL, text)]
    for suffix in domains:
        named = re.compile(rf"\b[\w-]+(?:\.[\w-]+)*\.?{re.escape(suffix.lstrip('.'))}\b", re.IGNORECASE)
        found += [f"the internal name {word}" for word in _whole(named, text)]
    found += [f"the mail address {word}" for word in _MAIL.findall(text)]
    found += ["what looks like a stack trace"] if _TRACE.search(text) else []
    found += ["what looks like a token"] if _TOKEN.search(text) else []
    found += [f"the name {name}" for name in people if _holds(text, name)]
    found += [
        f"{host}, which an alert names" for host in hosts if len(host) >= _SHORTEST and _holds(text, host)
    ]
    return tuple(dict.fromkeys(found))


def _whole(pattern: re.Pattern[str], text: str) -> list[str]:
    return [match.group() for match in pattern.finditer(text)]


def _holds(text: str, word: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) is not None


def _private(word: str) -> bool:
    try:
        return not ipaddress.ip_address(word).is_global
    except ValueError:
        return False
