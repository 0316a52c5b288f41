"""What a reload cannot change: it is said in the log, and stays as it was at the start."""

from __future__ import annotations

from typing import Final

import structlog

from incidentd.config import Config

log = structlog.get_logger()

SECTIONS: Final = ("server", "database", "telemetry")


def with_kept(running: Config, read: Config) -> Config:
    """`read`, as far as it can be put in force without a restart."""
    # Host and port may have been given on the command line.
    here = running.server
    page = read.status_page.model_copy(update={"listen": running.status_page.listen})
    compared = read.model_copy(update={"server": read.server.at(here.host, here.port)})
    changed = [name for name in SECTIONS if getattr(compared, name) != getattr(running, name)]
    if page != read.status_page:
        changed.append("status_page.listen")
    if changed:
        log.warning("config_needs_restart", sections=changed)
    kept = {name: getattr(running, name) for name in SECTIONS}
    return read.model_copy(update={**kept, "status_page": page})
