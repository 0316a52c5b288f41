"""What those see who are restricted to teams: the incidents of these, and what is no team's. All else is refused.

A route that nobody thought about is refused: that is the default.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from incidentd.security_events import SecurityEvent
from incidentd.store import incidents
from incidentd.store.engine import Tx
from incidentd.store.incidents import Search
from incidentd.web.models import incident_number
from incidentd.web.op import Call, Op
from incidentd.web.problems import Problem, not_found

Row = TypeVar("Row")

OF_AN_INCIDENT: Final = "/api/v1/incidents/{id}"
"""Everything below is open to who may see that incident; to others it is not there."""
FILTERED: Final = frozenset(
    {("GET", "/api/v1/incidents"), ("GET", "/api/v1/alerts"), ("GET", "/api/v1/events")}
)
"""They show what is theirs."""
OF_NO_TEAM: Final = frozenset(
    {
        ("GET", "/api/v1/session"),
        ("GET", "/api/v1/runbooks"),
        ("GET", "/runbooks/{name}"),
        ("GET", "/api/v1/oncall"),
        ("GET", "/api/v1/schedules"),
        ("GET", "/api/v1/schedules/{name}"),
        ("GET", "/api/v1/schedules/{name}/overrides"),
        ("GET", "/api/v1/overrides"),
        ("GET", "/api/v1/status/publications"),
        ("GET", "/api/v1/status/maintenances"),
    }
)
"""They say nothing about anybody's incidents that is not public, or needed by everybody on call."""
_AT_ONCE: Final = 200


async def check(call: Call, op: Op) -> None:
    """Raise `Problem` 403 or 404 if somebody restricted to teams asks for what is not theirs."""
    if call.identity.teams is None:
        return
    method = call.request.method
    if (method, op.path) in FILTERED or (method, op.path) in OF_NO_TEAM:
        return
    if not op.path.startswith(OF_AN_INCIDENT):
        call.desk.context.metrics.security_event(SecurityEvent.FORBIDDEN)
        raise Problem(403, "who is restricted to teams may not do this")
    number = incident_number(call.request.match_info["id"])
    if number is not None and not await call.desk.context.store.read(lambda tx: _theirs(tx, number, call)):
        # The same as for one that is not there: who may not see it learns nothing of it.
        raise not_found(f"there is no incident INC-{number}")


def _theirs(tx: Tx, number: int, call: Call) -> bool:
    found = incidents.search(tx, Search(before=number + 1, limit=1))
    return bool(found) and found[0].id == number and call.identity.sees(found[0].labels)


def only_theirs(
    fetch: Callable[[int | None, int], Sequence[Row]],
    theirs: Callable[[Row], bool],
    id_of: Callable[[Row], int],
    before: int | None,
    limit: int,
) -> list[Row]:
    """The first `limit` rows before `before` that are theirs, fetched newest first in pages of (before, limit)."""
    found: list[Row] = []
    while len(found) < limit:
        page = fetch(before, _AT_ONCE)
        found += [row for row in page if theirs(row)]
        if len(page) < _AT_ONCE:
            break
        before = id_of(page[-1])
    return found[:limit]
