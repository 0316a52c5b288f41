"""Slack's way in, shared by its two doors: HTTP call-backs and the Socket Mode connection.

Slack repeats neither a click nor a command, and waits three seconds. So every act is committed before it is answered,
and what could not be done is said in words to whoever asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from incidentd.channels.slack import SlackConfig
from incidentd.channels.slack_replies import Whispers
from incidentd.ingest.slack import Ask, Verb, genuine, in_window
from incidentd.security_events import SecurityEvent
from incidentd.web.body import ByteBudget
from incidentd.web.context import Context
from incidentd.workflows.chat import Chat, ChatEnv, Outcome, Reply

MAX_BODY: Final = 256 * 1024
"""Bytes: a click comes with the whole message that its button is in, escaped twice."""
BODIES_AT_ONCE: Final = 16 * 1024 * 1024
"""Bytes of bodies in memory that nobody has verified yet."""
REMEMBERED_SECONDS: Final = 600.0
"""How long a body is known again: twice the window in which its time stamp is taken."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A body, and whose secret signed it."""

    config: SlackConfig
    body: bytes


class SlackDoor:
    """Lets in what Slack signed, once, and has it obeyed."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._whispers = Whispers(context.http)
        self._chat = Chat(
            ChatEnv(
                store=context.store,
                clock=context.clock,
                metrics=context.metrics,
                config=lambda: context.config,
                rules=lambda: context.rules,
                changed=context.changed,
            )
        )
        self._seen: dict[bytes, float] = {}
        self.bodies = ByteBudget()

    def configs(self) -> Iterator[SlackConfig]:
        """The configured Slack channels."""
        for channel in self._context.config.channels.values():
            if isinstance(channel, SlackConfig):
                yield channel

    def admitted(self, timestamp: str, signature: str, body: bytes) -> Signed | None:
        """The body if it is genuine, recent and new; None if it is not, which is counted."""
        signers = [
            (config, secret) for config in self.configs() if (secret := config.signing_secret) is not None
        ]
        place = genuine(timestamp, body, signature, [secret.get_secret_value() for _, secret in signers])
        if place is None or not self.recent(timestamp):
            self.refused(SecurityEvent.SIG_FAIL)
            return None
        if not self._new(body):
            self.refused(SecurityEvent.REPLAY)
            return None
        self._context.metrics.auth_attempts.labels("signature", "ok").inc()
        return Signed(signers[place][0], body)

    def recent(self, timestamp: str) -> bool:
        """True if the time stamp is near enough: known before the body is read."""
        return in_window(timestamp, self._context.clock.now())

    def refused(self, event: SecurityEvent) -> None:
        """Count what is not let in."""
        self._context.metrics.auth_attempts.labels("signature", "failed").inc()
        self._context.metrics.security_event(event)

    def _new(self, body: bytes) -> bool:
        """Note a body; False if it came before. Only signed ones get here, so nobody else can fill the memory."""
        now = self._context.clock.monotonic()
        # Noted in the order they came: the old ones stand first.
        while self._seen and next(iter(self._seen.values())) <= now - REMEMBERED_SECONDS:
            del self._seen[next(iter(self._seen))]
        digest = hashlib.sha256(body).digest()
        if digest in self._seen:
            return False
        self._seen[digest] = now
        return True

    async def obey(self, ask: Ask, config: SlackConfig) -> Reply:
        """Have an ask obeyed."""
        return await self._chat.obey(ask, config.team)

    def whisper(self, ask: Ask, config: SlackConfig, reply: Reply) -> None:
        """Answer in words through Slack's address for it.

        A button that did what it says is not answered: its message is about to show the new state. One that set a
        step going is: that takes its time.
        """
        shown = ask.button and reply.outcome is Outcome.DONE and ask.order.verb is not Verb.RUN
        if not shown:
            self._whispers.say(ask.response_url, reply.text, config.base_url)

    async def close(self) -> None:
        """Finish what is under way."""
        await self._chat.close()
        await self._whispers.close()
