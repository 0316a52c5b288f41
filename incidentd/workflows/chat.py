"""What people ask of incidents in chat: who may, what it does, what they are answered.

A button and a command give the same `Ask` and are obeyed the same way. Nothing here knows how the ask came in or how
the answer goes out.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from incidentd.channels.tasks import LateError, Tasks
from incidentd.clock import Clock, random_id
from incidentd.config import Config
from incidentd.domain import response
from incidentd.domain.incident import ActionRefusedError, Change, Incident, State
from incidentd.ingest.slack import ACTS, Ask, Order, Verb
from incidentd.metrics import Metrics
from incidentd.security_events import SecurityEvent
from incidentd.store import incidents
from incidentd.store.engine import Store, StoreRejectedError, StoreUnavailableError, Tx
from incidentd.store.incidents import Search
from incidentd.workflows import automation, oncall, respond, silences
from incidentd.workflows import chat_words as words
from incidentd.workflows.respond import Decide, NotFoundError
from incidentd.workflows.rules import Rules
from incidentd.workflows.silences import Asked

log = structlog.get_logger()

ANSWER_SECONDS: Final = 2.0
"""Slack waits three seconds for its answer; the rest is for the way there and back."""
_GRACE_SECONDS: Final = 60.0
SAME_SNOOZE: Final = timedelta(minutes=1)
"""Two snoozes that end within this of each other are one that was asked for twice."""
_OPEN: Final = (State.TRIGGERED, State.ACKNOWLEDGED)


class Outcome(enum.StrEnum):
    """What became of an ask."""

    DONE = "done"
    ALREADY = "already"
    """It had been done before; nothing changed."""
    SHOWN = "shown"
    MISREAD = "misread"
    REFUSED = "refused"
    """The incident's state does not allow it."""
    NOT_FOUND = "not_found"
    UNKNOWN_USER = "unknown_user"
    FOREIGN_TEAM = "foreign_team"
    FAILED = "failed"
    """The database could not be used; nothing changed."""
    LATE = "late"
    """It is not done yet, and may or may not be."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the person is told, and what became of the ask."""

    text: str
    """mrkdwn."""
    outcome: Outcome
    actor: str = ""
    """The user who asked, if they are one."""

    @property
    def settled(self) -> bool:
        """True if asking once more would bring nothing: an act is committed, or was refused for good."""
        return self.outcome not in {Outcome.FAILED, Outcome.LATE}


@dataclass(frozen=True, slots=True)
class ChatEnv:
    """What acts need of the daemon. A reload replaces configuration and rules, so they are asked for each time."""

    store: Store
    clock: Clock
    metrics: Metrics
    config: Callable[[], Config]
    rules: Callable[[], Rules]
    changed: Callable[[tuple[Change, ...]], None]
    """Called after every commit that changed incidents."""


def user_of(config: Config, slack_id: str) -> str | None:
    """The name of the user with this Slack member ID."""
    return next((name for name, user in config.users.items() if slack_id and user.slack == slack_id), None)


class Chat:
    """Obeys what is asked in chat."""

    def __init__(self, env: ChatEnv) -> None:
        self._env = env
        self._tasks = Tasks()

    async def obey(self, ask: Ask, team: str | None) -> Reply:
        """Do what is asked, or say why not, within `ANSWER_SECONDS`. `team` is the configured workspace, if any.

        An act that takes longer goes on; its reply says that nobody knows yet.
        """
        order = ask.order
        reply = self._judged(ask, team)
        if reply is None:
            actor = user_of(self._env.config(), ask.user) or ""
            try:
                reply = await self._tasks.run(self._do(order, actor), ANSWER_SECONDS, _GRACE_SECONDS)
            except LateError:
                reply = Reply(words.late(order.incident_id), Outcome.LATE, actor)
        verb, outcome = order.verb.value, reply.outcome.value
        self._env.metrics.chat_asks.labels(verb, outcome).inc()
        log.info(
            "chat_ask",
            verb=verb,
            incident=order.incident_id,
            outcome=outcome,
            actor=reply.actor,
            slack=ask.user,
        )
        return reply

    async def close(self) -> None:
        """Wait for acts that took longer than their answer."""
        await self._tasks.drain(_GRACE_SECONDS)

    def _judged(self, ask: Ask, team: str | None) -> Reply | None:
        """The reply to whom nothing is done or shown for; None if the order is to be obeyed."""
        if team is not None and team not in ask.teams:
            self._suspicious("chat_team_foreign", ask)
            return Reply(words.foreign_team(), Outcome.FOREIGN_TEAM)
        if user_of(self._env.config(), ask.user) is None:
            self._suspicious("chat_user_unknown", ask)
            return Reply(words.unknown_user(ask.user), Outcome.UNKNOWN_USER)
        return None

    def _suspicious(self, event: str, ask: Ask) -> None:
        self._env.metrics.security_event(SecurityEvent.FORBIDDEN)
        log.warning(
            event, slack=ask.user, teams=ask.teams, verb=ask.order.verb.value, incident=ask.order.incident_id
        )

    async def _do(self, order: Order, actor: str) -> Reply:
        try:
            if order.verb in ACTS:
                return await self._act(order, actor)
            return await self._show(order, actor)
        except ActionRefusedError as error:
            return Reply(words.refused(error, order.incident_id), Outcome.REFUSED, actor)
        except NotFoundError as error:
            return Reply(words.not_found(order.incident_id, str(error)), Outcome.NOT_FOUND, actor)
        except (StoreUnavailableError, StoreRejectedError) as error:
            log.warning(
                "chat_ask_failed", verb=order.verb.value, incident=order.incident_id, error=str(error)
            )
            return Reply(words.failed(order.verb, order.incident_id), Outcome.FAILED, actor)

    async def _silence(self, order: Order, actor: str) -> Reply:
        env = self._env
        rules, now = env.rules(), env.clock.now()
        refused = rules.silencing.refused(order.pause)
        if refused is not None:
            return Reply(words.usage(f"how long {refused}"), Outcome.MISREAD, actor)
        asked = Asked(order.pause, order.comment, actor, random_id())
        made = await env.store.write(lambda tx: silences.silence(tx, order.incident_id, asked, rules, now))
        changes = made.done.changes
        if changes:
            env.changed(changes)
        outcome = Outcome.DONE if changes else Outcome.ALREADY
        return Reply(words.silenced(made.silences, changed=bool(changes)), outcome, actor)

    async def _run(self, order: Order, actor: str) -> Reply:
        env = self._env
        rules, now = env.rules(), env.clock.now()
        wanted = automation.RunAsk(order.incident_id, order.step, actor, order.comment)
        asked = await env.store.write(lambda tx: automation.ask(tx, wanted, rules, now))
        if asked.changes:
            env.changed(asked.changes)
        outcome = Outcome.DONE if asked.changes else Outcome.ALREADY
        text = words.asked(order.incident_id, order.step, asked.run, changed=bool(asked.changes))
        return Reply(text, outcome, actor)

    async def _act(self, order: Order, actor: str) -> Reply:
        if order.verb is Verb.SILENCE:
            return await self._silence(order, actor)
        if order.verb is Verb.RUN:
            return await self._run(order, actor)
        env = self._env
        rules, now = env.rules(), env.clock.now()
        decide = decision(order, actor, now)
        done = await env.store.write(lambda tx: respond.act(tx, order.incident_id, decide, rules, now))
        if done.changes:
            env.changed(done.changes)
        outcome = Outcome.DONE if done.changes else Outcome.ALREADY
        return Reply(words.done(order.verb, done.changes, done.incident), outcome, actor)

    async def _show(self, order: Order, actor: str) -> Reply:
        env = self._env
        config, now = env.config(), env.clock.now()
        url = config.server.public_url
        match order.verb:
            case Verb.LIST:
                wanted = Search(states=_OPEN, limit=words.SHOWN + 1)
                found = await env.store.read_now(lambda tx: incidents.search(tx, wanted))
                text = words.listed(found, url, now)
            case Verb.SHOW:
                text = words.shown(await env.store.read_now(lambda tx: _found(tx, order.incident_id)), url)
            case Verb.ONCALL:
                duties = await env.store.read_now(lambda tx: oncall.everybody(tx, config, now))
                text = words.oncall(config, duties)
            case _:
                outcome = Outcome.MISREAD if order.problem else Outcome.SHOWN
                return Reply(words.usage(order.problem), outcome, actor)
        return Reply(text, Outcome.SHOWN, actor)


def decision(order: Order, actor: str, now: datetime) -> Decide:
    """What an act makes of an incident."""
    match order.verb:
        case Verb.ACKNOWLEDGE:
            return lambda i: response.acknowledge(i, actor, order.comment, now)
        case Verb.RESOLVE:
            return lambda i: response.resolve(i, actor, order.comment, now, force=order.force)
        case _:
            return lambda i: _snoozed(i, actor, order.comment, now + order.pause)


def _snoozed(incident: Incident, actor: str, comment: str, until: datetime) -> Change:
    """A snooze from now on: clicked twice, it would end at two different instants."""
    if incident.snoozed_until is not None and abs(until - incident.snoozed_until) <= SAME_SNOOZE:
        return Change(incident)
    return response.snooze(incident, actor, comment, until)


def _found(tx: Tx, number: int) -> Incident:
    # Loading by id takes a row lock, which is for those who will write.
    found = incidents.search(tx, Search(before=number + 1, limit=1))
    if not found or found[0].id != number:
        raise NotFoundError(f"there is no incident INC-{number}")
    return found[0]
