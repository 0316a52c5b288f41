"""Incidents and maintenances of another page -> ours: with their texts, what they affected, and when."""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from incidentd.domain.status_page.layout import public_id
from incidentd.domain.status_page.words import Level, Phase, Stage, Status
from incidentd.importing.report import Account, Outcome

_ID = re.compile(r"[a-z0-9]{1,32}")
_BREAK = re.compile(r"\s*<(?:br\s*/?|/p|/li|/div)>\s*", re.IGNORECASE)
_TAG = re.compile(r"<[^>]{0,2000}>")
_WHEN = re.compile(
    r"([A-Z][a-z]{2}) +(\d{1,2}), (\d{1,2}):(\d{2})(?: - (?:([A-Z][a-z]{2}) +(\d{1,2}), )?(\d{1,2}):(\d{2}))?"
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_STILL = "is open here too; end it with incidentctl status resolve"
_QUIET = "pages are not withheld meanwhile: cancel it and schedule it anew for that"
_LONGEST = 20_000
Event = dict[str, Any]


def past_of(account: Account, known: Mapping[str, str]) -> Event:
    """One incident. `known`: id of a component there -> here."""
    phase = _one(Phase, account.get("status"), Phase.RESOLVED)
    impact = _one(Level, account.get("impact"), Level.NONE)
    made = _common(account, known, phase.value, set(Phase))
    account.settle(Outcome.MAPPED if phase.over else Outcome.APPROXIMATED, "" if phase.over else _STILL)
    account.mapped("status", "impact", "monitoring_at", "resolved_at", "started_at")
    resolved = _at(account.get("resolved_at")) or (made["updated_at"] if phase.over else None)
    return {
        **made,
        "status": phase.value,
        "impact": impact.value,
        "started_at": _at(account.get("started_at")) or made["created_at"],
        "monitoring_at": _at(account.get("monitoring_at")),
        "resolved_at": resolved if phase.over else None,
    }


def maintenance_of(account: Account, known: Mapping[str, str]) -> Event:
    """One scheduled maintenance."""
    stage = _one(Stage, account.get("status"), Stage.COMPLETED)
    made = _common(account, known, stage.value, set(Stage))
    over = stage is Stage.COMPLETED
    account.settle(Outcome.MAPPED if over else Outcome.APPROXIMATED, "" if over else _QUIET)
    account.mapped("status", "scheduled_for", "scheduled_until", "started_at", "resolved_at")
    account.note(Outcome.DROPPED, "is `maintenance` for all of them here", "impact")
    account.note(Outcome.DROPPED, "a maintenance has none here", "monitoring_at")
    first = _at(account.get("scheduled_for")) or made["created_at"]
    last = _at(account.get("scheduled_until")) or first
    return {
        **made,
        "status": stage.value,
        "scheduled_for": first,
        "scheduled_until": max(last, _later(first)),
        "started_at": None if stage is Stage.SCHEDULED else _at(account.get("started_at")) or first,
        "completed_at": (_at(account.get("resolved_at")) or last) if over else None,
    }


def _common(account: Account, known: Mapping[str, str], status: str, words: Collection[str]) -> Event:
    code = account.id if _ID.fullmatch(account.id) else public_id("imported", account.id)
    account.settle(Outcome.MAPPED, becomes=f"history {code}")
    if code == account.id:
        account.mapped("id", why="its address stays the same")
    else:
        account.note(Outcome.APPROXIMATED, "has letters that ids here have not: a new one is made", "id")
    created = _at(account.get("created_at")) or "2020-01-01T00:00:00Z"
    raw = [each for each in account.get("incident_updates") or () if isinstance(each, Mapping)]
    # They come newest first, and several may be of the same instant.
    updates = [_update(code, number, each, known, created) for number, each in enumerate(raw)][::-1]
    updates.sort(key=lambda u: u["at"])
    for each in updates:
        each["status"] = each["status"] if each["status"] in words else status
    _note_updates(account, raw)
    components = [known[c["id"]] for c in account.get("components") or () if _id_of(c) in known]
    account.mapped("name", "created_at", "components")
    account.note(Outcome.DROPPED, "follows from its id", "shortlink", "page_id")
    account.note(Outcome.DROPPED, "is of Statuspage's own reminders", "reminder_intervals")
    account.note(Outcome.DROPPED, "follows from its updates", "updated_at")
    if not updates:
        account.settle(Outcome.APPROXIMATED, "has no text: its name stands in its place")
        updates = [
            {
                "id": public_id(code, "0"),
                "status": status,
                "body": account.name,
                "at": created,
                "affected": {},
            }
        ]
    updates[-1]["status"] = status
    return {
        "id": code,
        "name": account.name[:500],
        "created_at": created,
        "updated_at": max(created, updates[-1]["at"]),
        "components": components,
        "updates": updates,
    }


def _id_of(component: object) -> str:
    return str(component.get("id")) if isinstance(component, Mapping) else ""


def _update(code: str, number: int, raw: Mapping[str, Any], known: Mapping[str, str], created: str) -> Event:
    affected = {
        known[each["code"]]: [each["old_status"], each["new_status"]]
        for each in raw.get("affected_components") or ()
        if isinstance(each, Mapping)
        and each.get("code") in known
        and {each.get("old_status"), each.get("new_status")} <= set(Status)
    }
    given = str(raw.get("id") or "")
    return {
        "id": given if _ID.fullmatch(given) else public_id(code, str(number)),
        "status": str(raw.get("status") or "resolved"),
        "body": text_of(str(raw.get("body") or "")) or "-",
        "at": _at(raw.get("display_at")) or _at(raw.get("created_at")) or created,
        "affected": affected,
    }


def _note_updates(account: Account, raw: list[Mapping[str, Any]]) -> None:
    for number, each in enumerate(raw):
        place = f"incident_updates.{number}"
        account.mapped(place)
        if _TAG.search(_BREAK.sub("", str(each.get("body") or ""))):
            account.note(
                Outcome.APPROXIMATED, "texts are plain here: the markup is left out", f"{place}.body"
            )
        own = ("custom_tweet", "tweet_id", "twitter_updated_at", "wants_twitter_update")
        account.note(Outcome.DROPPED, "nothing is posted to X here", *[f"{place}.{name}" for name in own])
        account.note(Outcome.DROPPED, "what is past is told to nobody", f"{place}.deliver_notifications")


def text_of(body: str) -> str:
    """A fragment of HTML as plain text with its line breaks."""
    lines = _BREAK.sub("\n", body.replace("\r\n", "\n"))
    return html.unescape(_TAG.sub("", lines)).strip()[:_LONGEST]


def old_one(account: Account, month: Mapping[str, Any], zone: str) -> tuple[str, Event] | None:
    """What `/history.json` has of one that is older than the newest 50: its name, its last text, its time."""
    code, name = str(account.get("code") or ""), str(account.get("name") or "")
    span = _span(text_of(str(account.get("timestamp") or "")), month, zone)
    if not _ID.fullmatch(code) or not name or span is None:
        account.drop("its time or code cannot be read")
        return None
    first, last = span
    why = "the page tells no more of it than its last text, and its time to the minute"
    account.settle(Outcome.APPROXIMATED, why, f"history {code}")
    account.mapped("code", "name", "message", "impact", "timestamp")
    planned = account.get("impact") == Level.MAINTENANCE
    status = Stage.COMPLETED.value if planned else Phase.RESOLVED.value
    body = text_of(str(account.get("message") or "")) or name
    said = {"id": public_id(code, "0"), "status": status, "body": body, "at": last, "affected": {}}
    made: Event = {
        "id": code, "name": name[:500], "status": status, "created_at": first, "updated_at": last,
        "components": [], "updates": [said], "started_at": first,
    }  # fmt: skip
    if planned:
        until = max(last, _later(first))
        return "maintenances", {
            **made,
            "scheduled_for": first,
            "scheduled_until": until,
            "completed_at": last,
        }
    impact = _one(Level, account.get("impact"), Level.NONE)
    return "incidents", {**made, "impact": impact.value, "monitoring_at": None, "resolved_at": last}


def _span(text: str, month: Mapping[str, Any], zone: str) -> tuple[str, str] | None:
    found, year = _WHEN.search(text), month.get("year")
    if found is None or not isinstance(year, int):
        return None
    word, day, hour, minute, end_word, end_day, end_hour, end_minute = found.groups()
    try:
        first = _local(year, word, int(day), int(hour), int(minute), zone)
        last = first
        if end_hour is not None:
            last = _local(year, end_word or word, int(end_day or day), int(end_hour), int(end_minute), zone)
        if last < first:  # over New Year
            last = _local(
                year + 1, end_word or word, int(end_day or day), int(end_hour), int(end_minute), zone
            )
    except ValueError:
        return None
    return _text(first), _text(last)


def _local(year: int, month: str, day: int, hour: int, minute: int, zone: str) -> datetime:
    return datetime(year, _MONTHS.index(month) + 1, day, hour, minute, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def _at(value: object) -> str | None:
    """An instant with an offset, in UTC; None for anything else."""
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return None if found.tzinfo is None else _text(found)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _later(first: str) -> str:
    return _text(datetime.fromisoformat(first) + timedelta(minutes=1))


def _one(words: Any, given: object, otherwise: Any) -> Any:  # noqa: ANN401 - a member of the enum that is given
    return words(given) if given in list(words) else otherwise
