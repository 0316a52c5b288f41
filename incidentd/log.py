"""Structured logs: one JSON object a line (or readable lines on a terminal), secrets and addresses cut out last.

Our own events go straight through structlog to the stream; the libraries' log records are brought into the same
form. The redactor is the last processor, so nothing added on the way can slip past it.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from types import MappingProxyType
from typing import Any, Protocol, TextIO

import orjson
import structlog

from incidentd import tracing
from incidentd.masking import mask

_QUIET = {
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "apscheduler": logging.WARNING,
    "aiohttp.access": logging.WARNING,
    # Malformed requests are logged there with a whole traceback and bytes of whoever sent them.
    "aiohttp.server": logging.CRITICAL,
    "aiosqlite": logging.WARNING,
    "alembic": logging.WARNING,
    "sqlalchemy": logging.WARNING,
    "opentelemetry": logging.WARNING,
    "sentry_sdk": logging.WARNING,
    "urllib3": logging.WARNING,
}
_NOT_WATCHED = ("opentelemetry", "sentry_sdk", "urllib3")
"""Libraries that carry telemetry away: what they complain of must not be sent the same way."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_NOTHING: Mapping[str, object] = MappingProxyType({})
_NO_FIELDS: Mapping[str, str] = MappingProxyType({})

Event = MutableMapping[str, Any]
Watcher = Callable[[Mapping[str, Any]], None]
"""Is told of every line of level error, before it is masked: its fields, `exc_info` among them. Must not raise."""

_bound: contextvars.ContextVar[Mapping[str, object]] = contextvars.ContextVar("log", default=_NOTHING)


class Sink(Protocol):
    """Where lines go besides the stream."""

    def write(self, text: str) -> None:
        """Take one line with its end. Must not raise."""
        ...


class bound:  # noqa: N801 - read as `with bound(...)`; a generator would cost every request twice as much
    """Every line written inside, by us or by a library, has these fields; what is None is left out."""

    __slots__ = ("_token", "_values")

    def __init__(self, **values: object) -> None:
        self._values = values

    def __enter__(self) -> None:
        """From here."""
        self._token = _bound.set({**_bound.get(), **self._values})

    def __exit__(self, *_: object) -> None:
        """To here."""
        _bound.reset(self._token)


def unbound() -> contextvars.Context:
    """A context for a task that outlives what has started it, and belongs to no request."""
    return contextvars.Context()


def redact(_logger: object, _name: str, event: Event) -> Event:
    """Mask values under secret-like keys, and secrets and addresses in any text."""
    masked: Any = mask(event)
    return masked if isinstance(masked, dict) else {}


def _merge(_logger: object, _name: str, event: Event) -> Event:
    for name, value in _bound.get().items():
        if value is not None:
            event.setdefault(name, value)
    if (trace := tracing.CURRENT.get()) is not None:
        event["trace_id"], event["span_id"] = tracing.ids_of(trace)
    return event


def _short_level(_logger: object, _name: str, event: Event) -> Event:
    # Four words, whatever a library calls it.
    level = event.get("level")
    event["level"] = {"warning": "warn", "critical": "error", "exception": "error"}.get(str(level), level)
    return event


class _Patient:
    """A stream whose reader may be gone or whose disk may be full: a log line that cannot be written is dropped.

    Nothing else would be right: an alert or a page must not fail because of the line that tells of it.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except (OSError, ValueError):
            return 0

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()


class _Both:
    """The stream, and the file beside it."""

    def __init__(self, stream: _Patient, sink: Sink) -> None:
        self._stream = stream
        self._sink = sink

    def write(self, text: str) -> int:
        self._sink.write(text)
        return self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()


class _Handler(logging.StreamHandler[TextIO]):
    """Of the libraries' records."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        # Its own way prints the record's arguments as they are, which nobody has masked.
        kind = sys.exc_info()[0]
        structlog.get_logger().warning(
            "log_record_broken", logger=record.name, error=kind.__name__ if kind else None
        )


def configure(
    level: str = "info",
    form: str = "json",
    stream: TextIO | None = None,
    *,
    fields: Mapping[str, str] = _NO_FIELDS,
    sink: Sink | None = None,
    watcher: Watcher | None = None,
) -> None:
    """Set up logging for the process. `form` is json or console; `fields` stand in every line.

    `watcher` hears of every line of level error, of libraries too.
    """
    patient = _Patient(stream or sys.stderr)
    out: Any = _Both(patient, sink) if sink is not None else patient
    number = logging.getLevelNamesMapping()[level.upper()]
    render: list[Any] = [_json]
    if form != "json":
        render = [_harmless, structlog.dev.ConsoleRenderer(colors=patient.isatty())]
    shared: list[Any] = [
        _merge,
        structlog.processors.add_log_level,
        _short_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _constant(fields),
    ]
    ending = [_told(watcher), structlog.processors.ExceptionRenderer(), redact, *render]
    structlog.configure(
        processors=[*shared, *ending],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    _configure_libraries(number, shared, ending, out)


def _configure_libraries(level: int, shared: list[Any], ending: list[Any], out: TextIO) -> None:
    handler = _Handler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, minimum in _QUIET.items():
        logging.getLogger(name).setLevel(max(level, minimum))


def _constant(fields: Mapping[str, str]) -> Callable[[object, str, Event], Event]:
    known = {name: value for name, value in fields.items() if value}

    def add(_logger: object, _name: str, event: Event) -> Event:
        for name, value in known.items():
            event.setdefault(name, value)
        return event

    return add


def _told(watcher: Watcher | None) -> Callable[[object, str, Event], Event]:
    def tell(_logger: object, _name: str, event: Event) -> Event:
        if watcher is not None and event.get("level") == "error":
            library = str(event.get("logger", ""))
            if not library.startswith(_NOT_WATCHED):
                watcher(event)
        return event

    return tell


def _harmless(_logger: object, _name: str, event: Event) -> Event:
    # On a terminal: whoever writes an alert must not move its cursor or ring its bell.
    return {k: _CONTROL.sub("?", v) if isinstance(v, str) else v for k, v in event.items()}


def _json(_logger: object, _name: str, event: Event) -> str:
    # When, how bad, what: in this order a line can be read.
    ordered = {key: event.pop(key) for key in ("timestamp", "level", "event") if key in event}
    ordered.update(event)
    return orjson.dumps(ordered, default=str).decode()
