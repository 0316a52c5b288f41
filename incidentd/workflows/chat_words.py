"""What is answered in chat, as Slack's mrkdwn. Pure; whatever was typed or sent by an alert is escaped here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from incidentd.channels.slack_blocks import escape
from incidentd.channels.words import span, tidy
from incidentd.config import Config
from incidentd.domain.automation import RunState, StepRun
from incidentd.domain.incident import ActionRefusedError, Change, Incident, Refusal, State
from incidentd.domain.schedule import Why
from incidentd.domain.silence import Silence, standing
from incidentd.ingest.slack import Verb
from incidentd.workflows.oncall import OnDuty

SHOWN: Final = 20
"""Incidents in a list."""
_TITLE: Final = 120
_NAMES: Final = 20
_USAGE: Final = """\
`/incident list`  what is open
`/incident show INC-12`
`/incident ack INC-12 [text]`  take it: paging stops
`/incident resolve INC-12 [--force] [text]`  it is over; `--force` while alerts still fire
`/incident snooze INC-12 1h [text]`  leave it alone for a while
`/incident silence INC-12 2h [reason]`  silence its alerts in Alertmanager; again: until then instead
`/incident run INC-12 3 [text]`  have a machine take step 3 of its runbook, or agree to that
`/incident oncall`  who is on duty
`/incident help`"""
_DONE: Final = {Verb.ACKNOWLEDGE: "acknowledged", Verb.RESOLVE: "resolved", Verb.SNOOZE: "snoozed"}


def usage(problem: str) -> str:
    """The commands, after what was wrong with the one that came."""
    return f"{_one_line(problem, 200)}\n{_USAGE}" if problem else _USAGE


def unknown_user(user: str) -> str:
    """The refusal of somebody whom no user of the configuration is."""
    return (
        "You are no user of incidentd, so nothing was changed. To be added, give its administrator this for the "
        f"configuration: `users: {{YOUR-NAME: {{name: Your Name, slack: {user or 'U...'}}}}}`"
    )


def foreign_team() -> str:
    """The refusal of a workspace that is not the configured one."""
    return "This workspace is not the one that incidentd is configured for. Nothing was changed."


def failed(verb: Verb, incident_id: int) -> str:
    """The database could not be used."""
    cli = {
        Verb.ACKNOWLEDGE: "ack",
        Verb.RESOLVE: "resolve",
        Verb.SNOOZE: "snooze",
        Verb.SILENCE: "silence",
        Verb.RUN: "step",
    }.get(verb)
    if cli is None:
        return ":warning: That failed: the database cannot be read now. Try again."
    duration = {Verb.SNOOZE: " 1h", Verb.SILENCE: " 1h", Verb.RUN: " N run"}.get(verb, "")
    return (
        ":warning: That failed, nothing was changed: the database cannot be written now. "
        f"Try again, or `incidentctl {cli} INC-{incident_id}{duration}`."
    )


def late(incident_id: int) -> str:
    """The database takes longer than Slack waits."""
    shown = f" `/incident show INC-{incident_id}` tells whether it was done." if incident_id else ""
    return f":warning: The database takes longer than Slack waits.{shown}"


def done(verb: Verb, change: Sequence[Change], incident: Incident) -> str:
    """What an act came to; without a change it had been done before."""
    if change:
        until = f" until {moment(incident.snoozed_until)}" if incident.snoozed_until else ""
        return f"INC-{incident.id} {_DONE[verb]}{until if verb is Verb.SNOOZE else ''}."
    by = {Verb.ACKNOWLEDGE: incident.acknowledged_by, Verb.RESOLVE: incident.resolved_by}.get(verb)
    said = f" by {_one_line(by, 80)}" if by else ""
    return f"INC-{incident.id} is {_DONE[verb]} already{said}. Nothing was changed."


def silenced(made: Sequence[Silence], *, changed: bool) -> str:
    """What asking for a silence came to: no Alertmanager has been asked yet if something was changed."""
    one = made[0]
    matchers = _one_line(", ".join(map(str, one.matchers)), 500)
    where = f"{len(made)} Alertmanager{'s' if len(made) > 1 else ''}"
    if not changed:
        return f"INC-{one.incident_id} is silenced like that already: {_one_line(standing(made), 500)}."
    return (
        f"INC-{one.incident_id} will be silenced on {where} until {moment(one.ends_at)}: `{matchers}`. "
        "Its timeline tells when it is. It is not acknowledged by that."
    )


def refused(error: ActionRefusedError, incident_id: int) -> str:
    """The state does not allow it."""
    text = f"{_one_line(error.detail, 300)}. Nothing was changed."
    if error.refusal is Refusal.STILL_FIRING:
        text += f" To force it: `/incident resolve INC-{incident_id} --force`"
    return text


def not_found(incident_id: int, detail: str = "") -> str:
    """No such incident, or no such part of one."""
    said = _one_line(detail, 200) or f"there is no incident INC-{incident_id}"
    return f"{said[0].upper()}{said[1:]}. Nothing was changed."


def asked(incident_id: int, step: int, run: StepRun | None, *, changed: bool) -> str:
    """What asking a machine to take a step came to: nothing has been done yet if something was changed."""
    if run is None:
        return f"Step {step} of INC-{incident_id} is done already. Nothing was changed."
    if run.state is RunState.ASKED:
        return f"Step {step} of INC-{incident_id} waits for a second person to agree."
    dry = " as a dry run" if run.dry_run else ""
    if not changed:
        return f"Step {step} of INC-{incident_id} is {run.state.value}{dry} already. Nothing was changed."
    return f"Step {step} of INC-{incident_id} is set going{dry}. Its timeline tells what comes of it."


def listed(found: Sequence[Incident], public_url: str, now: datetime) -> str:
    """The newest open incidents, one more than `SHOWN` if there are more."""
    if not found:
        return "No incident is open."
    lines = [
        f"{_link(i, public_url)}  {i.severity.value}, {_state(i)}, since {span(now - i.opened_at)}: {_title(i)}"
        for i in found[:SHOWN]
    ]
    more = ["More are open: `incidentctl list` shows them all."] if len(found) > SHOWN else []
    return "\n".join([*lines, *more])


def shown(incident: Incident, public_url: str) -> str:
    """One incident."""
    lines = [
        f"*{_link(incident, public_url)}  {_title(incident)}*",
        f"{incident.severity.value}, {_state(incident)}, {_firing(incident)}",
        f"opened {moment(incident.opened_at)}",
    ]
    if incident.service:
        lines.append(f"service {_one_line(incident.service, 80)}")
    if incident.acknowledged_by and incident.state is State.ACKNOWLEDGED:
        lines.append(f"acknowledged by {_one_line(incident.acknowledged_by, 80)}")
    if incident.snoozed_until is not None:
        lines.append(f"snoozed until {moment(incident.snoozed_until)}")
    if incident.resolved_at is not None:
        lines.append(
            f"resolved {moment(incident.resolved_at)} by {_one_line(incident.resolved_by or '?', 80)}"
        )
    return "\n".join(lines)


def oncall(config: Config, found: Sequence[OnDuty]) -> str:
    """Who is on duty in each schedule, and until when."""
    if not found:
        return "No schedule is configured, so nobody is on call: routes tell their channels."
    lines = [_on_duty(config, each) for each in found[:_NAMES]]
    if len(found) > _NAMES:
        lines.append(f"and {len(found) - _NAMES} more schedules: `incidentctl oncall` lists them all")
    unknown = dict.fromkeys(text for each in found[:_NAMES] for text in each.warnings)
    lines += [f":warning: {_one_line(text, 300)}" for text in unknown]
    return "\n".join(lines)


def _on_duty(config: Config, found: OnDuty) -> str:
    duty = found.duty
    until = f" until {moment(duty.until)}" if duty.until is not None else ""
    people = ", ".join(_one_line(_called(config, person), 80) for person in duty.people)
    if not people:
        return f":warning: *{found.schedule.name}*: nobody is on duty{until}"
    by = f", override {duty.by}" if duty.why is Why.OVERRIDE else ""
    return f"*{found.schedule.name}*: {people}{until}{by}"


def _called(config: Config, person: str) -> str:
    user = config.users.get(person)
    return f"{user.name} ({person})" if user is not None else person


def moment(at: datetime) -> str:
    """An instant, which Slack shows in the reader's own time zone."""
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {{time}}|{at:%Y-%m-%d %H:%M} UTC>"


def _state(incident: Incident) -> str:
    return incident.state.value + (" and snoozed" if incident.snoozed_until is not None else "")


def _firing(incident: Incident) -> str:
    return f"{incident.alerts_firing} of {incident.alerts_total} alert(s) firing"


def _link(incident: Incident, public_url: str) -> str:
    return f"<{escape(public_url).replace('|', '%7C')}/api/v1/incidents/{incident.id}|INC-{incident.id}>"


def _title(incident: Incident) -> str:
    return _one_line(incident.title, _TITLE)


def _one_line(text: str, limit: int) -> str:
    # Cut before it is escaped, never inside an entity. A backtick would end a code span of ours.
    return escape(tidy(text, limit).replace("`", "'"))
