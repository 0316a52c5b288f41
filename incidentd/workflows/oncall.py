"""Who is on duty, by the configuration and what people changed about it; overrides are made and cancelled here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from incidentd.audit.chain import timestamp
from incidentd.config import Config
from incidentd.config.explain import nearest
from incidentd.domain.schedule import Duty, Schedule, Shift, on_duty, shifts
from incidentd.store import overrides
from incidentd.store.engine import Tx
from incidentd.store.overrides import StoredOverride
from incidentd.workflows import audit
from incidentd.workflows.calendars import troubles
from incidentd.workflows.respond import NotFoundError

LOOK_BACK = timedelta(days=400)
"""How old an override may be to count for when a shift began."""
LONGEST = timedelta(days=366)
"""Of one override."""


class OverrideRefusedError(Exception):
    """The override makes no sense; the text says what is accepted."""


class OverrideEndedError(Exception):
    """It is over, so that there is nothing to cancel."""


@dataclass(frozen=True, slots=True)
class OnDuty:
    """Who is on duty in a schedule."""

    schedule: Schedule
    duty: Duty
    warnings: tuple[str, ...] = ()
    """What is not known of it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An override as somebody asked for it."""

    schedule: str
    user: str
    starts_at: datetime
    ends_at: datetime
    note: str
    actor: str


def plan_of(config: Config, name: str) -> Schedule:
    """The schedule of that name. Raises `NotFoundError`."""
    plan = config.plans.get(name)
    if plan is None:
        raise NotFoundError(f'there is no schedule "{name[:63]}"{nearest(name[:63], config.plans)}')
    return plan


def everybody(tx: Tx, config: Config, at: datetime) -> list[OnDuty]:
    """Who is on duty at `at`, in every schedule."""
    known = overrides.between(tx, at - LOOK_BACK) if config.plans else ()
    unknown = troubles(tx, config)
    return [OnDuty(plan, on_duty(plan, known, at), unknown[plan.name]) for plan in config.plans.values()]


def calendar(tx: Tx, plan: Schedule, start: datetime, end: datetime) -> tuple[Shift, ...]:
    """The shifts and gaps of a schedule from `start` until just before `end`; they tile that time."""
    return shifts(plan, overrides.between(tx, start, end, plan.name), start, end)


def add(tx: Tx, config: Config, wanted: Wanted, now: datetime) -> StoredOverride:
    """Make an override. A begin in the past is now: who was on duty stays as it was.

    The same asked for twice is one. Raises `NotFoundError` for an unknown schedule and `OverrideRefusedError`.
    """
    plan_of(config, wanted.schedule)
    wanted = replace(wanted, starts_at=max(wanted.starts_at, now))
    _judge(config, wanted, now)
    for each in overrides.between(tx, wanted.starts_at, wanted.ends_at, wanted.schedule):
        if (each.user, each.ends_at) == (wanted.user, wanted.ends_at) and each.starts_at == wanted.starts_at:
            found = overrides.find(tx, each.id)
            if found is not None:
                return found
    new = StoredOverride(
        id=0,
        schedule=wanted.schedule,
        user=wanted.user,
        starts_at=wanted.starts_at,
        ends_at=wanted.ends_at,
        created_by=wanted.actor,
        created_at=now,
        note=wanted.note,
        cancelled_at=None,
        cancelled_by=None,
    )
    made = overrides.add(tx, new)
    _audited(tx, made, "made", wanted.actor, now)
    return made


def _audited(tx: Tx, one: StoredOverride, what: str, actor: str, now: datetime) -> None:
    data = {"schedule": one.schedule, "from": timestamp(one.starts_at), "to": timestamp(one.ends_at)}
    audit.note(
        tx, now, actor, f"override.{what}", f"override:{one.id}", data, {"user": one.user, "note": one.note}
    )


def _judge(config: Config, wanted: Wanted, now: datetime) -> None:
    if wanted.user not in config.users:
        known = ", ".join(list(config.users)[:50]) or "none, for none is configured"
        raise OverrideRefusedError(
            f'"{wanted.user}" is no configured user; accepted: {known}{nearest(wanted.user, config.users)}'
        )
    if wanted.ends_at <= now:
        raise OverrideRefusedError("it ends in the past; accepted: an end after now")
    if wanted.ends_at <= wanted.starts_at:
        raise OverrideRefusedError("it ends before it begins; accepted: an end after the begin")
    if wanted.ends_at - wanted.starts_at > LONGEST:
        raise OverrideRefusedError(
            "it is longer than a year; accepted: at most 366 days, or change the layers"
        )


def cancel(tx: Tx, schedule: str | None, override_id: int, actor: str, now: datetime) -> StoredOverride:
    """End an override now, or before it begins; cancelling again changes nothing. None is any schedule.

    Raises `NotFoundError`, and `OverrideEndedError` for one that is over.
    """
    found = overrides.find(tx, override_id)
    if found is None or schedule not in (None, found.schedule):
        raise NotFoundError(
            f"there is no override {override_id}" + (f" of {schedule[:63]}" if schedule else "")
        )
    if found.cancelled_at is not None:
        return found
    if found.ends_at <= now:
        raise OverrideEndedError(f"override {override_id} has ended already")
    overrides.cancel(tx, override_id, actor, now)
    _audited(tx, found, "cancelled", actor, now)
    return replace(found, cancelled_at=now, cancelled_by=actor)
