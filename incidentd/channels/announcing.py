"""An optional ability of channels: to tell of deployments that have ended. It pages nobody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Protocol, runtime_checkable

from pydantic import Field

from incidentd.channels.base import ChannelConfig
from incidentd.domain.deployment import Announcement
from incidentd.domain.notification import Outcome


@runtime_checkable
class Announcer(Protocol):
    """A sender that can tell of deployments."""

    async def announce(self, said: Announcement) -> Outcome:
        """Tell of it once, like `Sender.send`: everything it raises is a bug."""
        ...


class AnnouncingConfig(ChannelConfig):
    """What a kind of channel is configured with that can tell of deployments."""

    change_events: bool = False
    """Tell this service of deployments."""
    services: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """The services whose deployments are told here, by the names that `POST /api/v1/deployments` gives them; all of
    them if it is left out."""

    def announces(self, service: str) -> bool:
        """Whether deployments of `service` are told here."""
        return self.change_events and (self.services is None or service in self.services)


def audience(channels: Mapping[str, ChannelConfig], service: str) -> tuple[str, ...]:
    """The channels that are told of deployments of `service`, in the order of the configuration."""
    return tuple([name for name, config in channels.items() if _told(config, service)])


def _told(config: ChannelConfig, service: str) -> bool:
    return isinstance(config, AnnouncingConfig) and config.announces(service)
