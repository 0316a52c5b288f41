"""The console channel: one readable line a notice on standard output. Needs no account and no network."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

from incidentd.channels.base import Channel, ChannelConfig, ChannelEnv
from incidentd.channels.tasks import LateError, Tasks
from incidentd.channels.words import body_text, firing, headline, links, stand_in, story, tidy, title, who
from incidentd.domain.notification import Message, Outcome, Verdict

_WRITE_SECONDS = 10.0


class ConsoleConfig(ChannelConfig):
    """There is nothing to configure."""

    kind: Literal["console"]


def render(message: Message) -> str:
    """``INC-12 TRIGGERED critical  Checkout errors at 42%  (2 firing)  http://...``, with its line end."""
    incident = message.incident
    start = f"{incident.ref} {message.notice.upper()} {incident.severity}"
    address = [link.href for link in links(message)[:1]]
    if message.minimal:
        return "  ".join([start, *address]) + "\n"
    about = headline(message) if message.bundle else title(message)
    return "  ".join([start, about, f"({_detail(message)})", *address]) + "\n"


def _detail(message: Message) -> str:
    own = message.bundle or (message.texts is not None and message.texts.body)
    stands = tidy(body_text(message)) if own else firing(message)
    parts = (who(message), tidy(message.comment), story(message), stands, stand_in(message))
    return ", ".join(part for part in parts if part)


def judge(failure: Exception | None) -> Outcome:
    """What a write came to: a reader that went away may come back with the next terminal."""
    if failure is None:
        return Outcome(Verdict.OK, "written")
    return Outcome(Verdict.RETRY, type(failure).__name__, "standard output cannot be written")


@dataclass(frozen=True, slots=True)
class ConsoleSender:
    """Writes lines whole, in a thread: a terminal that is stopped must not stop the daemon."""

    env: ChannelEnv
    tasks: Tasks
    targets: tuple[str, ...] = ("stdout",)

    async def send(self, message: Message) -> Outcome:
        """Write one line."""
        return await self._write(render(message))

    async def probe(self) -> Outcome:
        """Whether the stream still takes anything."""
        return await self._write("")

    async def close(self) -> None:
        """Wait for the last line."""
        await self.tasks.drain(_WRITE_SECONDS)

    async def _write(self, text: str) -> Outcome:
        try:
            await self.tasks.run(asyncio.to_thread(self._put, text), _WRITE_SECONDS, _WRITE_SECONDS)
        except LateError:
            return Outcome(Verdict.AMBIGUOUS, "timeout", "standard output is blocked")
        except (OSError, ValueError) as error:  # ValueError: the stream was closed
            return judge(error)
        return judge(None)

    def _put(self, text: str) -> None:
        encoding = getattr(self.env.output, "encoding", None) or "utf-8"
        # One call a line: lines of parallel notices do not mix.
        self.env.output.write(text.encode(encoding, "backslashreplace").decode(encoding))
        self.env.output.flush()


def _open(_config: ConsoleConfig, _name: str, env: ChannelEnv) -> ConsoleSender:
    return ConsoleSender(env, Tasks())


CHANNEL = Channel(
    kind="console",
    description="One line per notice on the daemon's standard output.",
    config_model=ConsoleConfig,
    example={"kind": "console"},
    open=_open,
)
