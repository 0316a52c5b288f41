"""What carries telemetry away, seen from outside."""

from __future__ import annotations

from typing import Protocol

from incidentd.tracing import Carrier


class Part(Protocol):
    """Something with a connection to elsewhere."""

    def carrier(self) -> Carrier:
        """How it is doing."""
        ...

    def close(self, seconds: float) -> None:
        """Send what waits and end; blocks for about `seconds` at most."""
        ...
