"""Whether strangers are kept out: asked at the start, and whenever the configuration changes."""

from __future__ import annotations

from incidentd.config import Config
from incidentd.config.server import Server
from incidentd.lifecycle import StartError
from incidentd.store import accounts, tokens
from incidentd.store.engine import Store, Tx


async def protected(store: Store, config: Config, server: Server) -> bool:
    """True if requests need credentials. Raises `StartError` if none are needed and others can reach `server`."""

    def kept(tx: Tx) -> bool:
        # A revoked token counts, and a disabled account: revoking the last one must not open the door.
        return bool(tokens.all_tokens(tx)) or accounts.any_account(tx)

    found = config.auth.guarded or await store.read(kept)
    if not server.loopback and not found:
        raise StartError(
            f"server.host is {server.host}, which others can reach, and nobody has a token or an account: "
            "anybody could acknowledge incidents. Configure auth.tokens, or run "
            "`incidentd token create NAME --scope admin`, or listen on 127.0.0.1"
        )
    return found
