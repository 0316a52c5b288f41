"""Steps that incidentd takes within itself: a silence, a message, a draft for the status page.

Each is one transaction with what came of it, so it is done exactly once, whatever ends in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from incidentd.automation.base import Result, one_line, refused
from incidentd.domain.automation import RunState
from incidentd.domain.duration import format_duration, parse_duration
from incidentd.domain.incident import OURSELVES, ActionRefusedError, Change, Incident, State, evolve
from incidentd.domain.matcher import Matcher, parse_matcher
from incidentd.domain.notification import Notice
from incidentd.domain.placeholders import Value, parse, render
from incidentd.domain.runbook import Action, Kind
from incidentd.domain.silence import Match
from incidentd.domain.status_page.facts import Publication
from incidentd.domain.status_page.layout import Layout
from incidentd.domain.status_page.publishing import Step as PageStep
from incidentd.domain.status_page.words import Phase, Policy, Status
from incidentd.domain.status_page.words import State as PageState
from incidentd.store import publications
from incidentd.store.engine import Tx
from incidentd.store.outbox import NewDelivery
from incidentd.workflows import silences
from incidentd.workflows.automation_course import Claimed
from incidentd.workflows.ledger import Ledger
from incidentd.workflows.publishing import seen, write
from incidentd.workflows.rules import Rules

WITHIN = frozenset({Kind.SILENCE, Kind.NOTIFY, Kind.STATUS_DRAFT})
"""Kinds that are done here."""


@dataclass(frozen=True, slots=True)
class Act:
    """One of them, with what it needs besides the run."""

    claimed: Claimed
    incident: Incident
    """As it is in this transaction."""
    fresh: str
    """Random: of a silence's mark, or a publication's code."""
    public_url: str

    @property
    def actor(self) -> str:
        """Who is said to have done it."""
        return self.claimed.run.asked_by or OURSELVES

    @property
    def given(self) -> Mapping[str, object]:
        """The attributes of the step."""
        return self.claimed.action.attributes


def perform(tx: Tx, act: Act, rules: Rules, now: datetime) -> Result:
    """Do it, or say why not."""
    if act.claimed.run.dry_run:
        return _planned(act.claimed.action)
    match act.claimed.action.kind:
        case Kind.SILENCE:
            return _silence(tx, act, rules, now)
        case Kind.NOTIFY:
            return _notify(tx, act, rules, now)
        case _:
            return _draft(tx, act, rules, now)


def _planned(action: Action) -> Result:
    given = action.attributes
    match action.kind:
        case Kind.SILENCE:
            words = f"would silence for {given['duration']}"
        case Kind.NOTIFY:
            words = f"would tell {', '.join(_texts(given['channels']))}: {given['message']}"
        case _:
            words = f"would draft for the status page: {given['message']}"
    return Result(RunState.SUCCEEDED, one_line(words))


# -- silence ----------------------------------------------------------------------------------------------------
def _silence(tx: Tx, act: Act, rules: Rules, now: datetime) -> Result:
    length = parse_duration(str(act.given["duration"]))
    if (why := rules.silencing.refused(length)) is not None:
        return refused(f"the duration {format_duration(length)} {why}")
    matchers = [parse_matcher(text) for text in _texts(act.given.get("matchers"))]
    if any(matcher.op not in {"=", "=~"} for matcher in matchers):
        return refused("a silence takes = and =~ only")
    comment = str(act.given.get("comment") or f"step {act.claimed.run.number} of its runbook")
    asked = silences.Asked(length, comment, act.actor, act.fresh, tuple(map(_match, matchers)))
    try:
        made = silences.silence(tx, act.incident.id, asked, rules, now)
    except ActionRefusedError as error:
        return refused(error.detail)
    what = ", ".join(map(str, made.silences[0].matchers)) if made.silences else "nothing"
    return Result(RunState.SUCCEEDED, one_line(f"silence asked for, for {format_duration(length)}: {what}"))


def _match(matcher: Matcher) -> Match:
    return Match(matcher.name, matcher.value, matcher.op == "=~")


# -- notify -----------------------------------------------------------------------------------------------------
def _notify(tx: Tx, act: Act, rules: Rules, now: datetime) -> Result:
    incident, wanted = act.incident, _texts(act.given["channels"])
    if incident.suppressed_by is not None:
        return refused(f"maintenance {incident.suppressed_by} keeps it quiet")
    known = [name for name in wanted if name in rules.targets]
    missing = [name for name in wanted if name not in rules.targets]
    said = render(parse(str(act.given["message"])), _values(incident, act.public_url, now))
    ledger = Ledger(rules, now)
    ledger.deliveries += [
        _row(act, name, target, said, now) for name in known for target in rules.targets[name]
    ]
    # Whoever hears of it now hears of what follows.
    after = evolve(incident, notify=tuple(dict.fromkeys((*incident.notify, *known))))
    ledger.apply(Change(after))
    ledger.save(tx)
    words = f"told {', '.join(known) or 'nobody'}: {said}"
    if missing:
        return Result(RunState.FAILED, one_line(f"no channel is called {', '.join(missing)}; {words}"))
    return Result(RunState.SUCCEEDED, one_line(words))


def _row(act: Act, channel: str, target: str, said: str, now: datetime) -> NewDelivery:
    incident = act.incident
    # A channel that has not heard of it needs the whole of it; while somebody has it, nobody is to be woken.
    news = channel not in incident.notify and incident.state is State.TRIGGERED
    notice = Notice.ESCALATED if news else Notice.UPDATED
    row = (incident.id, channel, target, notice, incident.episode, act.actor, said, now, now)
    return NewDelivery(*row, incident.severity)


def _values(incident: Incident, public_url: str, now: datetime) -> Mapping[str, Value]:
    found: dict[str, Value] = {
        "incident.ref": f"INC-{incident.id}",
        "incident.title": one_line(incident.title),
        "severity": incident.severity.value,
        "state": incident.state.value,
        "service": one_line(incident.service),
        "alerts_firing": incident.alerts_firing,
        "alerts_total": incident.alerts_total,
        "labels": tuple([one_line(f"{name}={value}") for name, value in incident.labels.items()]),
        "since": incident.started_at,
        "duration": _span(now, incident),
        "url": f"{public_url.rstrip('/')}/api/v1/incidents/{incident.id}",
        "runbook_url": one_line(incident.runbook_url or ""),
    }
    return found | {f"label.{name}": one_line(value) for name, value in incident.labels.items()}


def _span(now: datetime, incident: Incident) -> str:
    return format_duration(timedelta(minutes=(now - incident.started_at) // timedelta(minutes=1)))


# -- status draft -----------------------------------------------------------------------------------------------
def _draft(tx: Tx, act: Act, rules: Rules, now: datetime) -> Result:
    layout, incident = rules.layout, act.incident
    parts = {name: layout.part(name) for name in _texts(act.given.get("components"))}
    if missing := [name for name, part in parts.items() if part is None]:
        return refused(f"status_page has no single component {', '.join(missing)}")
    if incident.drill is not None:
        return refused("a drill never becomes public")
    known = publications.newest_of(tx, [incident.id]).get(incident.id)
    if known is not None and known.open:
        return refused(f"it is public as {known.code}: incidentctl status update {known.code}")
    now_seen = seen(tx, rules, incident).effects
    named = {
        part.id: now_seen.get(part.id) or part.effect.get(incident.severity) or Status.DEGRADED
        for part in parts.values()
        if part is not None
    }
    fresh = known is None or known.state is not PageState.DRAFT
    base = _empty(act, layout, now) if fresh or known is None else known
    effects = {**base.effects, **named} or dict(now_seen)
    draft = replace(
        base,
        phase=Phase(str(act.given.get("state") or Phase.INVESTIGATING)),
        title=layout.text("title", effects, base.started_at, {}),
        effects=effects,
        baseline=now_seen,
        updated_at=now,
        draft_text=str(act.given["message"]),
    )
    return _written(tx, act, draft, rules, now)


def _empty(act: Act, layout: Layout, now: datetime) -> Publication:
    return Publication(
        id=0,
        code=act.fresh[:12],
        state=PageState.DRAFT,
        title=layout.name,
        phase=Phase.INVESTIGATING,
        policy=Policy.APPROVE,
        created_at=now,
        started_at=min(act.incident.started_at, now),
        updated_at=now,
        incident_id=act.incident.id,
    )


def _written(tx: Tx, act: Act, draft: Publication, rules: Rules, now: datetime) -> Result:
    ledger = Ledger(rules, now)
    said = f'status page: draft {draft.code} "{draft.title}"; incidentctl status publish {draft.code}'
    stored = write(tx, ledger, PageStep(draft, "status_draft", said, tell=True), act.actor, act.incident)
    ledger.save(tx)
    words = f"draft {stored.code}: {stored.draft_text}"
    return Result(RunState.SUCCEEDED, one_line(words), data={"publication": stored.code})


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list | tuple) else []
