"""What an object must have so that it can be imported at all: everything else is a matter of the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from incidentd.importing.report import Account

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_FAR = 10 * 366 * 86400
_YEARS = range(1970, 2190)

Check = Callable[[Any], str | None]
"""What is wrong with a value, or None."""


def moment(text: object) -> datetime | None:
    """A local time as OnCall writes it (a zone is passed over, as OnCall does), or None."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found.replace(tzinfo=None) if found is not None and found.year in _YEARS else None


def _text(value: object) -> str | None:
    return None if isinstance(value, str) and value else "is no text"


def _time(value: object) -> str | None:
    good = moment(value) is not None
    return None if good else "is no time between 1970 and 2189; accepted: text such as 2026-01-05T09:00:00"


def _number(least: int, most: int) -> Check:
    def check(value: Any) -> str | None:  # noqa: ANN401 - whatever the export holds
        good = isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
        return None if good and least <= value <= most else f"is no whole number from {least} to {most}"

    return check


def _zone(value: object) -> str | None:
    try:
        ZoneInfo(str(value))
    except (KeyError, ValueError, OSError):
        return "is no time zone; accepted: a name of the IANA database, such as Europe/Berlin"
    return None


def _one_of(*accepted: str) -> Check:
    return lambda value: None if value in accepted else f"is none of {', '.join(accepted)}"


def _list_of(check: Check) -> Check:
    def checked(value: object) -> str | None:
        if not isinstance(value, list):
            return "is no list"
        return next((said for each in value if (said := check(each)) is not None), None)

    return checked


def _flag(value: object) -> str | None:
    return None if isinstance(value, bool) else "is neither true nor false"


_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "users": ("id", "username"),
    "teams": ("id",),
    "user_groups": ("id",),
    "personal_notification_rules": ("id", "user_id", "type"),
    "schedules": ("id", "name"),
    "on_call_shifts": ("id", "type", "start", "duration"),
    "shift_swaps": ("id", "schedule", "swap_start", "swap_end"),
    "final_shifts": ("schedule_id", "user_pk", "shift_start", "shift_end"),
    "escalation_chains": ("id", "name"),
    "escalation_policies": ("id", "escalation_chain_id"),
    "integrations": ("id", "name"),
    "routes": ("id", "integration_id"),
}
_TIMES = ("start", "rotation_start", "until", "swap_start", "swap_end", "shift_start", "shift_end")
_CHECKS: Mapping[str, Check] = {
    **dict.fromkeys(("id", "name", "username", "user_id", "escalation_chain_id", "integration_id"), _text),
    **dict.fromkeys(("schedule_id", "user_pk", "routing_regex", "type"), _text),
    **dict.fromkeys(_TIMES, _time),
    "duration": _number(0, _FAR),
    "interval": _number(1, 1000),
    "level": _number(-1000, 1000),
    "position": _number(-1, 100_000),
    "start_rotation_from_user_index": _number(0, 10_000),
    "frequency": _one_of("hourly", "daily", "weekly", "monthly"),
    "week_start": _one_of(*DAYS),
    "by_day": _list_of(_one_of(*DAYS)),
    "by_month": _list_of(_number(1, 12)),
    "by_monthday": _list_of(_number(-31, 31)),
    "time_zone": _zone,
    "important": _flag,
    "shifts": _list_of(_text),
    "users": _list_of(_text),
    "rolling_users": _list_of(_list_of(_text)),
    "persons_to_notify": _list_of(_text),
    "persons_to_notify_next_each_time": _list_of(_text),
    "teams": _list_of(_text),
}


def problems_of(account: Account) -> Iterator[str]:
    """What is wrong with an object, one line each: its place, what, what is accepted."""
    required = _REQUIRED.get(account.kind)
    if required is None:
        return
    where = f"{account.place} ({account.raw['id']})" if account.raw.get("id") else account.place
    for field in required:
        if account.get(field) is None:
            yield f"{where}: has no {field}; accepted: the object as OnCall's API or Terraform gives it"
    for field, check in _CHECKS.items():
        if account.kind == "shift_swaps" and field == "shifts":
            continue
        value = account.get(field)
        said = check(value) if value is not None else None
        if said is not None:
            yield f"{where}.{field}: {said}"
