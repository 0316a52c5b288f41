"""The journal of webhook bodies."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from incidentd.config.section import PositiveDuration, Section
from incidentd.fields import Size


class Journal(Section):
    """The bodies of alert webhooks, kept so that another configuration can be tried on them (`incidentd replay`)."""

    enabled: bool = True
    """Keep them. What was kept before is still pruned when this is false."""
    keep: PositiveDuration = timedelta(days=30)
    """How long."""
    max_size: Annotated[Size, Field(ge=1024**2)] = Field(
        default=256 * 1024**2, json_schema_extra={"default": "256MiB"}
    )
    """How much the journal may take in the database, compressed; the oldest bodies go first. At least 1MiB."""
