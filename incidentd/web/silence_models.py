"""What the API accepts and answers about silences."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field

from incidentd.domain import silence as domain
from incidentd.domain.silence import Forgotten, State
from incidentd.fields import Duration
from incidentd.web import models as m
from incidentd.web.answers import Answer


def _states(values: tuple[str, ...]) -> tuple[State, ...]:
    found: list[State] = []
    for word in [word for value in values for word in value.split(",") if word]:
        if word == "live":
            found += domain.LIVE
        elif word in set(State):
            found.append(State(word))
        else:
            accepted = ", ".join([*sorted(State), "live"])
            raise ValueError(f"{word[:32]!r} is not a state of a silence; accepted: {accepted}")
    return tuple(dict.fromkeys(found))


class SilenceBody(m.CommentBody):
    """A silence, or another end of the one that holds."""

    for_: Annotated[Duration, Field(alias="for")]
    """How long from now on, such as `2h`; at most `silences.longest`."""


class SilenceQuery(m.PageQuery):
    """Which silences."""

    state: Annotated[tuple[str, ...], AfterValidator(_states)] = ()
    """`wanted`, `active`, `expiring`, `expired`, `failed`, or `live` for the first three; several with commas."""
    incident: m.IncidentRef | None = None
    """Of this incident."""
    forgotten: bool = False
    """Only those that look forgotten, all of them on one page."""


class SilenceAnswer(Answer):
    """One silence at one Alertmanager."""

    id: int
    incident_id: int
    source: str
    alertmanager: str
    state: State
    silence_id: str | None
    """By which that Alertmanager knows it."""
    matchers: list[str]
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    created_by: str
    created_at: AwareDatetime
    comment: str
    attempts: int
    """In vain, in a row."""
    next_attempt_at: AwareDatetime | None
    last_error: str | None
    warned_at: AwareDatetime | None
    ended_at: AwareDatetime | None
    ended_by: str | None
    forgotten: Forgotten | None


class SilencePage(Answer):
    """One page."""

    items: list[SilenceAnswer]
    next_cursor: str | None


class IncidentSilence(Answer):
    """The latest silence of an incident, at all Alertmanagers of its source."""

    incident_id: int
    ref: str
    standing: str
    """In words, such as `active on 1 of 2 Alertmanagers`, and what is wrong with the rest."""
    settled: bool
    """Nothing is left to be tried for the first time."""
    active: int
    alertmanagers: int
    matchers: list[str]
    ends_at: AwareDatetime | None
    created_by: str | None
    items: list[SilenceAnswer]
