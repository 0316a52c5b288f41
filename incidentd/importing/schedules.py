"""Schedules and their shifts -> `schedules`; what only holds for a while is a matter of overrides."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from incidentd.config.schedules import Schedule
from incidentd.domain.schedule import Schedule as Plan
from incidentd.importing.layers import MAX_LAYERS, Placed, home, overlaps, placed, stacked, written
from incidentd.importing.names import Names
from incidentd.importing.people import People
from incidentd.importing.recurrence import Refused, interleaved
from incidentd.importing.report import Account, Outcome
from incidentd.importing.shift import Shift, parse
from incidentd.importing.source import Export

_SHIFT_FIELDS = (
    "id", "name", "type", "level", "start", "duration", "rotation_start", "frequency", "interval", "until",
    "week_start", "by_day", "users", "rolling_users", "start_rotation_from_user_index", "time_zone",
)  # fmt: skip
_MONTHS = 12


class Schedules:
    """IDs of OnCall's schedules to names of `schedules`."""

    def __init__(self, export: Export, people: People, now: datetime) -> None:
        self._people, self._now = people, now
        self._names = Names(frozenset())
        self._shifts = {account.id: account for account in export.of("on_call_shifts")}
        self.slugs: dict[str, str] = {}
        self.config: dict[str, dict[str, Any]] = {}
        self.overrides: list[tuple[str, str, Account]] = []
        """Name and time zone of a schedule, and an override shift of it."""
        for account in export.of("schedules"):
            if account.id in self.slugs:
                account.settle(
                    Outcome.MAPPED, "the same schedule again", f"schedules.{self.slugs[account.id]}"
                )
                account.mapped(*account.raw)
            else:
                self._schedule(account)
        listed = {id(account) for _, _, account in self.overrides}
        for account in self._shifts.values():
            if account.outcome is None and id(account) not in listed:
                account.drop("no schedule of the export lists it")

    def plan(self, slug: str) -> Plan:
        """The schedule as our engine reads it."""
        return Schedule.model_validate(self.config[slug]).plan(slug, {}, {})

    def _schedule(self, account: Account) -> None:
        slug = self._names.slug(account.name, account.id)
        self.slugs[account.id] = slug
        zone = str(account.get("time_zone") or "UTC")
        account.settle(Outcome.MAPPED, becomes=f"schedules.{slug}")
        account.mapped("id", "name", "type", "time_zone")
        _aside(account)
        shifts = [self._shifts[each] for each in account.get("shifts") or () if each in self._shifts]
        self._missing(account)
        zone, layers = self._layers(slug, zone, str(account.get("type")) == "web", shifts)
        if zone != str(account.get("time_zone") or "UTC"):
            account.note(Outcome.APPROXIMATED, f"most of its shifts are meant in {zone}", "time_zone")
        known = {user for each in layers for turn in each.piece.turns for user in turn}
        names = {user: self._people.name(user) for user in sorted(known)}
        self.config[slug] = {"time_zone": zone, "layers": written(layers, names)}
        if not layers:
            account.settle(Outcome.APPROXIMATED, "it has no layers: nobody is on duty until you write them")

    def _missing(self, account: Account) -> None:
        missing = [each for each in account.get("shifts") or () if each not in self._shifts]
        account.mapped("shifts")
        if missing:
            why = f"the export does not hold {', '.join(missing)}; export on_call_shifts too"
            account.note(Outcome.DROPPED, why, "shifts")
            account.settle(Outcome.APPROXIMATED, why)

    def _layers(self, slug: str, zone: str, web: bool, shifts: list[Account]) -> tuple[str, list[Placed]]:  # noqa: FBT001
        read: list[Shift] = []
        for account in shifts:
            account.mapped(*_SHIFT_FIELDS)
            account.note(Outcome.DROPPED, "teams own nothing here", "team_id")
            if account.get("type") == "override":
                self.overrides.append((slug, str(account.get("time_zone") or zone), account))
                continue
            refused = _by_months(account)
            if refused:
                account.drop(refused)
                continue
            read.append(parse(account, zone, web=web))
        zone = home([shift.zone for shift in read], zone)
        found: list[Placed] = []
        for shift, sources in interleaved(read):
            found += self._place(slug, shift, sources, zone)
        return zone, self._judged(found)

    def _place(self, slug: str, shift: Shift, sources: tuple[str, ...], zone: str) -> list[Placed]:
        accounts = [self._shifts[source] for source in sources]
        try:
            made, differs = placed(shift, sources, zone, self._now)
        except Refused as refused:
            for account in accounts:
                account.drop(str(refused))
            return []
        for account in accounts:
            account.settle(Outcome.MAPPED, becomes=f"schedules.{slug}.layers")
            if len(accounts) > 1:
                account.settle(Outcome.MAPPED, f"takes turns in one layer with {' and '.join(sources)}")
            for each in (*differs, *_seconds(account)):
                account.settle(Outcome.APPROXIMATED, each)
            if account.get("time_zone") not in (None, zone):
                account.note(
                    Outcome.APPROXIMATED if differs else Outcome.MAPPED, f"written in {zone}", "time_zone"
                )
        return made

    def _judged(self, layers: list[Placed]) -> list[Placed]:
        """In order, and not more than a schedule holds; what is told of both in OnCall is said."""
        order = stacked(layers)
        for extra in order[: max(0, len(order) - MAX_LAYERS)]:
            for source in extra.sources:
                self._shifts[source].drop(f"a schedule has at most {MAX_LAYERS} layers; this is below them")
        kept = order[-MAX_LAYERS:]
        for low, high in overlaps(kept):
            for each in (low, high):
                why = f"where {low.name} and {high.name} overlap OnCall tells both; here {high.name} wins"
                for source in each.sources:
                    self._shifts[source].settle(Outcome.APPROXIMATED, why)
        return kept


def _by_months(account: Account) -> str | None:
    months, days = account.get("by_month"), account.get("by_monthday")
    if months and len(set(months)) < _MONTHS:
        return "it holds in some months only, which layers cannot say; use overrides for those in question"
    if days:
        return (
            "it holds on days of the month, which layers cannot say; use overrides for the days in question"
        )
    account.mapped("by_month", "by_monthday", why="holds no month back")
    return None


def _seconds(account: Account) -> tuple[str, ...]:
    whole = str(account.get("start"))[16:19] in ("", ":00") and not int(account.get("duration")) % 60
    return () if whole else ("its seconds are cut off",)


def _aside(account: Account) -> None:
    """What of a schedule has no place in the file."""
    account.note(Outcome.DROPPED, "teams own nothing here", "team_id")
    account.note(Outcome.DROPPED, "follows from the layers: incidentctl oncall", "on_call_now")
    why = "who comes on duty is not announced here; subscribe to the schedule's calendar feed"
    account.note(Outcome.DROPPED, why, "slack")
    account.note(Outcome.MAPPED, "overrides are always possible here", "enable_web_overrides")
    for field in ("ical_url_primary", "ical_url_overrides"):
        url = account.get(field)
        if url:
            why = f"calendars are not asked for shifts; write those of {_origin(url)} as layers or overrides"
            account.note(Outcome.DROPPED, why, field)
            account.settle(Outcome.APPROXIMATED, f"{field}: {why}")


def _origin(url: object) -> str:
    """Where a calendar is; what follows the host may be a secret."""
    try:
        return urlsplit(str(url)).hostname or "that calendar"
    except ValueError:
        return "that calendar"
