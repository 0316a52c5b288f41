"""Ready-made answers for what status widgets ask for all day: the bytes of a whole answer, by the bytes of a request.

A page is read most when everything burns, while alerts pour in. Parsing a request, routing it and making an answer
costs ten times what it costs to know that it is the same request as before. Only the plainest are answered here: one
complete GET without body, conditions or anything else that asks for thought, on an idle connection. All others, and the
first on each connection, go the usual way, and are answered with the same bytes.
"""

from __future__ import annotations

from datetime import datetime
from email.utils import format_datetime
from typing import Final

from incidentd.clock import random_id
from incidentd.public.documents import JSON, Tree
from incidentd.web.clients import client_behind, local, network_of
from incidentd.web.desk import Desk
from incidentd.web.status import answer as answer_of

_LONGEST: Final = 2048
_END: Final = b"\r\n\r\n"
_THOUGHT: Final = (
    b"\r\ncontent-", b"\r\ntransfer-encoding", b"\r\nupgrade", b"\r\nexpect", b"\r\nif-", b"\r\nrange",
    b"\r\nx-request-id", b"\r\nauthorization", b"\0", b"\r\n ", b"\r\n\t",
)  # fmt: skip
"""What a request must not hold, in small letters, to be answered without thinking."""
_LINE_ENDS: Final = (b"\n", b"\r")


class Quick:
    """The answers in force; made anew whenever the documents are."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._tree: Tree | None = None
        self._plain: dict[bytes, tuple[str, bytes, bytes]] = {}
        self._packed: dict[bytes, tuple[str, bytes, bytes]] = {}
        self._second: datetime | None = None
        self._date = b""

    def answer(self, data: bytes, peer: str = "") -> bytes | None:
        """The whole answer to `data`, all that came in at once from `peer`; None: it needs a closer look."""
        desk = self._desk
        started = desk.context.clock.monotonic()
        if self._tree is not desk.status.quick_tree:
            self._take(desk.status.quick_tree)
        line, found, rest = data.partition(b"\r\n")
        headers = b"\r\n" + rest.lower()
        if not found or line not in self._plain or not _simple(headers) or not self._may(peer, headers):
            return None
        gzip = b"gzip" in _value(headers, b"accept-encoding")
        path, head, tail = (self._packed if gzip else self._plain)[line]
        answer = b"".join([head, self._now(), b"\r\nX-Request-ID: ", random_id().encode(), _END, tail])
        desk.http.answered("GET", path, 200, desk.context.clock.monotonic() - started)
        return answer

    def _may(self, peer: str, headers: bytes) -> bool:
        """The client does not come too often; one that does is told so the usual way. It is counted here or there."""
        forwarded = _value(headers, b"x-forwarded-for")
        if b"\r\nx-forwarded-for" in headers and not forwarded:
            return False
        client = client_behind(
            peer, [forwarded.decode("latin-1")] if forwarded else [], self._desk.context.config.server
        )
        return local(client) or not self._desk.rates.wait(network_of(client))

    def _now(self) -> bytes:
        now = self._desk.context.clock.now().replace(microsecond=0)
        if now != self._second:
            self._second, self._date = now, format_datetime(now, usegmt=True).encode()
        return self._date

    def _take(self, tree: Tree | None) -> None:
        self._tree = tree
        self._plain.clear()
        self._packed.clear()
        for path in tree or ():
            if tree is None or not path.startswith("/api/v2/") or (found := tree[path]).media != JSON:
                continue
            line = f"GET {path} HTTP/1.1".encode()
            for packed, answers in ((False, self._plain), (True, self._packed)):
                headers, body = answer_of(self._desk, "", found, packed=packed)
                headers.popall("X-Request-ID")
                lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
                head = f"HTTP/1.1 200 OK\r\n{lines}Content-Length: {len(body)}\r\nDate: "
                answers[line] = (path, head.encode(), body)


def _simple(headers: bytes) -> bool:
    """One header block and nothing behind it, and nothing in it that changes the answer; in small letters."""
    if (
        len(headers) > _LONGEST
        or not headers.endswith(_END)
        or headers.find(_END) != len(headers) - len(_END)
    ):
        return False
    # A bare CR or LF is read in one way here and in another way there: nothing for us to decide.
    ends = headers.count(b"\r\n")
    if any([word in headers for word in _THOUGHT]) or any(
        [headers.count(each) != ends for each in _LINE_ENDS]
    ):
        return False
    keeps = b"\r\nconnection" not in headers or _value(headers, b"connection") == b"keep-alive"
    weighs = b"q=" in _value(headers, b"accept-encoding")
    return keeps and not weighs and headers.count(b"\r\nhost:") == 1


def _value(headers: bytes, name: bytes) -> bytes:
    """The value of a header that is there once; empty if it is not there."""
    _, found, rest = headers.partition(b"\r\n" + name + b":")
    return rest.partition(b"\r\n")[0].strip(b" \t") if found and rest.count(b"\r\n" + name) == 0 else b""
