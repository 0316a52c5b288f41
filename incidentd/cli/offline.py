"""What a configuration decides, without a daemon: nothing is sent, and no connection is opened."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from incidentd.config import Config
    from incidentd.workflows.rules import Rules

_SECRET = "whsec_b2ZmbGluZQ=="  # noqa: S105 - signs nothing: nothing is sent


def rules_for(config: Config) -> Rules:
    """The rules of `config`, with whom its channels reach."""
    return asyncio.run(_rules_for(config))


async def _rules_for(config: Config) -> Rules:
    from incidentd.channels.base import ChannelEnv
    from incidentd.channels.http import HttpClient
    from incidentd.clock import SystemClock
    from incidentd.outlets import Outlets
    from incidentd.workflows.rules import rules_of

    http = HttpClient()
    outlets = Outlets(
        ChannelEnv(http, SystemClock(), config.server.public_url, lambda _: _SECRET, io.StringIO())
    )
    outlets.take(config)  # opens no connection
    try:
        return rules_of(config, outlets.targets)
    finally:
        for sender in outlets.senders.values():
            await sender.close()
        await http.aclose()
