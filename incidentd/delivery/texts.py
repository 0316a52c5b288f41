"""The operator's own words for a channel's messages, filled in. Pure but for the log."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import structlog

from incidentd.channels import words
from incidentd.channels.base import TextsConfig
from incidentd.domain.notification import Message, Texts
from incidentd.domain.placeholders import MAX_TEXT, Value, parse, render

_LABELS = 30
_ALERTS = 20

log = structlog.get_logger()

_parsed = functools.lru_cache(maxsize=256)(parse)


def texts_for(configured: TextsConfig | None, message: Message) -> Texts | None:
    """`configured` filled in for `message`; None where the built-in words are to be said.

    Those are said of a storm and in a digest, for the operator's are about one incident, in the minimal form, and if
    filling in fails: an odd text must never keep a page from leaving.
    """
    if configured is None or message.many or message.minimal:
        return None
    try:
        values = _values(message)
        title, body = (
            render(_parsed(text), values).strip() if text else ""
            for text in (configured.title, configured.body)
        )
    except Exception:  # a fault here must not cost a page: the built-in words are always there
        log.warning("texts_failed", delivery=message.delivery_id, exc_info=True)
        return None
    return Texts(title or None, body or None) if title or body else None


def _values(message: Message) -> Mapping[str, Value]:
    """What the fields hold. Texts from outside are harmless single lines; lists are as long as people read."""
    incident = message.incident
    first = message.alerts[0] if message.alerts else None
    labels = {**incident.labels, **(first.labels if first is not None else {})}
    ended = incident.resolved_at or message.at
    found: dict[str, Value] = {
        "incident.ref": incident.ref,
        "incident.title": words.tidy(incident.title),
        "severity": str(incident.severity),
        "state": incident.state,
        "service": words.tidy(incident.service),
        "alerts_firing": incident.alerts_firing,
        "alerts_total": incident.alerts_total,
        "alerts": tuple(
            line.summary or line.name for line in words.alert_lines(message, _ALERTS, words.MAX_TITLE)
        ),
        "labels": tuple(words.label_text({n: v}, 200) for n, v in list(incident.labels.items())[:_LABELS]),
        "since": incident.started_at,
        "duration": words.span(ended - incident.started_at),
        "url": _address(incident.url),
        "runbook_url": _address(incident.runbook_url or ""),
        "notice": words.verb(message),
        "actor": words.tidy(message.actor),
        "comment": words.tidy(message.comment),
    }
    found |= {f"label.{name}": words.tidy(value, MAX_TEXT) for name, value in labels.items()}
    written = first.annotations if first is not None else {}
    return found | {f"annotation.{name}": words.tidy(value, MAX_TEXT) for name, value in written.items()}


def _address(text: str) -> str:
    """`text` if it is a web address, else nothing: what follows a scheme such as javascript: is no link."""
    link = words.web_link("", text)
    return link.href if link is not None else ""
