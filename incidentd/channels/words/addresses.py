"""Where a message leads: the incident, its runbook and steps, graph and dashboard, and the form to silence it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from incidentd.channels.words.safe import encodable
from incidentd.domain.notification import Message

MAX_URL = 2000

_URL_SAFE = "/?#[]@!$&'()*+,;=%:~"
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


class Link(NamedTuple):
    """Somewhere to go; `href` is http or https and percent-encoded."""

    text: str
    href: str


def links(message: Message) -> tuple[Link, ...]:
    """The incident, runbook, steps, graph, dashboard, silence: in this order, as far as they are http(s) addresses.

    A message about many incidents leads to the first alone: what belongs to one would mislead about the others.
    """
    found = (web_link(text, address) for text, address in _addresses(message))
    return tuple(link for link in found if link is not None)


def _addresses(message: Message) -> Iterator[tuple[str, str]]:
    incident = message.incident
    yield f"Open {incident.ref}", incident.url
    if message.many:
        return
    first = message.alerts[0] if message.alerts else None
    written = first.annotations if first is not None else {}
    yield "Runbook", incident.runbook_url or written.get("runbook_url", "")
    yield "Steps", incident.runbook.url if incident.runbook is not None else ""
    yield "Graph", first.generator_url if first is not None else ""
    yield "Dashboard", written.get("dashboard_url", "")
    # Grafana sends its own link; for Alertmanager it is made of the labels.
    yield "Silence", incident.silence_url or written.get("silence_url", "")


def silence_url(alertmanager: str, labels: Mapping[str, str]) -> str | None:
    """Alertmanager's form for a new silence, filled in to match `labels`; None if they name nothing to match.

    `alertmanager` is the address of its web interface.
    """
    # A matcher for an empty value also fits whatever lacks the label: the silence would be wider than meant.
    matchers = [f'{_name(name)}="{value.translate(_ESCAPES)}"' for name, value in labels.items() if value]
    if not matchers:
        return None
    text = quote(encodable("{" + ",".join(matchers) + "}"), safe="")
    return f"{alertmanager.rstrip('/')}/#/silences/new?filter={text}"


def _name(name: str) -> str:
    # Names outside the old alphabet are legal since Prometheus 3 and are written in quotes.
    return name if _PLAIN_NAME.fullmatch(name) else f'"{name.translate(_ESCAPES)}"'


def web_link(text: str, address: str) -> Link | None:
    """`address` as a link named `text`; None unless it is http or https, has a host and is not overlong."""
    if len(address) > MAX_URL:
        return None
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        return None
    href = quote(encodable(address), safe=_URL_SAFE)
    return Link(text, href) if len(href) <= MAX_URL else None
