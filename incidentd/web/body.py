"""Reading request bodies: bounded in bytes after decompression, in time, and over all requests together."""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from aiohttp import StreamReader, web

from incidentd.web.problems import LimitReached, Problem

MIB: Final = 1024 * 1024
FIRST_SECONDS: Final = 10.0
"""A body has this long, and one second more for each MiB."""
INLINE_BYTES: Final = 256 * 1024
"""Work on larger bodies happens in a thread, so that it does not hold up others."""
MAX_BODIES: Final = 768
"""Bodies that may be read or wait for their commit at once. The rest of the usual limit of 1,024 descriptors is for
people and probes: an operator can always acknowledge."""
_ENCODINGS: Final = {"": 0, "identity": 0, "gzip": 31, "x-gzip": 31, "deflate": 15}
"""Content-Encoding to zlib's window bits."""


class ByteBudget:
    """How many bodies and how many of their bytes may be in memory, and how long one may take to come."""

    def __init__(self, first_seconds: float = FIRST_SECONDS) -> None:
        self.used = 0
        self.bodies = 0
        self.max_bodies = MAX_BODIES
        self.first_seconds = first_seconds

    def hold(self, limit: int) -> Held:
        """A share that is given back at the end of the `with` block, which raises 503 if there are too many."""
        return Held(self, limit)


@dataclass(slots=True)
class Held:
    """The bytes one request holds."""

    budget: ByteBudget
    limit: int
    size: int = 0

    def __enter__(self) -> Self:
        if self.budget.bodies >= self.budget.max_bodies:
            # Kept open, the connection would go on using a descriptor that others need.
            raise LimitReached("too many posts are under way", {"Connection": "close"})
        self.budget.bodies += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.budget.used -= self.size
        self.budget.bodies -= 1

    def take(self, size: int) -> None:
        """Hold `size` bytes more. Raises 503 when others hold too much; one body alone always fits."""
        others = self.budget.used - self.size
        if others and others + self.size + size > self.limit:
            raise LimitReached("too many bodies are being read")
        self.size += size
        self.budget.used += size


async def read_body(request: web.Request, limit: int, held: Held) -> bytes:
    """The whole body, decompressed.

    Raises `Problem`: 415 for an unknown encoding, 413 above `limit` bytes, 400 for a broken compression, 503 when
    too much is in memory. A body that comes too slowly costs the connection, without an answer: after a 408
    Alertmanager would keep the alerts back for a whole group_interval.
    """
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    bits = _ENCODINGS.get(encoding)
    if bits is None:
        raise Problem(415, "the Content-Encoding is not supported; accepted: identity, gzip, deflate")
    declared = request.content_length
    if declared is not None and declared > limit:
        raise _too_large(limit)
    stream = request.content
    if stream.is_eof():
        # The usual case: a small body came together with its headers, so there is nothing to wait for.
        data = await _all_of(stream, limit, held, None)
    else:
        data = await _in_time(request, limit, held)
    if not bits:
        return data
    if len(data) > INLINE_BYTES // 8:
        plain = await asyncio.to_thread(decompress, data, bits, limit)
    else:
        plain = decompress(data, bits, limit)
    held.take(len(plain))
    return plain


async def _in_time(request: web.Request, limit: int, held: Held) -> bytes:
    try:
        async with asyncio.timeout(held.budget.first_seconds) as deadline:
            return await _all_of(request.content, limit, held, deadline)
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
        raise Problem(408, "the body came too slowly") from None


async def _all_of(stream: StreamReader, limit: int, held: Held, deadline: asyncio.Timeout | None) -> bytes:
    started = asyncio.get_running_loop().time()
    chunks: list[bytes] = []
    while chunk := await stream.readany():
        chunks.append(chunk)
        held.take(len(chunk))
        if held.size > limit:
            raise _too_large(limit)
        if deadline is not None:
            deadline.reschedule(started + held.budget.first_seconds + held.size / MIB)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def decompress(data: bytes, bits: int, limit: int) -> bytes:
    """`data` without its compression, at most `limit` bytes. Raises `Problem` 400 or 413."""
    if bits == 15 and data and data[0] & 0x0F != 8:
        # RFC 9110 says zlib, some senders leave the wrapper out.
        bits = -15
    plain: list[bytes] = []
    room = limit + 1
    try:
        while data:
            member = zlib.decompressobj(bits)
            plain.append(member.decompress(data, room))
            room -= len(plain[-1])
            if room <= 0:
                raise _too_large(limit)
            if not member.eof:
                raise _broken()
            data = member.unused_data
    except zlib.error:
        raise _broken() from None
    return b"".join(plain)


def _broken() -> Problem:
    return Problem(400, "the body is not what its Content-Encoding says: the compression is broken")


def _too_large(limit: int) -> Problem:
    return Problem(413, f"the body is larger than {limit} bytes, counted after decompression")
