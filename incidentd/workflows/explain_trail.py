"""What is written beside a decision, so that it can be explained later by what was true then."""

from __future__ import annotations

import enum
from collections.abc import Mapping

from incidentd.domain.alert import Alert
from incidentd.domain.contact import Urgency
from incidentd.domain.correlate import Sighting
from incidentd.domain.explain_trail import grouping_trail, routing_trail, severity_trail
from incidentd.domain.routing import RoutingDecision
from incidentd.domain.severity import Severity
from incidentd.workflows.rules import Rules

DECISION = "decision"
"""The key of a trail in the data of a timeline entry."""


class Start(enum.StrEnum):
    """Whether an escalation starts, and why not."""

    STARTS = "starts"
    NO_POLICY = "no_policy"
    """The route names none."""
    UNKNOWN_POLICY = "unknown_policy"
    """The policy is not configured any more."""
    NO_URGENCY = "no_urgency"
    """The severity is of no urgency."""
    NO_STEP = "no_step"
    """No step of the policy is for the severity."""


def start_of(rules: Rules, policy: str | None, severity: Severity) -> Start:
    """Whether an incident of `severity` with that policy escalates."""
    if policy is None:
        return Start.NO_POLICY
    known = rules.paging.policies.get(policy)
    if known is None:
        return Start.UNKNOWN_POLICY
    if rules.paging.urgency[severity] is Urgency.NONE:
        return Start.NO_URGENCY
    return Start.STARTS if rules.paging.fits(known, severity) else Start.NO_STEP


def routed(
    rules: Rules, labels: Mapping[str, str], severity: Severity, decision: RoutingDecision
) -> dict[str, object]:
    """The trail of a route: why it, which ones were passed, which policy came with it, and whether that starts."""
    seen = {**labels, rules.severity.label: severity.value}
    policy = decision.escalation
    return {
        "routing": {"reason": decision.reason.value, **routing_trail(rules.route, seen)},
        "escalation": {"policy": policy, "start": start_of(rules, policy, severity).value},
    }


def of_alert(
    rules: Rules, alert: Alert, severity: Severity, sighting: Sighting, decision: RoutingDecision
) -> dict[str, object]:
    """The whole trail of an alert that opens, reopens or raises an incident."""
    return {
        "alertname": alert.name,
        "fingerprint": alert.fingerprint,
        "sighting": sighting.value,
        "severity": {"is": severity.value, **severity_trail(rules.severity, alert.labels)},
        "grouping": grouping_trail(rules.grouping, alert.labels),
        **routed(rules, alert.labels, severity, decision),
    }
