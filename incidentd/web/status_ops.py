"""All operations about the status page: what everybody may do, and what those do who decide what it tells."""

from __future__ import annotations

from typing import Final

from incidentd.web import (
    status,
    status_desk,
    status_history,
    status_plans,
    status_subscribers,
    subscribe,
    subscription,
)
from incidentd.web.op import Op

EVERYBODYS: Final[tuple[Op, ...]] = (*status.OPS, *subscribe.OPS, *subscription.OPS)
"""The page, its documents and its forms; they can have a listener of their own."""
OPS: Final[tuple[Op, ...]] = (
    *EVERYBODYS,
    *status_desk.OPS,
    *status_plans.OPS,
    *status_history.OPS,
    *status_subscribers.OPS,
)
