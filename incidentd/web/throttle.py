"""How often a client may come, and how often somebody may guess. In memory: each replica counts for itself.

Never asked for alert webhooks: who sends alerts is never told to send fewer.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from incidentd.clock import Clock

_MOST: Final = 10_000
"""Clients that are remembered; the one that came longest ago is forgotten first."""
_BURST_SECONDS: Final = 10
_LONGEST_NAME: Final = 64
FREE_GUESSES: Final = 5
"""Wrong passwords for one account from one network, before it has to wait."""
FREE_OF_NETWORK: Final = 20
"""Wrong passwords from one network, for whichever accounts."""
FIRST_WAIT: Final = 60.0
LONGEST_WAIT: Final = 900.0
_FORGOTTEN: Final = 3600.0
"""Seconds without a wrong password after which nothing is held against anybody."""


class Rates:
    """Token buckets by client."""

    def __init__(self, clock: Clock, rate: Callable[[], int]) -> None:
        """`rate`: requests a second for each client; ten times as many at once; 0: any number."""
        self._clock = clock
        self._rate = rate
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, client: str) -> float:
        """Seconds until it may come; 0: it may now, and this is counted."""
        rate = self._rate()
        if rate == 0:
            return 0.0
        now, most = self._clock.monotonic(), float(rate * _BURST_SECONDS)
        left, at = self._buckets.get(client, (most, now))
        left = min(most, left + (now - at) * rate)
        if left < 1:
            return (1 - left) / rate
        self._buckets[client] = (left - 1, now)
        self._buckets.move_to_end(client)
        if len(self._buckets) > _MOST:
            self._buckets.popitem(last=False)
        return 0.0


@dataclass(slots=True)
class _Failures:
    count: int
    at: float


def _short(account: str) -> str:
    # A form's name may be kilobytes long. One that is cut is none of ours: those are shorter.
    return account[:_LONGEST_NAME]


class Guesses:
    """Who has given wrong passwords, for which account and from which network.

    An account is never locked: who guesses makes their own network wait, so nobody can keep the person on call out.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: OrderedDict[tuple[str, str], _Failures] = OrderedDict()

    def wait(self, account: str, network: str, *, shared: bool) -> float:
        """Seconds until this account may be tried again from this network; 0: now.

        `shared`: many people may come from there, as through a proxy that nobody has named.
        """
        waits = [self._wait((_short(account), network), FREE_GUESSES)]
        if not shared:
            waits.append(self._wait(("", network), FREE_OF_NETWORK))
        return max(waits)

    def tried(self, account: str, network: str) -> None:
        """Somebody tries. Counted as wrong before it is looked at, so that many at once are not free."""
        now = self._clock.monotonic()
        for key in ((_short(account), network), ("", network)):
            found = self._failures.pop(key, None)
            fresh = found is None or now - found.at >= _FORGOTTEN
            self._failures[key] = _Failures(1 if found is None or fresh else found.count + 1, now)
        while len(self._failures) > _MOST:
            self._failures.popitem(last=False)

    def right(self, account: str, network: str) -> None:
        """It was right: nothing is held against this account here any more."""
        self._failures.pop((_short(account), network), None)
        whole = self._failures.get(("", network))
        if whole is not None:
            whole.count -= 1

    def _wait(self, key: tuple[str, str], free: int) -> float:
        found = self._failures.get(key)
        if found is None or found.count < free:
            return 0.0
        asked = min(FIRST_WAIT * 2.0 ** min(found.count - free, 10), LONGEST_WAIT)
        return max(0.0, found.at + asked - self._clock.monotonic())
