"""Readers of one document, a process of its own: python -m benchmarks.readers --port 8650 --path /api/v2/status.json.

Closed loop over keep-alive connections, with the headers that a widget's poll has. Nothing but a 200 counts. Prints one
JSON object, as `benchmarks.load` does; its `posts` are requests here.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
from dataclasses import asdict

from benchmarks.load import Run, drive, result_of


class Reading(Run):
    """The same request again and again."""

    def take(self, now: float) -> int | None:
        """The number of the only request, or None when the run is over."""
        return None if now - self.began >= self.warm_up + self.seconds else 0


def request(port: int, path: str) -> bytes:
    """The bytes of one GET."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: status-widget/1.0\r\n"
        "Accept: application/json\r\nOrigin: https://www.example.com\r\n\r\n"
    ).encode()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.readers", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="/api/v2/status.json")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--warm-up", type=float, default=1.0, help="seconds before counting begins")
    arguments = parser.parse_args()
    run = Reading([request(arguments.port, arguments.path)], arguments.warm_up, arguments.seconds)
    gc.freeze()
    gc.disable()
    asyncio.run(drive(run, arguments.port, arguments.connections))
    print(json.dumps(asdict(result_of(run, 0))))


if __name__ == "__main__":
    main()
