"""The configured channels, open. A reload keeps those about which nothing has changed, with what they are sending."""

from __future__ import annotations

from collections.abc import Mapping

from incidentd.channels.base import ChannelConfig, ChannelEnv, Sender, discover
from incidentd.config import Config
from incidentd.delivery.traits import Traits, traits_of


class Outlets:
    """Opens channels; whoever uses the senders closes them."""

    def __init__(self, env: ChannelEnv) -> None:
        self._env = env
        self._open: dict[str, tuple[ChannelConfig, Sender]] = {}
        self.senders: Mapping[str, Sender] = {}
        """By channel name."""
        self.traits: Mapping[str, Traits] = {}
        self.alertmanagers: Mapping[str, str] = {}
        """Source -> the first of its Alertmanagers."""

    @property
    def targets(self) -> dict[str, tuple[str, ...]]:
        """Channel name -> whom it reaches."""
        return {name: sender.targets for name, sender in self.senders.items()}

    def take(self, config: Config) -> None:
        """Open what `config` names and is not open yet. Does no I/O."""
        kinds = discover()
        old, self._open = self._open, {}
        for name, channel in config.channels.items():
            kept = old.get(name)
            if kept is None or kept[0] != channel:
                kept = (channel, kinds[channel.kind].open(channel, name, self._env))
            self._open[name] = kept
        self.senders = {name: sender for name, (_, sender) in self._open.items()}
        self.traits = {name: traits_of(channel) for name, (channel, _) in self._open.items()}
        self.alertmanagers = {
            name: source.alertmanagers[0].url
            for name, source in config.sources.items()
            if source.alertmanagers
        }
