"""What the worker has to know of channels beside their senders, by the configuration in force."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from incidentd.channels.base import ChannelConfig, Rate, TextsConfig, discover


@dataclass(frozen=True, slots=True)
class Traits:
    """One channel."""

    people: bool = True
    """See `Channel.people`."""
    keyed: bool = False
    """See `Channel.keyed`."""
    personal: bool = False
    """See `Channel.personal`."""
    rate: Rate | None = None
    """Messages to one target."""
    fallback: tuple[str, ...] = ()
    """Channels that are told in its place, in this order."""
    texts: TextsConfig | None = None
    """The operator's own words."""


def traits_of(config: ChannelConfig) -> Traits:
    """The traits of a configured channel."""
    kind = discover()[config.kind]
    rate = kind.rate if config.rate is None else Rate(config.rate.per_second, config.rate.burst)
    return Traits(kind.people, kind.keyed, kind.personal, rate, config.fallback, config.texts)


@dataclass(frozen=True, slots=True)
class Plan:
    """Who stands in for whom, and where messages link to."""

    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Channel -> the channels that are told in its place, in this order."""
    targets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Configured channel -> its targets."""
    alertmanagers: Mapping[str, str] = field(default_factory=dict)
    """Source -> address of its Alertmanager, where silences are made."""
