"""What a message lists: the alerts of one incident, or the incidents of a storm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from incidentd.channels.words.addresses import Link, web_link
from incidentd.channels.words.safe import MAX_VALUE, label_text, tidy, when
from incidentd.domain.notification import AlertView, IncidentView, Message, Notice


@dataclass(frozen=True, slots=True)
class AlertLine:
    """One alert as a list shows it; in a message about many incidents, one incident."""

    firing: bool
    name: str
    summary: str
    """What is wrong in the words of the rule's author, or the labels that tell it from others."""
    since: str
    link: Link | None

    @property
    def text(self) -> str:
        """``CheckoutErrors: 42% of orders fail (since 2026-11-20 10:15 UTC)``."""
        return f"{self.name}: {self.summary} ({self.since})"


def alert_lines(message: Message, limit: int, width: int = MAX_VALUE) -> tuple[AlertLine, ...]:
    """The first `limit` alerts, or incidents if there are many; their texts at most `width` characters."""
    if message.many:
        return bundle_lines(message, limit, width)
    return tuple(_alert_line(alert, width) for alert in message.alerts[:limit])


def more_alerts(message: Message, shown: int) -> str:
    """``+3 more alerts``, or incidents, when not all are shown, else empty."""
    if message.many:
        what, left = "incident", 1 + len(message.bundle) - shown
    else:
        what, left = "alert", message.incident.alerts_total - shown
    return f"+{left} more {what}{'s' if left > 1 else ''}" if left > 0 else ""


def bundle_lines(message: Message, limit: int, width: int = MAX_VALUE) -> tuple[AlertLine, ...]:
    """The first `limit` incidents that the message tells of, its own first; one line if it is about one alone.

    A digest has those first that are open still.
    """
    incidents = [message.incident, *message.bundle]
    if message.notice is Notice.DIGEST:
        incidents.sort(key=lambda incident: incident.resolved_at is not None)
    return tuple(_incident_line(incident, width) for incident in incidents[:limit])


def summary_of(annotations: Mapping[str, str], width: int = MAX_VALUE) -> str:
    """What is wrong in the words of the rule's author; empty if it says nothing."""
    written = (annotations.get(name, "") for name in ("summary", "title", "message", "description"))
    return next((text for text in (tidy(text, width) for text in written) if text), "")


def _alert_line(alert: AlertView, width: int) -> AlertLine:
    others = {name: value for name, value in alert.labels.items() if name != "alertname"}
    is_firing = alert.status == "firing"
    ended = alert.ends_at if not is_firing else None
    return AlertLine(
        firing=is_firing,
        name=tidy(alert.labels.get("alertname", ""), 120) or "alert",
        summary=summary_of(alert.annotations, width) or label_text(others, width),
        since=f"ended {when(ended)}" if ended else f"since {when(alert.starts_at)}",
        link=web_link("source", alert.generator_url),
    )


def _incident_line(incident: IncidentView, width: int) -> AlertLine:
    ended = incident.resolved_at
    since = f"ended {when(ended)}" if ended else f"since {when(incident.started_at)}"
    if incident.acknowledged_by:
        since += f", acknowledged by {tidy(incident.acknowledged_by, 80)}"
    return AlertLine(
        firing=ended is None,
        name=f"{incident.ref} {incident.severity}",
        summary=tidy(incident.title, width) or "(no title)",
        since=since,
        link=web_link("open", incident.url),
    )
