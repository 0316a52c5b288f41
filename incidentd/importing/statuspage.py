"""A page in Statuspage's shape -> our `status_page` section, its history, and a report on every part of both."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from incidentd.importing.names import Names
from incidentd.importing.report import Account, Outcome, Report
from incidentd.importing.statuspage_history import maintenance_of, old_one, past_of
from incidentd.importing.statuspage_source import Documents

_ID = re.compile(r"[a-z0-9]{1,32}")
_FOLLOWS = "follows from what happens"
_MATCH = "nothing in the page says which alerts concern it: write them into match"


@dataclass(frozen=True, slots=True)
class ImportedPage:
    """What came of a page."""

    config: Mapping[str, Any]
    """Our section `status_page`."""
    history: Mapping[str, list[dict[str, Any]]]
    """`incidents` and `maintenances`, as `incidentctl status import` sends them."""
    report: Report


def convert_page(found: Documents) -> ImportedPage:
    """Our configuration and history for `found`."""
    page = Account("page", "summary.json page", found.page)
    section = _page(page)
    components, accounts, known = _components(found)
    incidents = [_account("incidents", each) for each in found.incidents]
    planned = [_account("scheduled_maintenances", each) for each in found.maintenances]
    history: dict[str, list[dict[str, Any]]] = {
        "incidents": [past_of(account, known) for account in incidents],
        "maintenances": [maintenance_of(account, known) for account in planned],
    }
    older = _older(found, section["time_zone"], history)
    accounts = [page, *accounts, *incidents, *planned, *older]
    commands = ("incidentctl status import history.json",) if any(history.values()) else ()
    entries = tuple(account.entry() for account in accounts)
    return ImportedPage(
        {"status_page": {**section, "components": components}}, history, Report(entries, commands)
    )


def _page(page: Account) -> dict[str, Any]:
    section: dict[str, Any] = {"name": page.get("name"), "time_zone": "Etc/UTC"}
    page.settle(Outcome.MAPPED, becomes="status_page")
    page.mapped("name")
    zone, url = page.get("time_zone"), str(page.get("url") or "")
    if zone in zoneinfo.available_timezones():
        section["time_zone"] = zone
        page.mapped("time_zone")
    else:
        page.note(Outcome.APPROXIMATED, "no zone of the IANA database: Etc/UTC is taken", "time_zone")
    host = urlsplit(url).hostname or ""
    if url.startswith(("http://", "https://")) and not host.endswith("statuspage.io"):
        section["url"] = url.rstrip("/")
        page.mapped("url", why="incidentd, or its export, has to answer there")
    else:
        page.note(Outcome.DROPPED, "is Statuspage's own host: set status_page.url to yours", "url")
    page.note(Outcome.DROPPED, "is made of the page's name here; readers take it as opaque", "id")
    page.note(Outcome.DROPPED, _FOLLOWS, "updated_at")
    return section


def _account(kind: str, raw: Mapping[str, Any]) -> Account:
    return Account(kind, f"{kind} {raw.get('id')}", raw)


def _components(found: Documents) -> tuple[list[dict[str, Any]], list[Account], dict[str, str]]:
    """Our components, the accounts of all rows, and id there -> id here."""
    accounts = [_account("components", raw) for raw in found.components]
    groups = {account.id: account for account in accounts if account.get("group") is True}
    order = {key: account.get("position") for key, account in groups.items()}
    leaves = [account for account in accounts if account.id not in groups]
    leaves.sort(
        key=lambda a: (_place(order.get(a.get("group_id"), a.get("position"))), _place(a.get("position")))
    )
    slugs, known = Names(frozenset()), dict[str, str]()
    made: list[dict[str, Any]] = []
    for group in groups.values():
        _heading(group)
    for leaf in leaves:
        ours = _leaf(leaf, groups, slugs, f"status_page.components.{len(made)}")
        made.append(ours)
        if "id" in ours:
            known[leaf.id] = ours["id"]
    return made, accounts, known


def _place(value: object) -> int:
    return value if isinstance(value, int) else 0


def _heading(group: Account) -> None:
    group.settle(Outcome.MAPPED, becomes="status_page.components")
    group.mapped("name", "id", "group", "components", "position", why="the heading of its components")
    group.note(Outcome.DROPPED, "headings have none here", "description", "showcase", "start_date")
    group.note(Outcome.DROPPED, _FOLLOWS, "status", "created_at", "updated_at", "page_id", "group_id")
    group.note(Outcome.DROPPED, "is said of each component", "only_show_if_degraded")


def _leaf(leaf: Account, groups: Mapping[str, Account], slugs: Names, where: str) -> dict[str, Any]:
    ours: dict[str, Any] = {"name": leaf.get("name")}
    leaf.settle(Outcome.APPROXIMATED, _MATCH, where)
    if _ID.fullmatch(leaf.id):
        ours["id"] = leaf.id
        leaf.mapped("id", why="badges and documents keep their addresses")
    else:
        leaf.note(Outcome.DROPPED, "has letters that ids here have not: a new one is made", "id")
    group = groups.get(str(leaf.get("group_id")))
    if group is not None:
        ours["group"] = group.get("name")
    leaf.mapped("name", "group_id", "position", "group")
    if leaf.get("description"):
        ours["description"] = leaf.get("description")
    leaf.mapped("description")
    for name in ("showcase", "only_show_if_degraded"):
        if isinstance(leaf.get(name), bool):
            ours[name] = leaf.get(name)
            leaf.mapped(name)
    _start(leaf, ours)
    ours["match"] = [f'service="{slugs.slug(str(leaf.get("name")), "component")}"']
    leaf.note(Outcome.DROPPED, _FOLLOWS, "status", "created_at", "updated_at", "page_id")
    return ours


def _start(leaf: Account, ours: dict[str, Any]) -> None:
    given = leaf.get("start_date")
    if given is None:
        return
    try:
        ours["start_date"] = date.fromisoformat(str(given)).isoformat()
    except ValueError:
        leaf.note(Outcome.DROPPED, "is no date", "start_date")
        return
    why = "days before the first one that incidentd watches are shown without data"
    leaf.note(Outcome.APPROXIMATED, why, "start_date")


def _older(found: Documents, zone: str, history: dict[str, list[dict[str, Any]]]) -> list[Account]:
    """What only `history.json` still knows."""
    seen = {each["id"] for listed in history.values() for each in listed}
    accounts: list[Account] = []
    for month in found.months:
        for raw in month.get("incidents") or ():
            if not isinstance(raw, Mapping) or raw.get("code") in seen:
                continue
            account = Account("history", f"history {month.get('year')}-{month.get('month')}", {**raw})
            accounts.append(account)
            made = old_one(account, month, zone)
            if made is not None:
                kind, event = made
                history[kind].append(event)
                seen.add(event["id"])
    return accounts
