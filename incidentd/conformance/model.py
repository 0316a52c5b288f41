"""What a case is made of: what is posted, what must then be seen, and why it matters."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias


class Area(enum.StrEnum):
    """What a case is about."""

    IDENTITY = "identity"
    LIFECYCLE = "lifecycle"
    CONTENT = "content"
    ANSWERS = "answers"
    DURABILITY = "durability"


AREAS: Mapping[Area, str] = {
    Area.IDENTITY: "one alert is one alert: retries, repeats, pairs, renamed receivers",
    Area.LIFECYCLE: "fires, ends, fires again, and what is no end",
    Area.CONTENT: "odd, huge and broken alerts",
    Area.ANSWERS: "methods, encodings, status codes and time",
    Area.DURABILITY: "what was answered 2xx survives a kill",
}


class Told(enum.StrEnum):
    """How often people were told anew since the last look."""

    NOBODY = "nobody is told anew"
    ONCE = "people are told exactly once"
    AGAIN = "people are told"


class Needs(enum.StrEnum):
    """What a case cannot be run without."""

    ACKNOWLEDGE = "the adapter cannot acknowledge"
    TRUNCATED = "the adapter does not show whether a body was cut"
    TOKEN = "no token was given"  # noqa: S105 - a sentence
    RESTART = "no --restart-command was given"


class Coding(enum.StrEnum):
    """How the body travels."""

    PLAIN = "plain"
    GZIP = "gzip"
    CHUNKED = "chunked"


@dataclass(frozen=True, slots=True)
class Said:
    """What one post says of one alert. Alerts of the same key have the same labels, so the same fingerprint."""

    key: str
    resolved: bool = False
    start: int = 0
    """Minutes after the first instant of the case, which lies an hour in the past."""
    end: int = 5
    """The same, for a resolved one."""
    summary: str = "Made by the conformance suite"
    annotations: Mapping[str, str] = field(default_factory=dict)
    east: int | None = None
    """Minutes east of Greenwich in which its times are written, with nanoseconds; None: UTC with milliseconds."""


@dataclass(frozen=True, slots=True)
class Post:
    """One webhook post, which must be answered 2xx in time."""

    says: tuple[Said, ...] = ()
    fields: Mapping[str, object] = field(default_factory=dict)
    """Beside or instead of the fields that Alertmanager sends."""
    beside: tuple[object, ...] = ()
    """Broken alerts, put between the good ones."""
    recorded: str = ""
    """Instead of `says`: a body that a real Alertmanager posted, under fresh names. Its first alert is `r0`."""
    resolved: bool = False
    """The recorded one, ended."""
    copies: int = 1
    """How many Alertmanagers post it at the same moment."""
    apart: bool = False
    """Each alert is a group of its own, all posted at the same moment."""
    method: str = "POST"
    slash: bool = False
    """The address with a slash at its end."""
    coding: Coding = Coding.PLAIN


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that must be answered with one of `statuses`."""

    what: str
    body: bytes
    statuses: tuple[int, ...] = (400, 415, 422)
    with_token: bool = True


@dataclass(frozen=True, slots=True)
class Expect:
    """What must be seen soon, and still be so a while later."""

    firing: tuple[str, ...] | None = None
    """Exactly these fire, each in exactly one open incident; None: not judged."""
    told: Told | None = None
    truncated: bool = False
    """An incident says that the sender left alerts out."""
    started: bool = False
    """The start of what fires is the first instant of the case."""
    most_open: int | None = None
    """At most so many incidents are open."""


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """A person acknowledges every open incident of the case."""


@dataclass(frozen=True, slots=True)
class Restart:
    """The operator's command ends the receiver at once and starts it again."""


Step: TypeAlias = Post | Refused | Expect | Acknowledge | Restart


@dataclass(frozen=True, slots=True)
class Case:
    """One hard case. `labels`: by key, beside or instead of the usual ones; an empty value leaves one out."""

    name: str
    area: Area
    title: str
    why: str
    link: str
    steps: tuple[Step, ...]
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    needs: frozenset[Needs] = frozenset()
