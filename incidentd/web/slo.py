"""Service level objectives: how they stand, who spent what, and the burn-down as a drawing."""

from __future__ import annotations

from functools import partial
from typing import Any

from aiohttp import web
from pydantic import AwareDatetime

from incidentd.config import Scope
from incidentd.domain.duration import format_duration
from incidentd.domain.slo import SHOWN, BudgetState, Debit, Objective, Standing
from incidentd.rendering.svg import burn_down
from incidentd.store.engine import Tx
from incidentd.web.answers import Answer
from incidentd.web.models import NoQuery, PageQuery
from incidentd.web.op import Call, Op
from incidentd.web.problems import not_found
from incidentd.workflows.objectives import Board, debits_of, standings
from incidentd.workflows.rules import Rules

Json = dict[str, Any]
_ONE = "/api/v1/slo/{name}"


class Burn(Answer):
    """How fast the budget is spent: 1 is exactly as fast as it may be."""

    window: str
    rate: float


class Budget(Answer):
    """One objective as it stands now. Without a measurement all that follows from one is null."""

    name: str
    service: str
    target: float
    window: str
    measured_by: str
    good: float | None
    budget_left: float | None
    state: BudgetState | None
    burn_rates: list[Burn]
    burning: list[str]
    """The pairs of windows over which it burns too fast now, such as ``1h/5m``."""
    measured_at: AwareDatetime | None
    error: str | None
    """Why there is nothing newer."""


class Spent(Answer):
    """What one incident took from the budget."""

    incident_id: int
    ref: str
    seconds: float
    share: float


class Point(Answer):
    """One point of the burn-down."""

    at: AwareDatetime
    left: float


class BudgetDetail(Budget):
    """One objective with who spent what."""

    debits: list[Spent]
    burn_down: list[Point]


class BudgetPage(Answer):
    """All objectives."""

    items: list[Budget]
    next_cursor: str | None


async def listed(call: Call) -> web.Response:
    """Every objective as it stands, in the order of the configuration."""
    context = call.desk.context
    rules, board, now = context.rules, context.board, context.clock.now()
    found = await context.store.read(lambda tx: standings(tx, rules, board, now))
    items = [_json(objective, found[objective.name], board, now) for objective in rules.objectives]
    return call.answer({"items": items, "next_cursor": None})


async def detail(call: Call) -> web.Response:
    """One objective with its debits and its course."""
    context = call.desk.context
    rules, board, now = context.rules, context.board, context.clock.now()
    objective = _named(rules, call)

    def read(tx: Tx) -> tuple[Standing | None, list[Debit]]:
        return standings(tx, rules, board, now)[objective.name], debits_of(tx, objective, now)

    standing, debits = await context.store.read(read)
    shown = _json(objective, standing, board, now)
    course = standing.course if standing is not None else ()
    return call.answer(
        {
            **shown,
            "debits": [debit_json(debit) for debit in debits],
            "burn_down": [{"at": at, "left": left} for at, left in course],
        }
    )


async def drawing(call: Call) -> web.Response:
    """The burn-down as SVG."""
    context = call.desk.context
    rules, board, now = context.rules, context.board, context.clock.now()
    objective = _named(rules, call)
    standing = (await context.store.read(lambda tx: standings(tx, rules, board, now)))[objective.name]
    title = f"Error budget of {objective.name}"
    svg = burn_down(title, standing.course if standing else (), standing.state.value if standing else "")
    return web.Response(body=svg.encode(), headers=call.desk.headers(call.request_id, "image/svg+xml"))


def _named(rules: Rules, call: Call) -> Objective:
    name = call.request.match_info["name"]
    for objective in rules.objectives:
        if objective.name == name:
            return objective
    raise not_found("there is no such objective")


def debit_json(debit: Debit) -> Json:
    """What one incident took."""
    return {
        "incident_id": debit.incident,
        "ref": f"INC-{debit.incident}",
        "seconds": debit.seconds,
        "share": debit.share,
    }


def _json(objective: Objective, standing: Standing | None, board: Board, now: object) -> Json:
    by_query = objective.promql is not None
    known = board.of.get(objective.name) if by_query else None
    return {
        "name": objective.name,
        "service": objective.service,
        "target": round(objective.target * 100, 6),
        "window": format_duration(objective.window),
        "measured_by": "promql" if by_query else "incidents",
        "good": None if standing is None else standing.good,
        "budget_left": None if standing is None else standing.left,
        "state": None if standing is None else standing.state.value,
        "burn_rates": [{"window": w, "rate": standing.burn[w]} for w in SHOWN] if standing else [],
        "burning": [f"{rule.long}/{rule.short}" for rule in standing.burning] if standing else [],
        "measured_at": (known.at if known and known.ratios else None) if by_query else now,
        "error": board.error(objective) or None,
    }


_read = partial(Op, ("GET",), access=Scope.READ)
OPS: tuple[Op, ...] = (
    _read(
        path="/api/v1/slo",
        handler=listed,
        query=PageQuery,
        returns=BudgetPage,
        summary="The objectives: error budget left, burn rates and state",
    ),
    _read(
        path=_ONE,
        handler=detail,
        query=NoQuery,
        returns=BudgetDetail,
        refusals=(404,),
        summary="One objective with what each incident took from its budget, and its burn-down",
    ),
    _read(
        path=f"{_ONE}/burndown.svg",
        handler=drawing,
        query=NoQuery,
        media="image/svg+xml",
        refusals=(404,),
        summary="The burn-down of its error budget, drawn",
    ),
)
"""How objectives are read."""
