"""Whether strangers are kept out: asked at the start, and whenever the configuration changes."""

from __future__ import annotations

from incidentd.config import Config
from incidentd.config.server import Server
from incidentd.lifecycle import StartError
from incidentd.store import tokens
from incidentd.store.engine import Store


async def protected(store: Store, config: Config, server: Server) -> bool:
    """True if requests need a token. Raises `StartError` if none is needed and others can reach `server`."""
    stored = await store.read(tokens.all_tokens)
    # A revoked token counts: revoking the last one must not open the door.
    found = bool(config.auth.tokens or stored)
    if not server.loopback and not found:
        raise StartError(
            f"server.host is {server.host}, which others can reach, and there is no token: anybody could "
            "acknowledge incidents. Configure auth.tokens, or run `incidentd token create NAME --scope admin`, "
            "or listen on 127.0.0.1"
        )
    return found
