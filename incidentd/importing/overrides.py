"""What holds for a while: override shifts and swaps -> commands; final shifts -> proof that the import is right."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from incidentd.domain.schedule import Override, on_duty, shifts
from incidentd.domain.schedule_time import instant
from incidentd.importing.checks import moment
from incidentd.importing.layers import utc
from incidentd.importing.people import People
from incidentd.importing.report import Account, Outcome
from incidentd.importing.schedules import Schedules
from incidentd.importing.shift import parse
from incidentd.importing.source import Export

_MOMENT = timedelta(seconds=1)
_FIELDS = ("id", "name", "type", "time_zone", "start", "duration", "users", "rotation_start", "rolling_users")


@dataclass(frozen=True, slots=True)
class _Cover:
    """Somebody stands in."""

    override: Override
    note: str

    @property
    def command(self) -> str:
        each = self.override
        times = f"{utc(each.starts_at)} {utc(each.ends_at)}"
        note = f" -m {shlex.quote(self.note)}" if self.note else ""
        return f"incidentctl override add {each.schedule} {each.user} {times}{note}"


class Overrides:
    """Commands that make them, in the order to run them."""

    def __init__(self, export: Export, schedules: Schedules, people: People, now: datetime) -> None:
        self._schedules, self._people, self._now = schedules, people, now
        self._final = export.of("final_shifts")
        self._covers: list[_Cover] = []
        for slug, zone, account in schedules.overrides:
            self._override(slug, zone, account)
        for account in export.of("shift_swaps"):
            self._swap(account)
        for account in self._final:
            self._compare(account)

    @property
    def commands(self) -> tuple[str, ...]:
        """To run once the daemon has the configuration."""
        return tuple(each.command for each in self._covers)

    def _override(self, slug: str, zone: str, account: Account) -> None:
        shift = parse(account, zone, web=True)
        begin, end = (instant(at, ZoneInfo(shift.zone)) for at in (shift.start, shift.start + shift.duration))
        users = list(shift.turns[0]) if shift.turns else []
        account.mapped(*_FIELDS)
        account.note(Outcome.DROPPED, "an override is over all layers anyway", "level", "priority_level")
        if end <= self._now:
            account.drop("it is over")
            return
        if not users:
            users = self._finally(account, slug, begin, end)
        if not users:
            why = "it names nobody: OnCall's API leaves out whom its web page chose; export final_shifts too"
            account.drop(f"{why}, or ask them")
            return
        for user in users:
            self._cover(slug, self._people.name(user), max(begin, self._now), end, account.name)
        account.settle(Outcome.MAPPED, "a command, see below", f"overrides of {slug}")
        if len(users) > 1:
            account.settle(
                Outcome.APPROXIMATED, "an override is for one person here: the last one is on duty"
            )

    def _finally(self, account: Account, slug: str, begin: datetime, end: datetime) -> list[str]:
        """Who is on duty all that time by the final shifts of the export."""
        found = [
            str(each.get("user_pk"))
            for each in self._final
            if self._schedules.slugs.get(str(each.get("schedule_id"))) == slug
            if _utc(each.get("shift_start")) <= begin and _utc(each.get("shift_end")) >= end
        ]
        if found:
            account.settle(
                Outcome.APPROXIMATED, "it names nobody: taken from whom final_shifts have all that time"
            )
        return found[:1]

    def _cover(self, slug: str, user: str, begin: datetime, end: datetime, note: str) -> None:
        override = Override(len(self._covers) + 1, slug, user, begin, end)
        self._covers.append(_Cover(override, note))

    def _swap(self, account: Account) -> None:
        slug = self._schedules.slugs.get(str(account.get("schedule")))
        begin, end = _utc(account.get("swap_start")), _utc(account.get("swap_end"))
        account.mapped("id", "schedule", "swap_start", "swap_end", "beneficiary", "benefactor", "status")
        account.note(Outcome.MAPPED, "the note of the override", "description")
        account.note(Outcome.DROPPED, "follows from the layers", "shifts", "created_at", "updated_at")
        if slug is None:
            account.drop("the export does not hold its schedule")
        elif end <= self._now:
            account.drop("it is over")
        elif not account.get("benefactor") or not account.get("beneficiary"):
            account.drop("nobody has taken it: ask again, then `incidentctl override add`")
        else:
            self._taken(account, slug, max(begin, self._now), end)

    def _taken(self, account: Account, slug: str, begin: datetime, end: datetime) -> None:
        asks, helps = (self._people.name(str(account.get(each))) for each in ("beneficiary", "benefactor"))
        plan, note = self._schedules.plan(slug), str(account.get("description") or "swap")
        mine = [each for each in shifts(plan, self._made(), begin, end) if asks in each.people]
        for each in mine:
            if each.since is not None and each.until is not None:
                self._cover(slug, helps, each.since, each.until, note)
        account.settle(Outcome.MAPPED, f"{len(mine)} commands, see below", f"overrides of {slug}")
        if not mine:
            account.settle(Outcome.APPROXIMATED, f"{asks} has no shift in that time here")
        if any(len(each.people) > 1 for each in mine):
            account.settle(Outcome.APPROXIMATED, "who was on duty beside them is not meanwhile")

    def _made(self) -> tuple[Override, ...]:
        return tuple(each.override for each in self._covers)

    def _compare(self, account: Account) -> None:
        """Who is on duty by the imported schedule when OnCall says who is."""
        slug = self._schedules.slugs.get(str(account.get("schedule_id")))
        account.mapped(
            "schedule_id", "user_pk", "shift_start", "shift_end", why="compared with the imported schedule"
        )
        account.note(Outcome.DROPPED, "the user says it", "user_email", "user_username")
        if slug is None:
            account.drop("the export does not hold its schedule")
            return
        user = self._people.name(str(account.get("user_pk")))
        differs = self._elsewise(slug, user, account)
        outcome = Outcome.APPROXIMATED if differs else Outcome.MAPPED
        account.settle(outcome, differs or "the imported schedule says the same", f"schedules.{slug}")

    def _elsewise(self, slug: str, user: str, account: Account) -> str | None:
        begin, end = _utc(account.get("shift_start")), _utc(account.get("shift_end"))
        if end <= self._now:
            return "it was before the import: not compared"
        plan, begin = self._schedules.plan(slug), max(begin, self._now)
        for at in (begin, begin + (end - begin) / 2, end - _MOMENT):
            duty = on_duty(plan, self._made(), at)
            if user not in duty.people:
                here = ", ".join(duty.people) or "nobody"
                return f"at {utc(at)} OnCall has {user} on duty, the imported schedule {here}"
        return None


def _utc(text: object) -> datetime:
    found = moment(text)
    if found is None:
        raise ValueError("no time; checked before")
    aware = datetime.fromisoformat(str(text))
    return aware.astimezone(UTC) if aware.tzinfo is not None else found.replace(tzinfo=UTC)
