"""The OpenAPI 3.1 document, made from the table of operations and its models."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson
from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from incidentd.config import Scope
from incidentd.web.answers import ProblemDocument
from incidentd.web.headers import JSON
from incidentd.web.op import LINK, PUBLIC, SIGN_IN, SIGNED, Call, Op

Json = dict[str, Any]
_REF: Final = "#/components/schemas/{model}"
_NAMED: Final = (
    "/api/v1/incidents",
    "/api/v1/alerts",
    "/api/v1/heartbeats",
    "/api/v1/schedules",
    "/api/v1/slo",
    "/calendars/",
    "/subscriptions/",
    "/api/v1/status/subscribers",
    "/incidents/",
    "/badge/",
    "/api/v1/status/publications",
    "/api/v1/status/maintenances",
    "/ack/",
    "/api/v1/sessions",
)
"""Paths whose part in braces is no number."""
_SEE_OTHER: Final = 303
_PLACE: Final = re.compile(r"\{(\w+)\}")
_WORDS: Final = {
    400: "The request is not understood",
    401: "No or wrong credentials",
    403: "The scope is missing, or in token-free mode a request that a web page or proxy could have made",
    404: "There is no such object",
    409: "The current state does not allow it",
    410: "The link has expired or was used",
    413: "The body is too large, counted after decompression",
    415: "Not a JSON body, or an unknown Content-Encoding",
    421: "Nobody signs in under this Host here",
    422: "The body is not understood, with the places",
    429: "Too often; Retry-After says when to come again",
    501: "Needs an extra that is not installed; the answer says which",
    500: "A bug; the log has the details under the request id",
    503: "Not possible now; nothing was changed",
}


async def document(call: Call) -> web.Response:
    """The document, made when it is first asked for: starting does not wait for it, nor do other requests."""
    headers = call.desk.headers(call.request_id, JSON)
    headers["Cache-Control"] = "public, max-age=300"
    return web.Response(body=await asyncio.to_thread(call.desk.openapi), headers=headers)


def render(ops: Sequence[Op]) -> bytes:
    """The document as JSON."""
    return orjson.dumps(describe(ops))


def describe(ops: Sequence[Op]) -> Json:
    """The document."""
    schemas = _Schemas(ops)
    paths: dict[str, Json] = {}
    for op in ops:
        for method in op.methods:
            if method != "HEAD":
                paths.setdefault(op.path, {})[method.lower()] = _operation(op, method, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "incidentd",
            "version": "1",  # of the API: the daemon tells its own to nobody who has not signed in
            "description": "Errors are application/problem+json (RFC 9457); times are RFC 3339 in UTC.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic", "description": "The token is the password"},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "__Host-incidentd",
                    "description": "Of who is signed in; what changes something needs X-CSRF-Token too",
                },
            },
        },
    }


class _Schemas:
    """The JSON Schemas of every model, generated in one go so that shared parts have one name."""

    def __init__(self, ops: Sequence[Op]) -> None:
        wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {
            (ProblemDocument, "serialization"): None
        }
        for op in ops:
            for model, mode in _models(op):
                wanted[model, mode] = None
        inputs = [(model, mode, model.__pydantic_core_schema__) for model, mode in wanted]
        self._refs, definitions = GenerateJsonSchema(ref_template=_REF).generate_definitions(inputs)
        queries = {op.query.__name__ for op in ops if op.query is not None}
        self.definitions: Json = {str(name): schema for name, schema in definitions.items()}
        self.components = {name: schema for name, schema in definitions.items() if name not in queries}

    def ref(self, model: type[BaseModel], mode: JsonSchemaMode) -> Json:
        """Where the model's schema stands."""
        return dict(self._refs[model, mode])


def _models(op: Op) -> Iterable[tuple[type[BaseModel], JsonSchemaMode]]:
    if op.query is not None:
        yield op.query, "validation"
    if op.body is not None:
        yield op.body, "validation"
    if op.returns is not None:
        yield op.returns, "serialization"


def _operation(op: Op, method: str, schemas: _Schemas) -> Json:
    described: Json = {
        "operationId": f"{method.lower()}{re.sub(r'[^A-Za-z0-9]+', '_', op.path).rstrip('_') or '_root'}",
        "summary": op.summary,
        "parameters": _parameters(op, schemas),
        "responses": _responses(op, schemas),
        "security": [{"bearer": []}, {"basic": []}, {"session": []}] if isinstance(op.access, Scope) else [],
    }
    if isinstance(op.access, Scope):
        described["x-scope"] = op.access.value
    if op.webhook or op.access == SIGNED:
        described["requestBody"] = {
            "required": True,
            "content": {op.accepts: {"schema": {"type": "object"}}},
        }
    elif op.body is not None:
        schema = schemas.ref(op.body, "validation")
        needed = any(field.is_required() for field in op.body.model_fields.values())
        described["requestBody"] = {"required": needed, "content": {"application/json": {"schema": schema}}}
    return described


def _parameters(op: Op, schemas: _Schemas) -> list[Json]:
    kind: Json = {"type": "string" if op.path.startswith(_NAMED) else "integer"}
    found: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": kind} for name in _PLACE.findall(op.path)
    ]
    if op.query is None:
        return found
    for name, schema in schemas.definitions[op.query.__name__].get("properties", {}).items():
        text = schema.pop("description", "") if isinstance(schema, dict) else ""
        found.append({"name": name, "in": "query", "required": False, "description": text, "schema": schema})
    return found


def _responses(op: Op, schemas: _Schemas) -> Json:
    schema: Json = {} if op.media == "application/json" else {"type": "string"}
    if op.returns is not None:
        schema = schemas.ref(op.returns, "serialization")
    answered: Json = {str(op.status): {"description": "Done", "content": {op.media: {"schema": schema}}}}
    if op.status == _SEE_OTHER:
        answered[str(op.status)] = {"description": "Done; Location says where to go on"}
    else:
        answered[str(op.status)]["content"] |= {
            media: {"schema": {"type": "string"}} for media in op.or_media
        }
    if isinstance(op.access, Scope) and "GET" in op.methods:
        answered[str(_SEE_OTHER)] = {"description": "For people in a browser: sign in first"}
    problem = schemas.ref(ProblemDocument, "serialization")
    for status in sorted({*_refusals(op), *op.refusals}):
        content: Json = {"application/problem+json": {"schema": problem}}
        if op.path.startswith("/health") and status == 503 and op.returns is not None:
            content["application/json"] = {"schema": schemas.ref(op.returns, "serialization")}
        if op.access in {LINK, SIGN_IN}:
            # A person reads these: pages as well.
            content[op.media] = {"schema": schema}
        answered[str(status)] = {"description": _WORDS[status], "content": content}
    return answered


def _refusals(op: Op) -> Iterable[int]:
    yield from (500, 503)
    if op.access not in {PUBLIC, LINK, SIGN_IN}:
        yield 401
    if isinstance(op.access, Scope):
        yield from (403, 421)
    if op.limited:
        yield 429
    if op.access == SIGN_IN:
        yield 421
    if op.query is not None or op.body is not None:
        yield 400
    if "{" in op.path:
        yield 404
