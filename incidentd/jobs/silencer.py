"""Brings the Alertmanagers to the silences that people asked for: looks what is there, then makes, extends or ends.

It always looks before it acts. A silence whose answer was lost, by a crash in between or a broken connection, is found
again by the mark in its comment; in a cluster the same way finds the silence that another member was given.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from incidentd.clock import Clock
from incidentd.domain.incident import Change
from incidentd.domain.silence import Silence, State, marked, pause
from incidentd.jobs.scheduler import Job
from incidentd.sources.alertmanager import Alertmanager
from incidentd.sources.answers import AlertmanagerError, Reason, SilenceMatcher
from incidentd.sources.answers import Silence as SilenceThere
from incidentd.store import silences
from incidentd.store.engine import Store, StoreRejectedError, StoreUnavailableError, Tx
from incidentd.workflows import silence_course as course
from incidentd.workflows.rules import Rules

LOOK_EVERY = timedelta(minutes=5)
"""How often every Alertmanager is asked which of our silences it has."""
TALK_SECONDS = 60
"""At most, about one silence; shorter than its lease."""
STOP_SECONDS = 2

log = structlog.get_logger()


@dataclass(slots=True)
class Silencer:
    """Makes, extends and ends silences. Safe on several replicas: a lease in the row says who talks about it."""

    store: Store
    clock: Clock
    rules: Callable[[], Rules]
    members: Callable[[], Mapping[str, tuple[Alertmanager, ...]]]
    changed: Callable[[tuple[Change, ...]], None]
    _running: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    """Alertmanager -> what is being said to it."""
    _looked_at: datetime | None = None
    _begun: bool = False
    _stopping: bool = False

    @property
    def job(self) -> Job:
        """What the clockwork runs: it begins talks and does not wait for them."""
        return Job("silences", timedelta(seconds=1), self.tick)

    async def stop(self, seconds: float) -> None:
        """Begin nothing further; wait a part of that time for talks under way, and leave the rest to its mark."""
        self._stopping = True
        if self._running:
            # Others have leases to hand back after this.
            await asyncio.wait(list(self._running.values()), timeout=min(seconds / 4, STOP_SECONDS))
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def settle(self) -> None:
        """Wait for the talks under way."""
        while self._running:
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def tick(self) -> None:
        """Note what has run out, warn, and begin to talk about whatever is due."""
        if self._stopping:
            return
        if not self._begun and not self.store.postgresql:
            # Only one daemon has this file, and it is new: whoever held a lease was killed.
            await self.store.write(silences.release_all)
        self._begun = True
        rules, now = self.rules(), self.clock.now()
        if await self.store.read_now(lambda tx: course.tidy_due(tx, now)):
            self._tell(await self.store.write(lambda tx: course.tidy(tx, rules, now)))
        await self._talk_of_due(now)
        if self._looked_at is None or not timedelta() <= now - self._looked_at < LOOK_EVERY:
            self._looked_at = now
            self.look()

    async def _talk_of_due(self, now: datetime) -> None:
        if not await self.store.read_now(lambda tx: silences.is_due(tx, now)):
            return
        busy = set(self._running)
        claimed = await self.store.write(lambda tx: silences.claim(tx, now, busy))
        for url in dict.fromkeys([each.alertmanager for each in claimed]):
            mine = [each for each in claimed if each.alertmanager == url]
            self._begin(url, self._talk(mine, now))

    def look(self) -> None:
        """Begin to ask every Alertmanager that nothing is said to now which of our silences it has."""
        for source, members in self.members().items():
            for member in members:
                if member.url not in self._running:
                    self._begin(member.url, self._compare(source, member))

    def _begin(self, url: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(_logged(work), name=f"silences {url}")
        self._running[url] = task
        task.add_done_callback(lambda _: self._running.pop(url, None))

    def _tell(self, changes: tuple[Change, ...]) -> None:
        if changes:
            self.changed(changes)

    # -- one Alertmanager -------------------------------------------------------------------------------------
    async def _talk(self, claimed: Sequence[Silence], lease_from: datetime) -> None:
        for one in claimed:
            if self.clock.now() - lease_from > silences.LEASE - timedelta(seconds=TALK_SECONDS):
                return  # the ones before took long: the lease of this one runs out, and its turn comes again
            after = await self._answered(one)
            if after.last_error is not None:
                log.warning(
                    "silence_not_settled", silence=one.id, state=one.state.value, error=after.last_error
                )
            rules, now = self.rules(), self.clock.now()

            def write(tx: Tx, one: Silence = one, after: Silence = after) -> tuple[Change, ...]:
                return course.settled(tx, one, after, lease_from, rules, now)  # noqa: B023 - runs before the next one

            self._tell(await self.store.write(write))

    async def _answered(self, one: Silence) -> Silence:
        """The silence as it is after asking its Alertmanager."""
        member = self._member(one)
        if member is None:
            return self._in_vain(one, f"not listed under sources.{one.source}.alertmanagers any more")
        try:
            async with asyncio.timeout(TALK_SECONDS):
                return await (_ended if one.state is State.EXPIRING else _made)(member, one, self.clock.now())
        except AlertmanagerError as error:
            given_up = error.reason is Reason.INVALID and one.silence_id is None and one.state is State.WANTED
            return self._in_vain(one, str(error), given_up=given_up)
        except TimeoutError:
            return self._in_vain(one, f"{Reason.UNREACHABLE}: no answer within {TALK_SECONDS} s")

    def _member(self, one: Silence) -> Alertmanager | None:
        members = self.members().get(one.source, ())
        return next((member for member in members if member.url == one.alertmanager), None)

    def _in_vain(self, one: Silence, error: str, *, given_up: bool = False) -> Silence:
        now, attempts = self.clock.now(), one.attempts + 1
        if given_up:
            ended = replace(one, state=State.FAILED, ended_at=now, next_attempt_at=None)
            return replace(ended, attempts=attempts, last_error=error)
        return replace(one, attempts=attempts, last_error=error, next_attempt_at=now + pause(attempts))

    async def _compare(self, source: str, member: Alertmanager) -> None:
        """Ask one which of our silences it has, and take over what people did to them there."""
        url = member.url
        known = await self.store.read(silences.live)
        mine = tuple([each for each in known if each.source == source and each.alertmanager == url])
        try:
            looked = course.Looked(source, url, mine, tuple(await member.silences()))
        except AlertmanagerError as error:
            log.warning("silences_not_seen", source=source, error=str(error))
            return
        rules, now = self.rules(), self.clock.now()
        self._tell(await self.store.write(lambda tx: course.compare(tx, looked, rules, now)))


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except (StoreUnavailableError, StoreRejectedError) as error:
        # What was done there is found again by its mark.
        log.warning("silences_not_stored", error=str(error))
    except Exception:  # the others must be talked to, and somebody must see this
        log.exception("silences_failed")


async def _ours(member: Alertmanager, one: Silence) -> list[SilenceThere]:
    """What it has of this one, the one that we know of first."""
    there = [each for each in await member.silences() if each.state != course.OVER]
    ours = [each for each in there if each.id == one.silence_id or one.mark in each.comment]
    return sorted(ours, key=lambda each: each.id != one.silence_id)


async def _made(member: Alertmanager, one: Silence, now: datetime) -> Silence:
    ours = await _ours(member, one)
    wanted = SilenceThere(
        ours[0].id if ours else "",
        "active",
        one.created_by,
        marked(one.comment, one.mark),
        # Changed with another start it would become a second one there.
        ours[0].starts_at if ours else now,
        one.ends_at,
        tuple([SilenceMatcher(each.name, each.value, each.is_regex) for each in one.matchers]),
    )
    number = ours[0].id if ours and _same(ours[0], wanted) else await member.post_silence(wanted)
    return replace(
        one, state=State.ACTIVE, silence_id=number, attempts=0, next_attempt_at=None, last_error=None
    )


def _same(there: SilenceThere, wanted: SilenceThere) -> bool:
    return abs(there.ends_at - wanted.ends_at) < timedelta(seconds=1) and there.comment == wanted.comment


async def _ended(member: Alertmanager, one: Silence, now: datetime) -> Silence:
    for each in await _ours(member, one):
        await member.expire_silence(each.id)
    return replace(one, state=State.EXPIRED, ended_at=now, attempts=0, next_attempt_at=None, last_error=None)
