"""Telemetry as the configuration wants it: begun before the daemon, ended after it."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Sequence
from types import TracebackType

import structlog

from incidentd import __version__, log, masking
from incidentd.clock import Clock, SystemClock
from incidentd.config import Config, secret_texts
from incidentd.lifecycle import StartError
from incidentd.log_file import RotatingFile
from incidentd.telemetry.parts import Part
from incidentd.tracing import Carrier, Telemetry

_CLOSE_SECONDS = 3.0
"""How long the last spans and errors may take to leave."""


class Running:
    """What is under way. `telemetry` is for the daemon."""

    def __init__(self, config: Config, clock: Clock | None = None) -> None:
        """Nothing is imported that the configuration does not ask for.

        Raises `StartError` if the log file cannot be written.
        """
        said = config.telemetry
        masking.hide(secret_texts(config))
        self._file = _file_of(config)
        self._parts: list[Part] = []
        watcher = tracer = None
        if said.sentry is not None:
            from incidentd.telemetry.sentry import Errors  # noqa: PLC0415 - an optional extra, and a slow import

            errors = Errors(said, config.server.public_url, clock or SystemClock())
            watcher = errors.watch
            self._parts.append(errors)
        if said.traces is not None:
            from incidentd.telemetry.otel import Traces  # noqa: PLC0415 - as above

            tracer = Traces(said, said.traces)
            self._parts.append(tracer)
        log.configure(
            config.server.log_level,
            config.server.log_format,
            sys.stdout if said.log_output == "stdout" else sys.stderr,
            fields=_fields(config),
            sink=self._file,
            watcher=watcher,
        )
        self.telemetry = Telemetry(tracer, self.carriers)

    def carriers(self) -> Sequence[Carrier]:
        """How the log file, the collector and Sentry are doing."""
        found = [part.carrier() for part in self._parts]
        if self._file is not None:
            found.append(Carrier("log file", self._file.trouble))
        return found

    async def close(self) -> None:
        """Send what waits, for three seconds at most, and let go of everything."""
        await asyncio.gather(*[asyncio.to_thread(part.close, _CLOSE_SECONDS) for part in self._parts])
        if self._file is not None:
            self._file.close()


def _fields(config: Config) -> dict[str, str]:
    said = config.telemetry
    return {"service": said.service, "version": __version__, "environment": said.environment or ""}


def _file_of(config: Config) -> RotatingFile | None:
    wanted = config.telemetry.log_file
    if wanted is None:
        return None
    try:
        return RotatingFile(wanted.path, wanted.max_size, wanted.keep)
    except OSError as error:
        raise StartError(
            f"telemetry.log_file.path: cannot write {wanted.path} ({error.strerror}): let the daemon's user "
            "write there, or name another file"
        ) from error


def catch_the_rest() -> None:
    """Let the log have what Python would print itself, unmasked: warnings, and exceptions that nobody caught."""
    logging.captureWarnings(capture=True)
    lines = structlog.get_logger()

    def uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not issubclass(kind, KeyboardInterrupt):
            lines.error("uncaught", exc_info=(kind, error, trace))

    def in_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            uncaught(args.exc_type, args.exc_value, args.exc_traceback)

    def unraisable(args: sys.UnraisableHookArgs) -> None:
        if args.exc_value is not None:
            uncaught(args.exc_type, args.exc_value, args.exc_traceback)

    sys.excepthook = uncaught
    threading.excepthook = in_thread
    sys.unraisablehook = unraisable
