"""From an export to our configuration and the report on it. The order matters: people are named by all the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from incidentd.importing.escalation import Chains
from incidentd.importing.overrides import Overrides
from incidentd.importing.people import People
from incidentd.importing.report import Account, Entry, Finding, Outcome, Report
from incidentd.importing.routes import Routes
from incidentd.importing.schedules import Schedules
from incidentd.importing.source import FOREIGN, KINDS, Export


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of an export."""

    config: Mapping[str, Any]
    """Sections of our configuration: users, schedules, escalation, route; those that have something in them."""
    report: Report


def convert(export: Export, now: datetime, channels: Mapping[str, str] | None = None) -> Imported:
    """Our configuration for `export`, and what became of each part.

    `now` (aware) decides what is over. `channels` gives our channels by what they stand for in OnCall: a way to notify
    (`slack`, `email`, `sms`, `phone_call`, ...), or the ID of a chat channel, user group or webhook.
    """
    given = channels or {}
    people = People(export, given)
    schedules = Schedules(export, people, now)
    chains = Chains(export, people, schedules, given)
    routes = Routes(export, chains, given)
    overrides = Overrides(export, schedules, people, now)
    for account in export.accounts:
        _rest(account, given)
    sections = {
        "users": people.config,
        "schedules": schedules.config,
        "escalation": chains.config,
        "route": {"routes": routes.config} if routes.config else {},
    }
    entries = (*(account.entry() for account in export.accounts), *map(_stranger, people.strangers.items()))
    config = {name: section for name, section in sections.items() if section}
    return Imported(config, Report(entries, overrides.commands, tuple(routes.disabled)))


def _rest(account: Account, channels: Mapping[str, str]) -> None:
    """Objects that are only named by others, and those that are none of OnCall's."""
    if account.kind in {"user_groups", "slack_channels", "webhooks"}:
        keys = (account.id, str(account.get("slack_id")))
        channel = next((channels[key] for key in keys if key in channels), None)
        if channel is not None:
            account.settle(
                Outcome.APPROXIMATED, "stands for that channel, as you said", f"channels.{channel}"
            )
            account.note(Outcome.DROPPED, "is said in the configuration of the channel", *account.raw)
            account.mapped("id", "slack_id", "name", "slack.id", "slack.name", "slack.handle", "type")
        else:
            key = account.get("slack_id") if account.kind == "slack_channels" else account.id
            account.drop(
                f"channels are configured by hand; then say --channel {key}=NAME for where it is named"
            )
    elif account.kind == FOREIGN:
        account.drop("no part of Grafana OnCall's on-call duty")
    elif account.kind not in KINDS:
        account.drop(f"{account.kind} are not imported")


def _stranger(found: tuple[str, str]) -> Entry:
    """Somebody whom the export names and does not hold."""
    user_id, slug = found
    why = "named, but not in the export: a user without any address was made; export users too, or fill it in"
    fields = (Finding("id", Outcome.MAPPED, ""),)
    return Entry("users", user_id, "", "-", Outcome.APPROXIMATED, why, (f"users.{slug}",), fields)
