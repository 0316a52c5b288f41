"""What an operation of the API is: one row of the table in `web.routes`, and one call of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson
from aiohttp import web
from pydantic import BaseModel

from incidentd.config import Config, Scope
from incidentd.web.auth import Identity
from incidentd.web.desk import REQUEST_ID, Desk
from incidentd.web.headers import JSON

PUBLIC: Final = "public"
SIGNED: Final = "signature"
"""A vendor signs the request's body; the handler verifies it before it believes a word."""
LINK: Final = "signed link"
"""A token in the path, signed by us, is the credential; the handler verifies it and believes nothing else."""
SIGN_IN: Final = "sign-in"
"""What a person sends to show who they are is the credential; the handler checks it and where it was sent from."""
_JSON_OPTIONS: Final = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


@dataclass(slots=True)
class Call:
    """One request that was let in, with its checked input."""

    desk: Desk
    request: web.Request
    identity: Identity
    query: Any
    """An instance of the operation's query model."""
    body: Any
    """An instance of the operation's body model."""

    @property
    def request_id(self) -> str:
        """The id that answer, log and quarantine share."""
        return self.request[REQUEST_ID]

    def answer(self, value: object, status: int = 200, *, location: str | None = None) -> web.Response:
        """`value` as JSON; instants as RFC 3339 with Z."""
        headers = self.desk.headers(self.request_id, JSON)
        if location is not None:
            headers["Location"] = location
        return web.Response(body=orjson.dumps(value, option=_JSON_OPTIONS), status=status, headers=headers)


Handler = Callable[[Call], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Op:
    """One operation. The table of them drives routing, scope check, validation and the OpenAPI document."""

    methods: tuple[str, ...]
    path: str
    handler: Handler
    access: Scope | Literal["public", "signature", "signed link", "sign-in"]
    """The scope it needs. There is no default: an operation that nobody thought about cannot exist."""
    summary: str
    query: type[BaseModel] | None = None
    """None: the query string is ignored."""
    body: type[BaseModel] | None = None
    """None: the handler reads the body itself, or there is none."""
    reads_body: bool = True
    """False: the handler reads the body itself although `body` is its model, for it comes in other forms too."""
    returns: type[BaseModel] | None = None
    status: int = 200
    media: str = "application/json"
    """Media type of the answer."""
    or_media: tuple[str, ...] = ()
    """Others that it may have, if the client asks for them."""
    accepts: str = "application/json"
    """Media type of a body that the handler reads itself."""
    also: tuple[str, ...] = ()
    """Further paths that are the same operation."""
    webhook: bool = False
    """The body is an alert webhook; counted by source, and not logged when it went well."""
    open_if: Callable[[Config], bool] | None = None
    """When the configuration makes it public."""
    limited: bool = False
    """A client may ask only so often (`server.public_rate`). Never for what sends alerts."""
    refusals: tuple[int, ...] = ()
    """Statuses besides the usual ones, for the document."""
