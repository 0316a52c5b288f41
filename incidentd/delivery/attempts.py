"""One attempt at a delivery, as logs and traces see it: a span in the trace of the request that led to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from incidentd.delivery.message import Claimed
from incidentd.domain.notification import Outcome, Verdict
from incidentd.log import bound
from incidentd.tracing import CURRENT, Kind, Tracer


@contextmanager
def attempt(tracer: Tracer | None, claimed: Claimed) -> Iterator[Callable[[Outcome], None]]:
    """While it lasts, lines of the log know what is being sent. Call what it yields with the outcome, once."""
    row = claimed.delivery
    with bound(incident=row.incident_id, delivery=row.id, channel=row.channel):
        if tracer is None:
            yield _nobody_asks
            return
        attributes: dict[str, str | int] = {
            "incidentd.incident": row.incident_id,
            "incidentd.delivery": row.id,
            "incidentd.channel": row.channel,
            "incidentd.class": row.delivery_class.value,
            "incidentd.notice": row.notice.value,
            "incidentd.attempt": row.attempts,
            "incidentd.bundled": len(claimed.bundle),
        }
        span = tracer.begin(f"deliver {row.channel}", Kind.CLIENT, row.trace, attributes)
        token = CURRENT.set(span.context)
        ends: list[Outcome] = []
        try:
            yield ends.append
        finally:
            CURRENT.reset(token)
            # None: it was cut off by a stop, and nobody knows what became of it.
            verdict = ends[0].verdict if ends else None
            word = verdict.value if verdict is not None else "cut off"
            span.end({"incidentd.outcome": word}, None if verdict is Verdict.OK else word)


def _nobody_asks(_: Outcome) -> None:
    """It is not traced."""
