"""What a person's words for the public should not hold: found before they are published, and named."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

_ADDRESS = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\d)")
_ADDRESS_6 = re.compile(
    r"(?<![\w:.])(?=[\w:.]*[0-9a-f])(?:[0-9a-f]{0,4}:){2,7}(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{0,4})(?![\w:])",
    re.IGNORECASE,
)
_RUNBOOK = re.compile(r"https?://[^\s<>\"']*(?:runbook|playbook)[^\s<>\"']*", re.IGNORECASE)
_IDENTIFIER = re.compile(r"[a-z][A-Z]|[A-Za-z][-_:.][A-Za-z]|[A-Za-z]\d|\d[A-Za-z]")
"""What a name has that is no plain word: of alerts that are called `Search` or `Latency` the public may read."""
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


@dataclass(frozen=True, slots=True)
class Inside:
    """What is known of our inside, besides what anybody can tell by its looks."""

    domains: tuple[str, ...] = ()
    """Further suffixes of internal names."""
    people: tuple[str, ...] = ()
    """Names that stay inside."""
    hosts: tuple[str, ...] = ()
    """Machines that the alerts name."""
    alerts: tuple[str, ...] = ()
    """What the alerts are called."""
    links: tuple[str, ...] = ()
    """Addresses in their annotations: runbooks, dashboards."""


def findings(text: str, inside: Inside = Inside()) -> tuple[str, ...]:
    """What of `text` looks internal, in words; empty if nothing does."""
    addresses = [*_ADDRESS.findall(text), *_ADDRESS_6.findall(text)]
    found = [f"the private address {word}" for word in addresses if _private(word)]
    found += [f"the internal name {word}" for word in _whole(_INTERNAL, text)]
    for suffix in inside.domains:
        named = re.compile(rf"\b[\w-]+(?:\.[\w-]+)*\.?{re.escape(suffix.lstrip('.'))}\b", re.IGNORECASE)
        found += [f"the internal name {word}" for word in _whole(named, text)]
    found += [f"the mail address {word}" for word in _MAIL.findall(text)]
    found += ["what looks like a stack trace"] if _TRACE.search(text) else []
    found += ["what looks like a token"] if _TOKEN.search(text) else []
    found += [f"the runbook {word}" for word in _RUNBOOK.findall(text)]
    found += [f"the address {link} of an alert" for link in inside.links if link in text]
    found += [f"the name {name}" for name in inside.people if _holds(text, name)]
    hosts = [host for host in inside.hosts if len(host) >= _SHORTEST]
    found += [f"{host}, which an alert names" for host in hosts if _holds(text, host)]
    alerts = [name for name in inside.alerts if _IDENTIFIER.search(name)]
    found += [f"{name}, which is an alert" for name in alerts if _holds(text, name)]
    return tuple(dict.fromkeys(found))


def _whole(pattern: re.Pattern[str], text: str) -> list[str]:
    return [match.group() for match in pattern.finditer(text)]


def _holds(text: str, word: str) -> bool:
    # The plain look first: there may be thousands of words, and hardly any of them is in the text.
    plain = word.lower() in text.lower()
    return plain and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) is not None


def _private(word: str) -> bool:
    try:
        return not ipaddress.ip_address(word).is_global
    except ValueError:
        return False
