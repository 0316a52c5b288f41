"""The load generator, a process of its own: python -m benchmarks.load --port 8650 --per-post 1.

Closed loop: every connection sends its next post when it has the answer to the last one. The requests are made before
the clock starts, and nothing but a 200 counts. Prints one JSON object; `--answered FILE` takes the fingerprint of every
alert that was answered 200, one a line, so that somebody else can look whether they were kept.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.bodies import posts
from benchmarks.report import percentile

TOKEN = "a-token-of-the-benchmarks"  # noqa: S105 - of a daemon that lives for a minute
"""What the daemon under test asks for: nobody runs it without one outside of a trial."""
MOST_POSTS, MOST_ALERTS = 12_000, 80_000
"""Posts and alerts a second that are prepared: above what two cores can take, below what fills the memory."""


@dataclass(frozen=True, slots=True)
class Result:
    """What the clients saw between the end of the warm-up and the end of the run."""

    seconds: float
    posts: int
    """Answered 200."""
    alerts: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    worst_ms: float
    refused: dict[str, int]
    """Other answers, by status; `lost` are connections that ended."""
    ran_out: bool
    """Everything prepared was sent before the time was over: the figures hold for a shorter time."""

    @property
    def posts_per_second(self) -> float:
        return self.posts / self.seconds

    @property
    def alerts_per_second(self) -> float:
        return self.alerts / self.seconds


@dataclass(slots=True)
class Run:
    """What the connections of one run share."""

    requests: Sequence[bytes]
    warm_up: float
    seconds: float
    began: float = 0.0
    ended: float = 0.0
    ran_out: bool = False
    sent: int = 0
    answered: list[tuple[int, float, float]] = field(default_factory=list)
    """Number of the request, when it was answered, how long that took: every 200, warm-up included."""
    refused: Counter[str] = field(default_factory=Counter)
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    connections: int = 0

    def take(self, now: float) -> int | None:
        """The number of the next request, or None when the run is over."""
        if now - self.began >= self.warm_up + self.seconds:
            return None
        if self.sent >= len(self.requests):
            self.ran_out = True
            self.ended = self.ended or now
            return None
        self.sent += 1
        return self.sent - 1

    def leave(self) -> None:
        """A connection has nothing left to do."""
        self.connections -= 1
        if self.connections == 0:
            self.idle.set()


class Connection(asyncio.Protocol):
    """One keep-alive connection. As little work as possible: the client shares the machine with the server."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.transport: asyncio.Transport
        self.buffer = b""
        self.number: int | None = None
        self.sent_at = 0.0
        self.over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def send(self) -> None:
        """Send the next request, or go home."""
        self.sent_at = time.perf_counter()
        self.number = self.run.take(self.sent_at)
        if self.number is None:
            self._leave()
        else:
            self.transport.write(self.run.requests[self.number])

    def data_received(self, data: bytes) -> None:
        self.buffer = self.buffer + data if self.buffer else data
        if not _complete(self.buffer):
            return
        now, status, self.buffer = time.perf_counter(), self.buffer[9:12], b""
        assert self.number is not None
        if status == b"200":
            self.run.answered.append((self.number, now, now - self.sent_at))
        else:
            self.run.refused[status.decode("latin-1")] += 1
        self.send()

    def connection_lost(self, _exc: Exception | None) -> None:
        if not self.over:
            self.run.refused["lost"] += 1
            self._leave()

    def _leave(self) -> None:
        self.over = True
        self.transport.close()
        self.run.leave()


def _complete(answer: bytes) -> bool:
    """Tell whether the whole answer is there. The servers under test always send a Content-Length."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = answer[:end].lower()
    at = head.find(b"content-length:")
    length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
    return len(answer) >= end + 4 + length


def request(port: int, body: bytes) -> bytes:
    """The bytes of one post, with the headers Alertmanager sends."""
    head = (
        "POST /webhooks/alertmanager HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{port}\r\n"
        "User-Agent: Alertmanager/0.27.0\r\n"
        f"Authorization: Bearer {TOKEN}\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Content-Type: application/json\r\n\r\n"
    )
    return head.encode() + body


async def drive(run: Run, port: int, connections: int) -> None:
    """Open the connections, start the clock, return when the last answer is in."""
    loop = asyncio.get_running_loop()
    opened = [
        await loop.create_connection(lambda: Connection(run), "127.0.0.1", port) for _ in range(connections)
    ]
    run.connections = connections
    run.began = time.perf_counter()
    for _, connection in opened:
        connection.send()
    await run.idle.wait()


def result_of(run: Run, per_post: int) -> Result:
    """The figures of what was answered after the warm-up and before the end."""
    start = run.began + run.warm_up
    end = min(run.ended or start + run.seconds, start + run.seconds)
    took = [seconds * 1000 for _, at, seconds in run.answered if start <= at < end]
    return Result(
        seconds=max(end - start, 1e-9),
        posts=len(took),
        alerts=len(took) * per_post,
        p50_ms=percentile(took, 50),
        p95_ms=percentile(took, 95),
        p99_ms=percentile(took, 99),
        worst_ms=max(took, default=0.0),
        refused=dict(run.refused),
        ran_out=run.ran_out,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--per-post", type=int, default=1, help="alerts in a post")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--warm-up", type=float, default=1.0, help="seconds before counting begins")
    parser.add_argument("--posts", type=int, help="stop after this many, whatever the time")
    parser.add_argument("--run", default="r", help="keeps the alerts apart from those of another run")
    parser.add_argument("--answered", type=Path)
    return parser.parse_args()


def main() -> None:
    arguments = _arguments()
    per_post = arguments.per_post
    rate = min(MOST_POSTS, MOST_ALERTS // per_post)
    count = arguments.posts or int((arguments.seconds + arguments.warm_up) * rate)
    requests, fingerprints = [], []
    for post in itertools.islice(posts(arguments.run, per_post), count):
        requests.append(request(arguments.port, post.body))
        fingerprints.append(post.fingerprints)
    run = Run(requests, arguments.warm_up, arguments.seconds)
    # A collection would walk everything prepared and show up as the server's latency.
    gc.freeze()
    gc.disable()
    asyncio.run(drive(run, arguments.port, arguments.connections))
    if arguments.answered is not None:
        kept = ["\n".join(fingerprints[number]) for number, _, _ in run.answered]
        arguments.answered.write_text("\n".join(kept))
    print(json.dumps(asdict(result_of(run, per_post))))


if __name__ == "__main__":
    main()
