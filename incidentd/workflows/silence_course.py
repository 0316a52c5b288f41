"""What becomes of silences at the source: what their Alertmanagers answered, their ends, and telling of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from incidentd.domain.incident import OURSELVES, Change, Entry, Incident, evolve
from incidentd.domain.notification import Notice
from incidentd.domain.silence import Silence, State, mark_in, newest, standing
from incidentd.sources.answers import Silence as SilenceThere
from incidentd.store import incidents, settings, silences
from incidentd.store.engine import Tx
from incidentd.workflows.forgotten import owner
from incidentd.workflows.ledger import Ledger
from incidentd.workflows.reach import Reach, Reached
from incidentd.workflows.rules import Rules

OVER = "expired"
"""Alertmanager's word for a silence that holds no more."""


def settled(
    tx: Tx, claimed: Silence, after: Silence, lease_from: datetime, rules: Rules, now: datetime
) -> tuple[Change, ...]:
    """Write what an Alertmanager's answer came to, with what the timeline says of it."""
    # The incident first: whoever changes both locks them in this order.
    found = incidents.by_ids(tx, [claimed.incident_id])
    written = silences.settle(tx, claimed, after, lease_from)
    entry = None if written is None else _told(tx, claimed, written)
    return _noted(tx, found, entry, rules, now)


def _told(tx: Tx, before: Silence, after: Silence) -> Entry | None:
    """The timeline says when all of them stand as they should, and what goes wrong, once."""
    group = newest([s for s in silences.of_incident(tx, after.incident_id) if s.mark == after.mark])
    data = {"silences": [each.silence_id for each in group if each.silence_id], "mark": after.mark}
    words = standing(group)
    if after.state is State.FAILED:
        return Entry("silence_failed", OURSELVES, f"silence not made at its source: {words}", data)
    if after.last_error is not None:
        first = after.attempts == 1
        what = "cannot be ended yet" if after.state is State.EXPIRING else "not made everywhere yet"
        return Entry("silence_delayed", OURSELVES, f"silence {what}: {words}", data) if first else None
    if after.state is State.ACTIVE and not any([each.state is State.WANTED for each in group]):
        until = f"until {after.ends_at:%Y-%m-%d %H:%M} UTC"
        matchers = ", ".join(map(str, after.matchers))
        return Entry("silence_active", OURSELVES, f"silence {words} {until}: {matchers}", data)
    if after.state is State.EXPIRED and not any([each.state.live for each in group]):
        by = f" by {before.ended_by}" if before.ended_by and " " not in before.ended_by else ""
        return Entry("silence_ended", OURSELVES, f"silence at its source has ended{by}", data)
    return None


def _noted(
    tx: Tx, found: Sequence[Incident], entry: Entry | None, rules: Rules, now: datetime
) -> tuple[Change, ...]:
    if not found or entry is None:
        return ()
    ledger = Ledger(rules, now)
    ledger.apply(Change(found[0], entry))
    ledger.save(tx)
    return tuple(ledger.changes)


# -- time passes ------------------------------------------------------------------------------------------------
def tidy_due(tx: Tx, now: datetime) -> bool:
    """True if `tidy` would change something: a read."""
    found = silences.live(tx)
    return any([_run_out(each, now) or _warns(each, now) for each in found]) or bool(silences.of_resolved(tx))


def tidy(tx: Tx, rules: Rules, now: datetime) -> tuple[Change, ...]:
    """End what its incident's end has missed, note what has run out, and warn of what is about to."""
    candidates = silences.live(tx)
    held = incidents.by_ids(tx, sorted({each.incident_id for each in candidates}))
    silences.end(tx, silences.of_resolved(tx), "its incident is resolved", now)
    known, ledger = {incident.id: incident for incident in held}, Ledger(rules, now)
    groups: dict[str, list[Silence]] = {}
    for each in silences.live(tx):
        groups.setdefault(each.mark, []).append(each)
    for group in groups.values():
        incident = known.get(group[0].incident_id)
        after = _moved_on(tx, group, incident, ledger, now)
        if incident is not None and after is not None:
            known[incident.id] = after
    ledger.save(tx)
    return tuple(ledger.changes)


def _run_out(one: Silence, now: datetime) -> bool:
    return one.ends_at <= now


def _warns(one: Silence, now: datetime) -> bool:
    return one.state is State.ACTIVE and one.warned_at is None and not one.found and one.warn_at <= now


def _moved_on(
    tx: Tx, group: Sequence[Silence], incident: Incident | None, ledger: Ledger, now: datetime
) -> Incident | None:
    """One silence at all its Alertmanagers; its incident as it goes on, None if nothing is said of it."""
    over = [each for each in group if _run_out(each, now)]
    for each in over:
        silences.save(tx, _expired(each, now))
    warned = [each for each in group if _warns(each, now) and each not in over]
    for each in warned:
        silences.save(tx, replace(each, warned_at=now))
    if incident is None:
        return None
    if over and len(over) == len(group):
        never = all([each.silence_id is None for each in over])
        text = "silence was never made at its source" if never else "silence at its source has run out"
        return ledger.apply(
            Change(incident, Entry("silence_expired", OURSELVES, text, {"mark": over[0].mark}))
        )
    if warned and incident.open and all([_told_of(each, warned) for each in group]):
        return _warn(ledger, incident, warned[0])
    return None


def _told_of(one: Silence, warned: Sequence[Silence]) -> bool:
    """False if it was warned of before, at another of its Alertmanagers."""
    return one in warned or one.warned_at is None


def _expired(one: Silence, now: datetime) -> Silence:
    made = one.silence_id is not None or one.state is State.EXPIRING
    state = State.EXPIRED if made else State.FAILED
    return replace(one, state=state, ended_at=now, next_attempt_at=None, revision=one.revision + 1)


def _warn(ledger: Ledger, incident: Incident, one: Silence) -> Incident:
    firing = f"{incident.alerts_firing} alert(s) still fire" if incident.alerts_firing else "still open"
    text = f"silence of {one.created_by} at its source ends at {one.ends_at:%Y-%m-%d %H:%M} UTC, {firing}"
    data = {"until": one.ends_at.isoformat(), "mark": one.mark}
    # A waiting update would keep its place in front of this one and say nothing of it.
    free = evolve(incident, update_queued=False)
    after = ledger.apply(Change(free, Entry("silence_ending", OURSELVES, text, data), Notice.UPDATED, text))
    reached, reach = Reached(), Reach(ledger.rules, (), ledger.now, calm=True)
    for name in dict.fromkeys([owner(incident, ledger.rules), one.created_by]):
        if name in ledger.rules.paging.people:
            reach.person(reached, incident, name, OURSELVES, text, notice=Notice.UPDATED)
    ledger.deliveries += reached.rows
    return after


# -- what is really there ---------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Looked:
    """What one Alertmanager has, and what was known of it just before it was asked."""

    source: str
    alertmanager: str
    known: tuple[Silence, ...]
    there: tuple[SilenceThere, ...]


def compare(tx: Tx, looked: Looked, rules: Rules, now: datetime) -> tuple[Change, ...]:
    """Take over what people did to our silences at an Alertmanager; find those that nobody here knows of."""
    changes: list[Change] = []
    # Its clock may be behind ours: what is over by ours is left to itself.
    holding = [each for each in looked.there if each.state != OVER and each.ends_at > now]
    # All of them in one order, as everybody locks them; each is read again below, for a note moves it on.
    incidents.by_ids(tx, sorted({each.incident_id for each in looked.known}))
    for before in looked.known:
        found = incidents.by_ids(tx, [before.incident_id])
        one = silences.by_id(tx, before.id)
        if one is None or one.revision != before.revision or one.state is not State.ACTIVE:
            continue
        after, entry = _seen(one, holding, looked.there, now)
        if after is not one:
            silences.save(tx, after)
        changes += _noted(tx, found, entry, rules, now)
    _find_unknown(tx, looked, holding, now)
    return tuple(changes)


def _seen(
    one: Silence, holding: Sequence[SilenceThere], there: Sequence[SilenceThere], now: datetime
) -> tuple[Silence, Entry | None]:
    ours = [each for each in holding if each.id == one.silence_id or one.mark in each.comment]
    if ours:
        best = next((each for each in ours if each.id == one.silence_id), ours[0])
        if best.id == one.silence_id and abs((best.ends_at - one.ends_at).total_seconds()) < 1:
            return one, None
        text = f"silence changed at {one.alertmanager}: ends at {best.ends_at:%Y-%m-%d %H:%M} UTC"
        after = replace(one, silence_id=best.id, ends_at=best.ends_at, revision=one.revision + 1)
        return after, Entry("silence_changed", OURSELVES, text, {"mark": one.mark})
    if any([each.id == one.silence_id for each in there]):
        ended = replace(
            one, state=State.EXPIRED, ended_at=now, ended_by="its Alertmanager", revision=one.revision + 1
        )
        text = f"silence was ended at {one.alertmanager}"
        return ended, Entry("silence_ended", OURSELVES, text, {"mark": one.mark})
    # It has forgotten it, as after a start without its data.
    again = replace(one, state=State.WANTED, next_attempt_at=now, revision=one.revision + 1)
    text = f"silence is gone at {one.alertmanager}: it is made again"
    return again, Entry("silence_lost", OURSELVES, text, {"mark": one.mark})


def _find_unknown(tx: Tx, looked: Looked, holding: Sequence[SilenceThere], now: datetime) -> None:
    instance = settings.get(tx, "instance") or "0"
    for each in holding:
        named = mark_in(each.comment, instance)
        if named is None:
            continue
        mark, incident_id = named
        known = [one for one in silences.of_incident(tx, incident_id) if one.mark == mark]
        mine = [one for one in known if one.alertmanager == looked.alertmanager]
        if mine and not mine[-1].state.live:
            # It came to be after it was ended, by a request whose answer nobody waited for.
            late = replace(
                mine[-1], state=State.EXPIRING, ended_at=None, silence_id=each.id, next_attempt_at=now
            )
            silences.save(tx, replace(late, ends_at=each.ends_at, revision=late.revision + 1))
        elif not known:
            silences.add(tx, [_unknown(looked, each, mark, incident_id, now)])


def _unknown(looked: Looked, there: SilenceThere, mark: str, incident_id: int, now: datetime) -> Silence:
    return Silence(
        id=0,
        incident_id=incident_id,
        source=looked.source,
        alertmanager=looked.alertmanager,
        state=State.ACTIVE,
        mark=mark,
        matchers=(),
        starts_at=there.starts_at,
        ends_at=there.ends_at,
        created_by=there.created_by,
        created_at=now,
        warn_at=there.ends_at,
        comment=there.comment,
        silence_id=there.id,
        found=True,
    )
