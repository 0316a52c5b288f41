"""What was refused for the sake of safety, on its way into the audit log: the first one by one, a flood as counts.

Nothing is lost, and nothing grows with a flood: of each kind so many a minute stand for themselves with who it was;
further ones are counted by who it was; who comes when enough are known is counted with all others.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Final

SINGLES: Final = 10
"""Of each kind, in a minute."""
SOURCES: Final = 50
"""Of all kinds together, that are told apart in the counts of a minute."""
_MOST_WAITING: Final = 500
"""Singles, while the database is away."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One, or what several have in common."""

    kind: str
    """A `SecurityEvent`."""
    client: str = ""
    """The address; empty: not known, or of several."""
    request: str = ""
    """The id that the log has too; empty: of several."""
    name: str = ""
    """The account that somebody tried to get into; empty: none that there is."""


ASKING: Final[ContextVar[Callable[[], tuple[str, str]] | None]] = ContextVar("asking", default=None)
"""Of the request that is being answered: tells the client's address and the request's id, which take time to find."""


@dataclass(slots=True)
class Refused:
    """Refusals that wait to be written."""

    singles: list[Refusal] = field(default_factory=list)
    counts: dict[Refusal, int] = field(default_factory=dict)

    def count(self, refusal: Refusal, number: int = 1) -> None:
        """Count it with those that have the same kind, client and account."""
        who = replace(refusal, request="")
        if who not in self.counts and len(self.counts) >= SOURCES:
            who = Refusal(refusal.kind)
        self.counts[who] = self.counts.get(who, 0) + number


class Refusals:
    """Collects them between two looks of the job that writes them."""

    def __init__(self) -> None:
        self._waiting = Refused()
        self._noted: dict[str, int] = {}
        """Kind -> how many stood for themselves in this minute."""

    def add(self, kind: str, name: str = "") -> None:
        """One more. `name`: the account that somebody tried to get into."""
        asking = ASKING.get()
        client, request = ("", "") if asking is None else asking()
        refusal, noted = Refusal(kind, client, request, name), self._noted.get(kind, 0)
        if noted >= SINGLES or len(self._waiting.singles) >= _MOST_WAITING:
            self._waiting.count(refusal)
            return
        self._noted[kind] = noted + 1
        self._waiting.singles.append(refusal)

    def take(self, *, minute: bool) -> Refused:
        """Those that stand for themselves, and at the end of a `minute` the counts; empty if there is nothing."""
        taken, counts = self._waiting, {} if minute else self._waiting.counts
        self._waiting = Refused(counts=counts)
        if minute:
            self._noted.clear()
            return taken
        return Refused(taken.singles)

    def give_back(self, taken: Refused) -> None:
        """They could not be written: they come with the next."""
        self._waiting.singles[:0] = taken.singles
        while len(self._waiting.singles) > _MOST_WAITING:
            self._waiting.count(self._waiting.singles.pop())
        for who, number in taken.counts.items():
            self._waiting.count(who, number)
