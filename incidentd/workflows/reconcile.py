"""Reconciling: units of work of one round. A round of which another replica has begun the next changes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from incidentd.domain.alert import Alert, AlertStatus
from incidentd.domain.at_source import AtSource, told
from incidentd.domain.correlate import group_key
from incidentd.domain.incident import Change
from incidentd.domain.reconcile import Here, Policy, There
from incidentd.ingest.one_alert import Notes, UnusableError, careful
from incidentd.sources.answers import SourceAlert
from incidentd.store import alerts as alert_store
from incidentd.store import incidents
from incidentd.store import reconcile as store
from incidentd.store.alerts import AlertRecord
from incidentd.store.codec import loads
from incidentd.store.engine import Tx
from incidentd.workflows.ledger import Ledger
from incidentd.workflows.receive import Submission
from incidentd.workflows.rules import Rules
from incidentd.workflows.working import Workbench

FOUND = "never delivered by webhook, found by reconciling"
_QUOTED = re.compile(r"\\(.)")
_NEVER = datetime.min.replace(tzinfo=UTC)


class Heard:
    """Which of Alertmanager's receivers have posted to this process, until a round writes them down."""

    def __init__(self) -> None:
        self._names: dict[str, set[str]] = {}
        self._fresh: dict[str, set[str]] = {}

    def note(self, source: str, receiver: str) -> None:
        """A body of `source` names its receiver, quoted as a regular expression."""
        name = _QUOTED.sub(r"\1", receiver)
        known = self._names.setdefault(source, set())
        if name and name not in known:
            known.add(name)
            self._fresh.setdefault(source, set()).add(name)

    def fresh(self, source: str) -> set[str]:
        """Those not written down yet; they count as written from now on."""
        return self._fresh.pop(source, set())


@dataclass(slots=True)
class Union:
    """What fires by all members of a source together."""

    alerts: dict[str, There] = field(default_factory=dict)
    raw: dict[str, Mapping[str, object]] = field(default_factory=dict)
    """All of those that are not known here."""
    beats: bool = False
    """A heartbeat alert is among them."""


def united(
    source: str,
    answers: Iterable[Sequence[SourceAlert]],
    rules: Rules,
    policy: Policy,
    receivers: Sequence[str],
) -> Union:
    """The union of the members' answers. One member that would tell of an alert makes it active."""
    found = Union()
    sets = rules.heartbeats.get(source, ())
    for alert in [alert for answer in answers for alert in answer]:
        beat = any([all([m.matches(alert.labels) for m in matchers]) for matchers in sets])
        found.beats = found.beats or beat
        there = There(
            alert.fingerprint,
            alert.active,
            alert.silenced_by,
            alert.inhibited,
            wanted=not beat and policy.wants(alert.receivers, receivers),
        )
        known = found.alerts.get(alert.fingerprint)
        found.alerts[alert.fingerprint] = there if known is None else _both(known, there)
        if alert.raw is not None:
            found.raw.setdefault(alert.fingerprint, alert.raw)
    return found


def _both(a: There, b: There) -> There:
    """One alert as two members hold it: where one would tell of it, nothing keeps it quiet."""
    if a.active is not b.active:
        return replace(a if a.active else b, wanted=a.wanted or b.wanted)
    silences = tuple(dict.fromkeys((*a.silenced_by, *b.silenced_by)))
    inhibited, wanted = a.inhibited or b.inhibited, a.wanted or b.wanted
    return replace(a, silenced_by=silences, inhibited=inhibited, wanted=wanted)


def lost_alerts(
    source: str, lost: Sequence[str], raw: Mapping[str, Mapping[str, object]], now: datetime
) -> Submission:
    """Alerts that never came, as a post of their own. Those that cannot be understood are left out."""
    alerts = []
    for fingerprint in lost:
        item = raw.get(fingerprint)
        if item is None:
            continue  # known when the round began: the next one has all of it
        try:
            alerts.append(careful({**item, "status": "firing"}, source, now, "alert", Notes()))
        except UnusableError:
            continue
    return Submission(source, "", tuple(alerts), truncated=None, remark=FOUND)


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of alerts that are gone."""

    changes: tuple[Change, ...] = ()
    alerts: int = 0


def end_missing(
    tx: Tx, source: str, gone: Sequence[tuple[Here, datetime]], rules: Rules, now: datetime, why: str
) -> Ended:
    """End alerts that are gone, each as of when it was last known to fire.

    One that a post has spoken of since the round began is left alone.
    """
    prints = [here.fingerprint for here, _ in gone]
    incidents.lock_groups(tx, [_group(rules, r) for r in alert_store.known(tx, source, prints)])
    # Again, under the locks.
    known = {record.fingerprint: record for record in alert_store.known(tx, source, prints)}
    ledger = Ledger(rules, now)
    bench = Workbench(ledger, gone=why, tx=tx)
    ending = [(known[h.fingerprint], at) for h, at in gone if _same(known.get(h.fingerprint), h)]
    bench.load([], {r.current.incident_id for r, _ in ending if r.current.incident_id is not None}, set())
    for record, seen_at in ending:
        current = record.current
        current.ends_at = max(min(seen_at, now), current.starts_at)
        work = bench.by_id(current.incident_id)
        if work is not None:
            work.end(_title(record), current.ends_at, administrative=False)
            bench.touch(work)
    bench.end_post()
    alert_store.update(tx, [record for record, _ in ending])
    alert_store.save_occurrences(tx, [record.current for record, _ in ending], now)
    ledger.save(tx)
    return Ended(tuple(ledger.changes), len(ending))


def _same(record: AlertRecord | None, here: Here) -> bool:
    return (
        record is not None
        and record.current.firing
        and record.current.starts_at == here.starts_at
        and record.last_seen_at == here.last_seen_at
        and record.current.incident_id == here.incident_id
    )


def _group(rules: Rules, record: AlertRecord) -> str:
    return group_key(rules.grouping, record.source, record.fingerprint, loads(record.labels))


def _title(record: AlertRecord) -> str:
    labels, annotations = loads(record.labels), loads(record.annotations)
    return Alert(record.source, "", AlertStatus.FIRING, labels, annotations, _NEVER, None).title


def show(
    tx: Tx, source: str, changed: Mapping[int, AtSource | None], rules: Rules, now: datetime
) -> tuple[Change, ...]:
    """Write what is special about incidents at their source, and tell their timelines."""
    before = store.at_source(tx, list(changed))
    ledger = Ledger(rules, now)
    for incident in incidents.by_ids(tx, sorted(changed)):
        after = incident
        for entry in told(before.get(incident.id), changed[incident.id]):
            after = ledger.note(after, entry)
            ledger.changes.append(Change(after, entry))
        if after is not incident:
            ledger.put(after)
    ledger.save(tx)
    store.show(tx, source, changed)
    return tuple(ledger.changes)


def why_gone(source: str, members: int, policy: Policy) -> str:
    """The reason of a resolve, in words."""
    where = f"the Alertmanager of {source}" if members == 1 else f"all {members} Alertmanagers of {source}"
    return f"gone from {where} in {policy.rounds} rounds or more, and no resolve came"


def changed_views(
    before: Mapping[int, AtSource], after: Mapping[int, AtSource]
) -> dict[int, AtSource | None]:
    """What has to be written so that `after` is shown."""
    return {i: after.get(i) for i in sorted(before.keys() | after.keys()) if before.get(i) != after.get(i)}
