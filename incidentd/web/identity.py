"""Who is asking, and what they may do and see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from incidentd.config import Auth, Scope
from incidentd.domain.matcher import Matcher

Teams = tuple[tuple[Matcher, ...], ...]
"""The matchers of each team that somebody is restricted to."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is asking."""

    actor: str
    """Name of the token or the person: what timeline and audit say."""
    scopes: frozenset[Scope]
    source: str | None = None
    """The source this token posts for, if it names one."""
    teams: Teams | None = None
    """Only incidents of these; None: all."""

    def may(self, scope: Scope) -> bool:
        """True if `scope` is granted; `admin` includes all."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def sees(self, labels: Mapping[str, str]) -> bool:
        """True if what has these labels is no secret to them."""
        if self.teams is None:
            return True
        return any([all([matcher.matches(labels) for matcher in team]) for team in self.teams])


ANYBODY: Final = Identity("anonymous", frozenset())
"""Who asks for a public page."""


def teams_of(auth: Auth, names: Iterable[str] | None) -> Teams | None:
    """What the teams of these names match. A name that is not configured any more matches nothing."""
    if names is None:
        return None
    return tuple([auth.teams[name].matchers for name in names if name in auth.teams])
