"""How the configured channels are doing: what all replicas know, with this one's own attempts beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web
from pydantic import AwareDatetime

from incidentd.delivery.worker import ChannelHealth
from incidentd.domain.destination import Destination, DestinationState
from incidentd.store import destinations, pages, proofs
from incidentd.store.engine import Tx
from incidentd.web.answers import Answer
from incidentd.web.context import Context
from incidentd.web.models import PageQuery
from incidentd.web.op import Call
from incidentd.web.present import Json, page_json


class Channel(Answer):
    """One configured channel, and how it is doing by all replicas."""

    name: str
    kind: str
    state: DestinationState
    since: AwareDatetime | None
    """When it came into this state; null if nothing is known of it."""
    paused_until: AwareDatetime | None
    """Nothing is sent before; null if it is not paused now."""
    failures: int
    """Attempts in a row that it did not accept."""
    last_error: str | None
    oldest_page_at: AwareDatetime | None
    """Since when the oldest page waits for it."""
    targets: list[str]
    fallback: list[str]
    """Channels that are told in its place, in this order."""
    last_attempt_at: AwareDatetime | None
    """By this replica since its start or the channel's last change, as is the next."""
    last_accepted_at: AwareDatetime | None
    last_proven_at: AwareDatetime | None
    """When it last accepted a page, of a drill or a real one, by all replicas."""


class ChannelPage(Answer):
    """A page of channels."""

    items: list[Channel]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Known:
    """What the database says of channels."""

    destinations: Mapping[str, Destination]
    oldest_pages: Mapping[str, datetime]
    """Channel -> since when its oldest page waits."""
    proven: Mapping[str, datetime]
    """Channel -> when it last accepted a page."""


def known(tx: Tx) -> Known:
    """Read it."""
    proven = {
        proof.name: proof.delivered_at
        for proof in proofs.all_of(tx).values()
        if proof.kind is proofs.Kind.CHANNEL and proof.delivered_at is not None
    }
    return Known({d.channel: d for d in destinations.all_of(tx)}, pages.oldest_waiting(tx), proven)


@dataclass(frozen=True, slots=True)
class Standing:
    """One configured channel."""

    name: str
    kind: str
    targets: tuple[str, ...]
    fallback: tuple[str, ...]
    destination: Destination | None
    """None: no attempt at it has ever failed, as far as anybody knows."""
    health: ChannelHealth | None
    """By this process's own attempts."""
    oldest_page: datetime | None
    proven: datetime | None = None
    """When it last accepted a page."""

    @property
    def up(self) -> bool | None:
        """Whether the destination took the last attempt; None if nothing was ever tried.

        A refusal of one text or of one of several targets says nothing about the destination.
        """
        if self.destination is not None:
            return self.destination.failures == 0
        return None if self.health is None or self.health.up is None else True

    @property
    def state(self) -> DestinationState:
        """As the destination answered."""
        return DestinationState.OK if self.destination is None else self.destination.state

    @property
    def last_error(self) -> str | None:
        """What the last attempt failed with; None if it did not."""
        shared = None if self.destination is None else self.destination.last_error
        return shared or (None if self.health is None else self.health.last_error)


def standings(context: Context, known: Known | None) -> list[Standing]:
    """The configured channels by name. `known` is None while the database is away: then as this process saw them."""
    health = {own.name: own for own in context.channel_health()}
    return [
        Standing(
            name,
            channel.kind,
            context.rules.targets.get(name, ()),
            channel.fallback,
            _as_seen(health.get(name)) if known is None else known.destinations.get(name),
            health.get(name),
            None if known is None else known.oldest_pages.get(name),
            None if known is None else known.proven.get(name),
        )
        for name, channel in sorted(context.config.channels.items())
    ]


def _as_seen(own: ChannelHealth | None) -> Destination | None:
    if own is None or own.since is None:
        return None
    return Destination(own.name, own.state, own.since, own.paused_until, own.failures, own.last_error)


def channel_json(standing: Standing, now: datetime) -> Json:
    """A channel."""
    destination, health = standing.destination, standing.health
    paused = destination is not None and destination.paused(now)
    return {
        "name": standing.name,
        "kind": standing.kind,
        "state": standing.state.value,
        "since": destination.since if destination else None,
        "paused_until": destination.paused_until if destination and paused else None,
        "failures": destination.failures if destination else 0,
        "last_error": standing.last_error,
        "oldest_page_at": standing.oldest_page,
        "targets": list(standing.targets),
        "fallback": list(standing.fallback),
        "last_attempt_at": health.last_attempt_at if health else None,
        "last_accepted_at": health.last_accepted_at if health else None,
        "last_proven_at": standing.proven,
    }


async def listed(call: Call) -> web.Response:
    """The configured channels, by name."""
    query: PageQuery = call.query
    context = call.desk.context
    found = standings(context, await context.store.read(known))
    now, first = context.clock.now(), query.cursor or 0
    rows = list(enumerate(found, 1))[first : first + query.limit + 1]
    return call.answer(
        page_json(rows, query.limit, lambda row: row[0], lambda row: channel_json(row[1], now))
    )
