"""Forms of our own pages, as browsers send them."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from incidentd.web.body import ByteBudget, read_body
from incidentd.web.problems import Problem

_MOST: Final = 8 * 1024
"""Bytes: the longest is two passwords."""
_FIELDS: Final = 10


async def read_form(request: web.Request) -> dict[str, str]:
    """The fields. Raises `Problem`: 415 if it is no form, 400 if it is none that we gave, 413 above 8 KiB."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise Problem(415, "send the form as application/x-www-form-urlencoded")
    with ByteBudget().hold(2 * _MOST) as held:
        data = await read_body(request, _MOST, held)
    try:
        pairs = parse_qsl(
            data.decode(),
            keep_blank_values=True,
            strict_parsing=bool(data),
            max_num_fields=_FIELDS,
            errors="strict",
        )
    except ValueError:
        raise Problem(400, "the form is not understood") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Problem(400, "a field of the form is given twice")
    return fields
