"""Users and their notification rules -> `users` with contact rules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from incidentd.config.people import User
from incidentd.domain.duration import format_duration
from incidentd.importing.names import Names
from incidentd.importing.report import Account, Outcome, block
from incidentd.importing.source import Export

_WAIT = 300
_NEEDS = {"slack": "slack", "email": "email"}
"""Ways that reach a person at an address of their own."""


class People:
    """Who is who: IDs of OnCall to names of `users`."""

    def __init__(self, export: Export, channels: Mapping[str, str]) -> None:
        self._channels = channels
        self._names = Names()
        self._slugs: dict[str, str] = {}
        self._teams: dict[str, list[str]] = {}
        self._slack: set[str] = set()
        self.config: dict[str, dict[str, Any]] = {}
        self.strangers: dict[str, str] = {}
        """IDs that the export names and does not hold."""
        for account in export.of("users"):
            self._user(account)
        for account in export.of("teams"):
            account.settle(Outcome.MAPPED, "its members are written out where the team is notified")
            account.mapped("id", "name", "team_id")
            account.note(Outcome.DROPPED, "of no use here", "email", "avatar_url")
        self._rules(export.of("personal_notification_rules"))

    def name(self, user_id: str) -> str:
        """The name in `users`; one without any address is made for whom the export does not hold."""
        if user_id not in self._slugs:
            slug = self._names.slug(user_id, "user")
            self._slugs[user_id] = slug
            self.strangers[user_id] = slug
            self.config[slug] = {"name": user_id}
        return self._slugs[user_id]

    def members(self, team_id: str) -> list[str]:
        """Names of a team's members."""
        return self._teams.get(team_id, [])

    def _user(self, account: Account) -> None:
        first = account.id in self._slugs
        if first:
            account.settle(Outcome.MAPPED, "the same user again", f"users.{self._slugs[account.id]}")
            account.mapped(*account.raw)
            return
        username = account.name
        slug = self._names.slug(username.partition("@")[0], account.id)
        self._slugs[account.id] = slug
        user: dict[str, Any] = {"name": username}
        account.mapped("id", "username")
        self._address(account, user)
        for team in account.get("teams") or ():
            self._teams.setdefault(team, []).append(slug)
        account.mapped("teams", why="members are written out where the team is notified")
        zone = "each schedule has a time zone, and quiet hours (users.NAME.quiet_hours) if they want some"
        account.note(Outcome.DROPPED, zone, "timezone")
        account.note(Outcome.DROPPED, "tokens have scopes here, people have no roles", "role")
        account.note(
            Outcome.DROPPED, "numbers stay with the service that calls them", "is_phone_number_verified"
        )
        self.config[slug] = user
        account.settle(Outcome.MAPPED, becomes=f"users.{slug}")

    def _address(self, account: Account, user: dict[str, Any]) -> None:
        email = account.get("email")
        if email is not None and _accepted("email", email):
            user["email"] = email
            account.mapped("email")
        else:
            account.note(Outcome.DROPPED, "is no mail address that is accepted here", "email")
        member = block(account.get("slack")).get("user_id") or account.get("slack_id")
        if member and member not in self._slack and _accepted("slack", member):
            self._slack.add(member)
            user["slack"] = member
            account.mapped("slack", "slack_id")
        else:
            account.note(
                Outcome.DROPPED,
                "another user has the same, or it has no member ID of Slack",
                "slack",
                "slack_id",
            )
        where = "a workspace is chosen by the channel's token"
        account.note(Outcome.DROPPED, where, "slack.team_id", "slack.0.team_id")

    def _rules(self, accounts: list[Account]) -> None:
        by_user: dict[str, list[Account]] = {}
        for account in accounts:
            by_user.setdefault(str(account.get("user_id")), []).append(account)
        for user_id, mine in by_user.items():
            slug = self.name(user_id)
            user = self.config[slug]
            mine.sort(key=lambda account: int(account.get("position") or 0))
            lists = {
                urgent: self._contacts([a for a in mine if bool(a.get("important")) is urgent], slug, user)
                for urgent in (False, True)
            }
            contact = _merged(lists[False], lists[True])
            if contact:
                user["contact"] = contact

    def _contacts(self, rules: list[Account], slug: str, user: dict[str, Any]) -> list[dict[str, Any]]:
        waited, waits, found = 0, list[Account](), []
        for account in rules:
            account.mapped("id", "user_id", "position", "type", "duration")
            why = "a step is important in OnCall; here the severity says how urgent it is: critical takes these rules"
            account.note(Outcome.APPROXIMATED, why if account.get("important") else _ORDINARY, "important")
            way = str(account.get("type"))
            if way == "wait":
                waited += int(account.get("duration") or _WAIT)
                waits.append(account)
                account.settle(
                    Outcome.MAPPED, "adds to `after` of the rules that follow", f"users.{slug}.contact"
                )
                continue
            channel, refused = self._way(way.removeprefix("notify_by_"), user)
            if channel is None:
                account.drop(refused)
                continue
            rule = {"channel": channel, "after": format_duration(timedelta(seconds=waited))}
            waits.clear()
            found.append({key: each for key, each in rule.items() if each != "0s"})
            account.settle(Outcome.APPROXIMATED, "urgency is by severity here", f"users.{slug}.contact")
        for account in waits:
            account.drop("no rule that it is for is here")
        return found

    def _way(self, way: str, user: Mapping[str, Any]) -> tuple[str | None, str]:
        channel, needs = self._channels.get(way), _NEEDS.get(way)
        if channel is None:
            default = ": without contact rules people are reached at their email and slack" if needs else ""
            return None, f"no channel was given for it, say --channel {way}=NAME{default}"
        if needs is not None and needs not in user:
            return None, f"the user has no {needs}"
        return channel, ""


_ORDINARY = "here the severity says how urgent it is: warnings take these rules"


def _accepted(field: str, value: object) -> bool:
    """Ask our own configuration."""
    try:
        User.model_validate({"name": "somebody", field: value})
    except ValidationError:
        return False
    return True


def _merged(low: list[dict[str, Any]], high: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One list. Somebody with rules for one urgency alone would never hear of the other: then they are for both."""
    if not low or not high or low == high:
        return low or high
    return [*({**rule, "urgency": "high"} for rule in high), *({**rule, "urgency": "low"} for rule in low)]
