"""Errors over Sentry's SDK, without its integrations: a line of level error becomes an event, masked like the line.

Nothing global is set up, nothing is patched, and what Sentry gets is made here: the exception with the lines of our
code, never with the values of variables; the request by method and route, never with its body, headers or address.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final

import sentry_sdk
from sentry_sdk.utils import event_from_exception

from incidentd import __version__, config
from incidentd.clock import Clock
from incidentd.masking import mask
from incidentd.tracing import Carrier

_AGAIN_SECONDS: Final = 60.0
"""The same error is sent once in this time: a loop that fails must not use up the quota."""
_MOST_KINDS: Final = 200
_TAGS: Final = ("request_id", "incident", "delivery", "channel", "route", "logger")
_NOT_EXTRA: Final = frozenset(
    {"event", "level", "timestamp", "exc_info", "stack_info", "_record", "_from_structlog"}
)
"""Of a line: what stands elsewhere in the event."""


class Errors:
    """Sends errors. Never raises into whoever logs, never makes them wait."""

    def __init__(self, said: config.Telemetry, public_url: str, clock: Clock) -> None:
        """`said.sentry` must be there. Nothing is sent yet."""
        assert said.sentry is not None  # noqa: S101 - for the type checker: the caller has looked
        self._public_url = public_url
        self._clock = clock
        self._sent: dict[tuple[str, str], float] = {}
        self._client = sentry_sdk.Client(
            dsn=said.sentry.dsn.get_secret_value(),
            release=f"incidentd@{__version__}",
            environment=said.environment or "production",
            server_name=said.service,
            default_integrations=False,
            auto_enabling_integrations=False,
            integrations=[],
            auto_session_tracking=False,
            send_client_reports=False,
            enable_backpressure_handling=False,
            include_local_variables=False,
            max_request_body_size="never",
            max_breadcrumbs=0,
            propagate_traces=False,
            before_send=_scrubbed,
        )

    def watch(self, line: Mapping[str, Any]) -> None:
        """Hear of a line of level error."""
        try:
            error = _error_of(line.get("exc_info"))
            if not self._again(str(line.get("event")), type(error).__name__):
                self._client.capture_event(self._event(line, error))
        except Exception as problem:  # noqa: BLE001 - whatever it is, the work that is told of must go on
            self._trouble = type(problem).__name__

    _trouble = ""

    def _again(self, what: str, kind: str) -> bool:
        now, key = self._clock.monotonic(), (what, kind)
        last = self._sent.get(key)
        if last is not None and now - last < _AGAIN_SECONDS:
            return True
        if len(self._sent) >= _MOST_KINDS:
            self._sent.clear()
        self._sent[key] = now
        return False

    def _event(self, line: Mapping[str, Any], error: BaseException | None) -> Any:  # noqa: ANN401 - Sentry's own form
        event: dict[str, Any] = {"level": "error"}
        if error is not None:
            event = dict(event_from_exception(error, self._client.options)[0])
        event["logger"] = str(line.get("logger", "incidentd"))
        event["message"] = str(line.get("event"))
        event["tags"] = {name: str(line[name]) for name in _TAGS if line.get(name) is not None}
        event["extra"] = {name: value for name, value in line.items() if name not in _NOT_EXTRA}
        event["fingerprint"] = ["{{ default }}", str(line.get("event"))]
        if "route" in line and "method" in line:
            # The template: the address itself may hold the token of a link.
            event["request"] = {"method": line["method"], "url": f"{self._public_url}{line['route']}"}
        if "trace_id" in line:
            event["contexts"] = {"trace": {"trace_id": line["trace_id"], "span_id": line["span_id"]}}
        return event

    def carrier(self) -> Carrier:
        """Whether events leave."""
        transport = self._client.transport
        words = self._trouble
        if transport is not None and not transport.is_healthy():
            words = "it takes no events for now: its limit is reached, or it cannot be reached"
        return Carrier("sentry", words)

    def close(self, seconds: float) -> None:
        """Send what waits."""
        self._client.close(timeout=seconds)


def _error_of(exc_info: object) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1] if isinstance(exc_info[1], BaseException) else None
    return sys.exc_info()[1] if exc_info else None


def _scrubbed(event: Any, _hint: object) -> Any:  # noqa: ANN401 - Sentry's own form
    """The last thing before it leaves: everything in it is masked like a line of the log, the lines of our code too."""
    masked: Any = mask(event)
    masked["release"] = event.get("release")  # name@version looks like an address
    return masked
