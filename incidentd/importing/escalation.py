"""Escalation chains and their steps -> `escalation`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from incidentd.domain.duration import format_duration
from incidentd.importing.names import Names
from incidentd.importing.people import People
from incidentd.importing.report import Account, Outcome
from incidentd.importing.schedules import Schedules
from incidentd.importing.source import Export

_WAIT = 300
"""OnCall's own, where a wait says no time."""
_REPEATS = 5
"""OnCall repeats at most so often (EscalationPolicy.MAX_TIMES_REPEAT)."""
_MAX_STEPS = 50
_FIELDS = (
    "id", "escalation_chain_id", "position", "type", "duration", "persons_to_notify", "group_to_notify",
    "persons_to_notify_next_each_time", "notify_on_call_from_schedule", "team_to_notify", "notify_to_team_members",
    "action_to_trigger", "notify_if_time_from", "notify_if_time_to",
)  # fmt: skip
_NO_WAY = {
    "resolve": "incidents are resolved by their source or by a person, not by waiting",
    "declare_incident": "whatever people are told of is an incident here",
    "notify_if_num_alerts_in_window": "there is no such condition; what follows runs whatever the number",
    "": "it is an empty step",
}


@dataclass(slots=True)
class _Draft:
    """A policy while its steps are read."""

    steps: list[dict[str, Any]] = field(default_factory=list)
    waited: int = 0
    hours: dict[str, str] | None = None
    over: str = ""
    """Why nothing that follows ever runs."""
    repeats: bool = False
    repeat_after: int = 0
    last_resort: list[str] = field(default_factory=list)


class Chains:
    """IDs of escalation chains to names of `escalation`; a chain that tells nobody has none."""

    def __init__(
        self, export: Export, people: People, schedules: Schedules, channels: Mapping[str, str]
    ) -> None:
        self._people, self._schedules, self._channels = people, schedules, channels
        self._names = Names(frozenset())
        self.slugs: dict[str, str] = {}
        self.config: dict[str, dict[str, Any]] = {}
        steps: dict[str, list[Account]] = {}
        for account in export.of("escalation_policies"):
            steps.setdefault(str(account.get("escalation_chain_id")), []).append(account)
        for account in export.of("escalation_chains"):
            if account.id in self.slugs:
                account.settle(Outcome.MAPPED, "the same chain again", f"escalation.{self.slugs[account.id]}")
                account.mapped(*account.raw)
            else:
                self._chain(account, steps.pop(account.id, []))
        for left in steps.values():
            for account in left:
                account.drop("the export does not hold its chain; export escalation_chains too")

    def _chain(self, account: Account, steps: list[Account]) -> None:
        slug = self._names.slug(account.name, account.id)
        account.mapped("id", "name")
        account.note(Outcome.DROPPED, "teams own nothing here", "team_id")
        draft = _Draft()
        for step in sorted(steps, key=lambda each: int(each.get("position") or 0)):
            step.mapped(*_FIELDS)
            self._step(step, draft, slug)
        if not draft.steps:
            account.drop("none of its steps tells anybody here, and a policy needs one")
            for step in steps:
                step.drop("its chain has no step that tells anybody")
            return
        self.slugs[account.id] = slug
        self.config[slug] = _policy(draft)
        account.settle(Outcome.MAPPED, becomes=f"escalation.{slug}")
        if draft.waited and not draft.over:
            account.settle(Outcome.MAPPED, "a wait after the last step has no effect")

    def _step(self, step: Account, draft: _Draft, slug: str) -> None:
        kind = str(step.get("type") or "")
        if draft.over:
            step.drop(draft.over)
        elif kind == "wait":
            draft.waited += int(step.get("duration") or _WAIT)
            step.settle(Outcome.MAPPED, "adds to `after` of the step that follows", f"escalation.{slug}")
        elif kind == "repeat_escalation":
            self._repeat(step, draft, slug)
        elif kind == "notify_if_time_from_to":
            _hours(step, draft, slug)
        elif kind in _NO_WAY:
            step.drop(_NO_WAY[kind])
            draft.over = "it follows a resolve, so OnCall never came to it" if kind == "resolve" else ""
        else:
            self._notify(step, kind, draft, slug)

    def _notify(self, step: Account, kind: str, draft: _Draft, slug: str) -> None:
        targets, refused = self._targets(step, kind)
        if not targets:
            step.drop(refused)
            return
        self._important(step)
        if draft.repeats:
            draft.last_resort += [each for each in targets if each not in draft.last_resort]
            why = "after a repeat: told as the last resort, together with what else follows it"
            step.settle(Outcome.APPROXIMATED, why, f"escalation.{slug}.last_resort")
            return
        if len(draft.steps) == _MAX_STEPS:
            step.drop(f"a policy has at most {_MAX_STEPS} steps")
            return
        made: dict[str, Any] = {"after": _duration(draft.waited), "notify": targets}
        if draft.hours is not None:
            made["hours"] = dict(draft.hours)
        draft.steps.append(made)
        draft.waited = 0
        step.settle(Outcome.MAPPED, becomes=f"escalation.{slug}.steps.{len(draft.steps) - 1}")
        if refused:
            step.settle(Outcome.APPROXIMATED, refused)

    def _important(self, step: Account) -> None:
        if step.get("important"):
            why = "important: here the severity of the incident says how urgent it is, not the step"
            step.note(Outcome.APPROXIMATED, why, "important")
            step.settle(Outcome.APPROXIMATED, why)
        else:
            step.note(
                Outcome.APPROXIMATED, "here the severity of the incident says how urgent it is", "important"
            )

    def _targets(self, step: Account, kind: str) -> tuple[list[str], str]:
        """Whom a step tells, and what differs; nobody, and why."""
        if kind in {"notify_persons", "notify_one_person"}:
            users = self._users(step.get("persons_to_notify"))
            return users, "" if users else "it names nobody"
        if kind == "notify_person_next_each_time":
            users = self._users(step.get("persons_to_notify_next_each_time"))
            why = "all of them are told each time; for turns make a schedule of them with `rotation: daily`"
            return users, (why if len(users) > 1 else "") if users else "it names nobody"
        if kind == "notify_on_call_from_schedule":
            slug = self._schedules.slugs.get(str(step.get("notify_on_call_from_schedule")))
            return ([f"schedule:{slug}"], "") if slug else ([], "the export does not hold its schedule")
        if kind == "notify_team_members":
            team = str(step.get("team_to_notify") or step.get("notify_to_team_members"))
            members = [f"user:{name}" for name in self._people.members(team)]
            return (
                members,
                "the members of today are written out" if members else "no user says to be in that team",
            )
        return self._channel(step, kind)

    def _channel(self, step: Account, kind: str) -> tuple[list[str], str]:
        field_ = {"trigger_webhook": "action_to_trigger", "notify_user_group": "group_to_notify"}.get(kind)
        if field_ is None and kind != "notify_whole_channel":
            return [], f"a step of type {kind} is not known to this version of the importer"
        key = str(step.get(field_) or kind) if field_ else "whole_channel"
        channel = self._channels.get(key)
        if channel is None:
            return [], f"no channel was given for it, say --channel {key}=NAME"
        differs = {
            "notify_user_group": "the channel is told, not each member of the group by their own rules",
            "trigger_webhook": "the channel sends its own words, not the template of the webhook",
            "notify_whole_channel": "the channel is told; whether it calls everybody is up to the channel",
        }
        return [f"channel:{channel}"], differs[kind]

    def _users(self, ids: list[str] | None) -> list[str]:
        return [f"user:{self._people.name(each)}" for each in ids or ()]

    def _repeat(self, step: Account, draft: _Draft, slug: str) -> None:
        if draft.repeats or not draft.steps:
            step.drop("there is nothing to repeat" if not draft.steps else "a policy is repeated once only")
            return
        draft.repeats, draft.repeat_after, draft.waited = True, draft.waited, 0
        step.settle(Outcome.MAPPED, f"up to {_REPEATS} times, as in OnCall", f"escalation.{slug}.repeat")
        if not draft.repeat_after:
            why = "OnCall begins again within seconds; here after a pause as long as the longest `after`"
            step.settle(Outcome.APPROXIMATED, why)


def _hours(step: Account, draft: _Draft, slug: str) -> None:
    begin, end = (str(step.get(f"notify_if_time_{each}") or "")[:5] for each in ("from", "to"))
    if len(begin) != 5 or len(end) != 5:  # noqa: PLR2004 - a clock such as 09:00
        step.drop("it has no hours")
        return
    second = " The hours of an earlier such step no longer hold." if draft.hours else ""
    draft.hours = {"time_zone": "Etc/UTC", "from": begin, "to": end}
    why = "OnCall waits for these hours; here the steps that follow tell nobody outside of them, and go on."
    step.settle(Outcome.APPROXIMATED, why + second, f"escalation.{slug}.steps")


def _policy(draft: _Draft) -> dict[str, Any]:
    policy: dict[str, Any] = {"steps": draft.steps}
    if draft.repeats:
        policy["repeat"] = _REPEATS
    if draft.repeat_after:
        policy["repeat_after"] = _duration(draft.repeat_after)
    if draft.last_resort:
        policy["last_resort"] = draft.last_resort
    return policy


def _duration(seconds: int) -> str:
    return format_duration(timedelta(seconds=seconds))
