"""Structured logs: one JSON object a line (or readable lines on a terminal), secrets cut out last.

Our own events go straight through structlog to the stream; the libraries' log records are brought into the same
form. The redactor is the last processor, so nothing added on the way can slip past it.
"""

from __future__ import annotations

import contextlib
import logging
import re
import sys
from collections.abc import Callable, MutableMapping
from typing import Any, TextIO

import orjson
import structlog

_SECRET_KEYS = re.compile(r"(?i)(authorization|password|passwd|secret|token|routing_key|api_key|credential)")
_SECRET_VALUES = re.compile(
    r"(?i)(bearer\s+|basic\s+)[a-z0-9+/=_.~-]{8,}"
    r"|xox[abposr]-[\w-]{8,}|xapp-[\w-]{8,}|whsec_[\w+/=-]{8,}|\binc_[0-9a-z]{8}_[\w-]{20,}"
    r"|(https?://hooks\.slack\.com/services/)\S+"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
)
_MASK = "[secret]"
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
}

Event = MutableMapping[str, Any]


def redact(_logger: object, _name: str, event: Event) -> Event:
    """Mask values under secret-like keys, and secret-like parts of any text."""
    for key, value in event.items():
        event[key] = _MASK if isinstance(value, str) and _SECRET_KEYS.search(key) else _redacted(value)
    return event


def _redacted(value: object) -> object:
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {k: _MASK if _SECRET_KEYS.search(str(k)) else _redacted(v) for k, v in value.items()}
    return [_redacted(each) for each in value] if isinstance(value, list | tuple | set) else value


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


def masked(text: str) -> str:
    """`text` with everything in it masked that looks like a secret."""
    return _SECRET_VALUES.sub(_masked, text)


def _masked(match: re.Match[str]) -> str:
    return f"{match.group(1) or match.group(2) or ''}{_MASK}"


def configure(level: str = "info", form: str = "json", stream: TextIO | None = None) -> None:
    """Set up logging for the process. `form` is json or console."""
    out: Any = _Patient(stream or sys.stderr)
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(),
    ]
    render = _json if form == "json" else structlog.dev.ConsoleRenderer(colors=out.isatty())
    structlog.configure(
        processors=[*shared, redact, render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    _configure_libraries(number, shared, render, out)


def _configure_libraries(level: int, shared: list[Any], render: Callable[..., Any], out: TextIO) -> None:
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared[:-1], structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.ExceptionRenderer(),
                redact,
                render,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, minimum in _QUIET.items():
        logging.getLogger(name).setLevel(max(level, minimum))


def _json(_logger: object, _name: str, event: Event) -> str:
    # When, how bad, what: in this order a line can be read.
    ordered = {key: event.pop(key) for key in ("timestamp", "level", "event") if key in event}
    ordered.update(event)
    return orjson.dumps(ordered, default=str, option=orjson.OPT_NON_STR_KEYS).decode(errors="replace")
