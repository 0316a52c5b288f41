"""Strict reading of queries and JSON bodies: what is not in the model is refused, with its place."""

from __future__ import annotations

from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from incidentd.web.body import ByteBudget, read_body
from incidentd.web.problems import Problem

M = TypeVar("M", bound=BaseModel)

MAX_JSON = 256 * 1024
"""Bytes of a JSON body of the API."""


def read_query(model: type[M], request: web.Request) -> M:
    """The query string as `model`. Raises `Problem` 400: unknown or repeated key, or a bad value."""
    given: dict[str, Any] = {}
    for key in request.query:
        values = request.query.getall(key)
        if key in model.model_fields and model.model_fields[key].annotation == tuple[str, ...]:
            given[key] = tuple(values)
        elif len(values) > 1:
            raise Problem(
                400, "a query parameter is given twice", members=_one(f"?{key[:64]}", "given twice")
            )
        else:
            given[key] = values[0]
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise Problem(400, "the query is not understood", members=_places(error, "?", ".")) from None


async def read_json(model: type[M], request: web.Request) -> M:
    """The JSON body as `model`; no body is the same as ``{}``.

    Raises `Problem`: 415 if it is not sent as JSON, 400 if it is not JSON, 422 with the places that are wrong.
    """
    return parse(model, await read_data(request))


async def read_data(request: web.Request) -> bytes:
    """The bytes of a JSON body. Raises `Problem` 415 if it is not sent as JSON."""
    if not request.body_exists:
        return b""
    with ByteBudget().hold(2 * MAX_JSON) as held:
        data = await read_body(request, MAX_JSON, held)
    if data and request.content_type != "application/json":
        raise Problem(415, "send the body as application/json")
    return data


def parse(model: type[M], data: bytes) -> M:
    """JSON as `model`; nothing is the same as ``{}``. Raises `Problem` 400 or 422, as above."""
    try:
        return model.model_validate_json(data or b"{}")
    except ValidationError as error:
        if error.errors(include_url=False, include_input=False)[0]["type"] == "json_invalid":
            raise Problem(400, "the body is not JSON") from None
        raise Problem(422, "the body is not understood", members=_places(error, "/", "/")) from None
    except RecursionError:
        raise Problem(400, "the body is nested too deeply") from None


def _places(error: ValidationError, first: str, between: str) -> dict[str, Any]:
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return {
        "errors": [
            {
                "at": first + between.join(str(part)[:64] for part in item["loc"]),
                "detail": _words(item["msg"]),
            }
            for item in found[:50]
        ]
    }


def _words(message: str) -> str:
    return message.removeprefix("Value error, ")


def _one(at: str, detail: str) -> dict[str, Any]:
    return {"errors": [{"at": at, "detail": detail}]}
