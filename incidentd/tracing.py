"""Traces, as the code that is traced sees them: a span begins, learns something, ends. Who keeps them is not known.

A context is the text of W3C Trace Context's `traceparent`: ``00-TRACE-SPAN-FLAGS``. It travels in a context variable
within a request, and on the row of the outbox from there to whoever sends it, which may be another process next week.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, Protocol

CURRENT: Final[ContextVar[str | None]] = ContextVar("trace", default=None)
"""The context of what this task works on; None: it is not traced."""

_TRACEPARENT: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")


class Kind(enum.Enum):
    """Which part of a trace a span is."""

    SERVER = "server"
    INTERNAL = "internal"
    CLIENT = "client"


class Span(Protocol):
    """One thing that takes time."""

    @property
    def context(self) -> str:
        """What its children name as their parent."""
        ...

    def end(self, attributes: Mapping[str, str | int], error: str | None = None) -> None:
        """It is over, and this is known of it besides; `error` says in a word what it failed with."""
        ...


class Tracer(Protocol):
    """Begins spans. Neither it nor its spans raise or wait."""

    def begin(self, name: str, kind: Kind, parent: str | None, attributes: Mapping[str, str | int]) -> Span:
        """A span that has just begun; without a `parent` that can be read, a new trace."""
        ...


@dataclass(frozen=True, slots=True)
class Carrier:
    """How something that carries telemetry away is doing."""

    name: str
    trouble: str
    """Why it does not work now; empty if it does."""


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Who keeps spans, and what carries telemetry away. By itself: nobody, and nothing."""

    tracer: Tracer | None = None
    carriers: Callable[[], Sequence[Carrier]] = tuple


def valid(context: str | None) -> str | None:
    """`context` if it is one, else None: it may come from anybody."""
    found = _TRACEPARENT.fullmatch(context) if context else None
    return context if found and int(found[1], 16) and int(found[2], 16) else None


def ids_of(context: str) -> tuple[str, str]:
    """Trace id and span id."""
    return context[3:35], context[36:52]
