"""How objectives stand, and the incidents about budgets that burn too fast: opened and closed by the same rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from incidentd.domain import response
from incidentd.domain.incident import OURSELVES, Change, Entry, Incident, State, evolve
from incidentd.domain.notification import Notice
from incidentd.domain.severity import Severity
from incidentd.domain.slo import (
    ALERTNAME,
    SOURCE,
    WINDOWS,
    Burning,
    Debit,
    Objective,
    Ratios,
    Standing,
    counted,
    debits,
    ratios,
    standing,
    told_as,
)
from incidentd.store import destinations, figures, incidents, schema
from incidentd.store.engine import Tx
from incidentd.store.prepared import Ids
from incidentd.workflows.ledger import Ledger
from incidentd.workflows.rules import Rules, readable

BELIEVED: Final = timedelta(minutes=10)
"""So long a measurement tells how things are; after that nothing is known."""
_RECENT: Final = timedelta(seconds=90)
"""How old what is shown may be where it is asked for again and again: longer than the job that works it out rests."""


@dataclass(slots=True)
class Measured:
    """What Prometheus last said of one objective."""

    objective: Objective
    at: datetime
    ratios: Ratios | None
    """None: it has not answered yet."""
    error: str = ""
    """Why the last question went unanswered; empty if it was answered."""


Standings = Mapping[str, Standing | None]
"""Every objective by name; None while nothing is known of it."""


@dataclass(slots=True)
class Board:
    """The last measurements of this process, by the name of the objective."""

    of: dict[str, Measured] = field(default_factory=dict)
    standings: Standings = field(default_factory=dict)
    """As they were worked out last."""
    at: datetime | None = None
    """When that was."""

    def ratios(self, objective: Objective, now: datetime) -> Ratios | None:
        """What was measured of exactly this objective a short while ago; None if nothing was."""
        known = self.of.get(objective.name)
        if known is None or known.objective != objective or now - known.at > BELIEVED:
            return None
        return known.ratios

    def keep(self, standings: Standings, now: datetime) -> None:
        """Remember how all objectives stand `now`."""
        self.standings, self.at = standings, now

    def recent(self, objectives: Sequence[Objective], now: datetime) -> Standings | None:
        """How exactly these stood a moment ago; None if that has to be worked out."""
        if self.at is None or not timedelta() <= now - self.at <= _RECENT:
            return None
        known = [each.objective for each in self.standings.values() if each is not None]
        same = [each.name for each in objectives] == list(self.standings)
        return self.standings if same and all(each in objectives for each in known) else None

    def error(self, objective: Objective) -> str:
        """Why nothing newer is known; empty if all is well."""
        known = self.of.get(objective.name)
        return known.error if known is not None and known.objective == objective else ""


def standings(tx: Tx, rules: Rules, board: Board, now: datetime) -> Standings:
    """How every objective stands; None while its Prometheus does not answer."""
    found: dict[str, Standing | None] = {}
    for objective in rules.objectives:
        if objective.promql is not None:
            measured = board.ratios(objective, now)
        else:
            spells = figures.spells(tx, now - max(objective.window, WINDOWS["3d"]), objective.service)
            measured = ratios(objective, spells, now)
        found[objective.name] = None if measured is None else standing(objective, measured)
    return found


def debits_of(tx: Tx, objective: Objective, now: datetime) -> list[Debit]:
    """What each incident took from the budget as it stands now; none if it is not made of incidents."""
    if objective.promql is not None:
        return []
    return debits(objective, figures.spells(tx, now - objective.window, objective.service), now)


def debited(tx: Tx, rules: Rules, incident: Incident, now: datetime) -> list[tuple[Objective, Debit]]:
    """What `incident` took from each budget of the window that ends with it."""
    found = []
    at = now if incident.over_at is None else min(incident.over_at, now)
    for objective in rules.objectives:
        if objective.promql is None and objective.service == incident.service and incident.drill is None:
            spells = counted(objective, figures.spells(tx, at - objective.window, objective.service))
            found += [(objective, d) for d in debits(objective, spells, at) if d.incident == incident.id]
    return found


def group_of(name: str, severity: Severity) -> str:
    """The group key of the incident about a budget that burns."""
    return f'{SOURCE}:{{alertname="{ALERTNAME}", severity="{severity.value}", slo="{name}"}}'


def watch_due(tx: Tx, rules: Rules, board: Board, now: datetime) -> tuple[bool, Standings]:
    """Whether `watch` would change something: a read, so that an idle daemon writes nothing. And how all stand."""
    known = standings(tx, rules, board, now)
    return bool(_turns(tx, known, now)), known


def watch(tx: Tx, rules: Rules, board: Board, now: datetime) -> tuple[Change, ...]:
    """Open an incident for each budget that burns too fast, and resolve those of budgets that do not any more."""
    known = standings(tx, rules, board, now)
    turns = _turns(tx, known, now)
    if not turns:
        return ()
    incidents.lock_groups(tx, [turn.group for turn in turns])
    # Again, under the locks: another replica may have been first.
    ledger, ids = Ledger(rules, now), Ids(tx, schema.incidents, len(turns))
    for turn in _turns(tx, known, now):
        if turn.incident is not None:
            _resolve(ledger, turn.incident)
        elif turn.standing is not None and turn.rule is not None:
            _open(ids, ledger, turn.group, turn.standing, turn.rule)
    ledger.save(tx)
    return tuple(ledger.changes)


@dataclass(frozen=True, slots=True)
class _Turn:
    """An incident to open, or one to resolve."""

    group: str
    standing: Standing | None = None
    rule: Burning | None = None
    incident: Incident | None = None


def _turns(tx: Tx, known: Standings, now: datetime) -> list[_Turn]:
    open_ones = {incident.group_key: incident for incident in incidents.open_of_source(tx, SOURCE)}
    burning: dict[str, tuple[Standing, Burning]] = {}
    unknown: set[str] = set()
    for name, each in known.items():
        if each is None:
            unknown |= {group_of(name, severity) for severity in Severity}
        elif each.objective.burn_alerts:
            for rule in each.burning:
                burning.setdefault(group_of(name, told_as(each.objective, rule)), (each, rule))
    over = [group for group in sorted(open_ones) if group not in burning and group not in unknown]
    new = _not_closed(tx, [group for group in sorted(burning) if group not in open_ones], burning, now)
    return [
        *[_Turn(group, incident=open_ones[group]) for group in over],
        *[_Turn(group, *burning[group]) for group in new],
    ]


def _not_closed(
    tx: Tx, groups: Sequence[str], burning: Mapping[str, tuple[Standing, Burning]], now: datetime
) -> list[str]:
    """Those that no person has closed lately: the long window remembers what they know already."""
    closed = destinations.closed_by_people(tx, groups)
    return [
        group
        for group in groups
        if group not in closed or closed[group] <= now - WINDOWS[burning[group][1].long]
    ]


def _open(ids: Ids, ledger: Ledger, group: str, standing: Standing, rule: Burning) -> None:
    rules, objective = ledger.rules, standing.objective
    severity = told_as(objective, rule)
    labels = {"alertname": ALERTNAME, "slo": objective.name, "service": objective.service}
    decision = rules.route_of(labels, severity)
    speed = f"{standing.burn[rule.long]:.1f} times as fast as it may over {rule.long}"
    text = f"the error budget of {objective.name} is spent {speed}; {standing.left:.0%} is left"
    incident = Incident(
        id=ids.take(),
        source=SOURCE,
        group_key=group,
        title=f"Error budget of {objective.name} burns: {speed}"[:300],
        state=State.TRIGGERED,
        severity=severity,
        service=objective.service,
        labels=labels,
        # Somebody has to know, whatever the route says.
        notify=decision.notify or tuple(rules.targets),
        route=readable(decision),
        escalation=decision.escalation,
        opened_at=ledger.now,
        started_at=ledger.now,
        # It follows from what is counted already.
        counts=False,
    )
    data = {
        "route": incident.route,
        "notify": list(incident.notify),
        "slo": objective.name,
        "long": rule.long,
    }
    ledger.open(incident, Entry("triggered", OURSELVES, text, data), Notice.TRIGGERED)


def _resolve(ledger: Ledger, incident: Incident) -> None:
    change = response.ended_by_source(incident, ledger.now, ledger.now, administrative=True)
    entry = Entry("resolved", OURSELVES, "resolved: the budget burns no faster than it may", {})
    ledger.apply(Change(evolve(change.incident, counts=False), entry, change.notice))
