"""Why somebody was not told: what was open around an instant, whether they were on duty, what would have told them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from incidentd.config.explain import nearest
from incidentd.domain.escalation import Policy
from incidentd.domain.explain import Kind, Statement, counted, utc
from incidentd.domain.incident import Incident
from incidentd.store import destinations, escalations, overrides
from incidentd.store import explain as reads
from incidentd.store.engine import Tx
from incidentd.workflows import explain_past
from incidentd.workflows.explain_absence import Asked, Finding, about
from incidentd.workflows.explain_duty import Plans, contacts, duties
from incidentd.workflows.explain_facts import Facts
from incidentd.workflows.oncall import LOOK_BACK
from incidentd.workflows.respond import NotFoundError
from incidentd.workflows.rules import Rules

MOST = 20
"""Incidents of one answer, the newest."""
_LINES = 1000


class TimeRefusedError(Exception):
    """Nothing can be known of that time; the text says why and what is accepted."""


@dataclass(frozen=True, slots=True)
class Kept:
    """How long things are kept."""

    incidents: timedelta
    deliveries: timedelta


@dataclass(frozen=True, slots=True)
class Question:
    """Why `user` was not told at `at`, or within `around` of it."""

    user: str
    at: datetime
    around: timedelta


@dataclass(frozen=True, slots=True)
class WhyNot:
    """The answer."""

    since: datetime
    until: datetime
    incidents: tuple[int, ...]
    statements: tuple[Statement, ...]
    """The last one is the verdict."""


def why_not(tx: Tx, asked: Question, rules: Rules, kept: Kept, now: datetime) -> WhyNot:
    """Explain why somebody was, or was not, told. Raises `NotFoundError` for no user and `TimeRefusedError`."""
    person = rules.paging.people.get(asked.user)
    if person is None:
        raise NotFoundError(
            f'there is no user "{asked.user[:63]}"{nearest(asked.user[:63], rules.paging.people)}'
        )
    _refuse(asked.at, kept, now)
    since, until = asked.at - asked.around, min(asked.at + asked.around, now)
    question = Asked(person, asked.at, since, until, _plans(tx, rules, since))
    open_ones, more = _facts(tx, question, now)
    said: list[Statement] = []
    findings: list[Finding] = []
    for facts in open_ones:
        lines, finding = about(facts, question, _policy(facts, rules))
        said += sorted(lines, key=lambda statement: statement.at or since)
        findings.append(finding)
    statements = (
        *duties(question.plans, asked.user, asked.at),
        *contacts(person, asked.at),
        *said,
        *_limits(asked.at, kept, now, more=more),
        _verdict(asked.user, since, until, findings),
    )
    return WhyNot(since, until, tuple([facts.incident.id for facts in open_ones]), statements)


def _refuse(at: datetime, kept: Kept, now: datetime) -> None:
    if at > now:
        raise TimeRefusedError(f"lies in the future; accepted: a time until now, {utc(now)}")
    oldest = now - kept.incidents
    if at < oldest:
        raise TimeRefusedError(
            f"is older than what is kept (retention.incidents); accepted: {utc(oldest)} or later"
        )


def _plans(tx: Tx, rules: Rules, since: datetime) -> Plans:
    known = overrides.between(tx, since - LOOK_BACK) if rules.paging.schedules else ()
    history = {each.id: overrides.find(tx, each.id) for each in known if each.ends_at > since}
    made = {number: found for number, found in history.items() if found is not None}
    return Plans(rules.paging.schedules, known, made)


def _facts(tx: Tx, asked: Asked, now: datetime) -> tuple[list[Facts], bool]:
    """The incidents that were open in the window, oldest first, and whether there are more."""
    found = reads.open_between(tx, asked.since, asked.until, MOST + 1)
    ids = [incident.id for incident in found]
    entries = reads.entries(tx, ids, _LINES)
    rows = reads.deliveries(tx, ids, MOST * _LINES) if ids else []
    climbing = escalations.of(tx, ids)
    channels = {each.channel: each for each in destinations.all_of(tx)}

    def facts(incident: Incident) -> Facts:
        own = [row for row in rows if row.incident_id == incident.id]
        lines = entries[incident.id]
        return Facts(incident, lines, own, now, (), climbing.get(incident.id), channels)

    every = [facts(incident) for incident in reversed(found[:MOST])]
    was_open = [f for f in every if explain_past.open_within(f.entries, asked.since, asked.until) is not None]
    return was_open, len(found) > MOST


def _policy(facts: Facts, rules: Rules) -> Policy | None:
    """The policy that an incident escalates by: as frozen, else as configured, if that starts for its severity."""
    if facts.escalation is not None:
        return facts.escalation.policy
    policy = rules.paging.policies.get(facts.incident.escalation or "")
    fits = policy is not None and rules.paging.fits(policy, facts.incident.severity)
    return policy if fits else None


def _limits(at: datetime, kept: Kept, now: datetime, *, more: bool) -> list[Statement]:
    found = []
    if at < now - kept.deliveries:
        old = now - kept.deliveries
        text = f"Messages from before {utc(old)} are not kept (retention.deliveries): who was told then is unknown."
        found.append(Statement(None, Kind.LIMIT, text, "retention", {"before": old.isoformat()}))
    if more:
        text = f"More incidents were open: the newest {MOST} are looked at. Ask with a smaller --around."
        found.append(Statement(None, Kind.LIMIT, text, "too_much", {"most": MOST}))
    return found


def _verdict(user: str, since: datetime, until: datetime, findings: list[Finding]) -> Statement:
    if not findings:
        text = f"No incident was open from {utc(since)} to {utc(until)}: there was nothing to tell {user}."
        return Statement(None, Kind.VERDICT, text, "no_incident", {"incident": None})
    best = min(findings, key=lambda finding: finding.because)
    alike = sum(finding.because is best.because for finding in findings) - 1
    more = f" So it is with {counted(alike, 'more incident')}." if alike else ""
    return Statement(
        None, Kind.VERDICT, f"{best.text}{more}", best.because.name.lower(), {"incident": best.incident}
    )
