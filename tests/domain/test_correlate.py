"""What an alert means, and which incident it belongs to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.domain.alert import Alert, AlertStatus
from incidentd.domain.correlate import (
    QUIET,
    RETURNING,
    Placement,
    Sighting,
    common_labels,
    group_key,
    place,
    sight,
)
from incidentd.domain.incident import Incident, State
from incidentd.domain.severity import Severity

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WINDOW = 10 * MINUTE
labels = st.dictionaries(st.sampled_from("abc"), st.text(max_size=3))


@dataclass
class Known:
    """The latest known occurrence."""

    starts_at: datetime
    firing: bool


def alert(start: float, end: float | None = None) -> Alert:
    status = AlertStatus.FIRING if end is None else AlertStatus.RESOLVED
    ends_at = None if end is None else NOW + end * MINUTE
    return Alert("main", "f", status, {}, {}, NOW + start * MINUTE, ends_at)


FIRING, ENDED = Known(NOW, firing=True), Known(NOW, firing=False)


@pytest.mark.parametrize(
    ("known", "told", "expected"),
    [
        (None, alert(0), Sighting.NEW),
        (ENDED, alert(1), Sighting.NEW),
        (FIRING, alert(1), Sighting.NEWER),
        (FIRING, alert(0), Sighting.REPEAT),
        (FIRING, alert(-1), Sighting.REPEAT),
        (ENDED, alert(0), Sighting.REFIRED),
        (ENDED, alert(-1), Sighting.EARLIER),
        (None, alert(0, 1), Sighting.BLIP),
        (ENDED, alert(1, 2), Sighting.BLIP),
        (FIRING, alert(0, 1), Sighting.ENDED),
        (FIRING, alert(0, -3), Sighting.ENDED),
        (FIRING, alert(1, 2), Sighting.ENDED),
        (FIRING, alert(-5, 0), Sighting.ENDED),
        (FIRING, alert(-5, -1), Sighting.LATE),
        (FIRING, replace(alert(-5, 0), ends_at=None), Sighting.LATE),
        (ENDED, alert(0, 1), Sighting.ENDED_AGAIN),
        (ENDED, alert(-5, -1), Sighting.LATE),
    ],
)
def test_an_alert_means_something_only_beside_what_is_known(
    known: Known | None, told: Alert, expected: Sighting
) -> None:
    assert sight(known, told) is expected


@pytest.mark.parametrize(
    ("known", "told", "expected"),
    [
        (ENDED, alert(3), Sighting.EARLIER),
        (ENDED, alert(5), Sighting.EARLIER),
        (ENDED, alert(6), Sighting.NEW),
        (FIRING, alert(3), Sighting.REPEAT),
        (FIRING, alert(6), Sighting.NEWER),
        (FIRING, alert(5, 7), Sighting.ENDED),
        (ENDED, alert(5, 7), Sighting.LATE),
        (ENDED, alert(6, 7), Sighting.BLIP),
    ],
)
def test_after_a_step_back_only_what_is_newer_than_everything_is_new(
    known: Known, told: Alert, expected: Sighting
) -> None:
    assert sight(known, told, newest=NOW + 5 * MINUTE) is expected


@given(
    st.none() | st.builds(Known, st.just(NOW), st.booleans()),
    st.integers(-2, 2),
    st.none() | st.integers(-2, 4),
)
def test_telling_it_twice_is_quiet(known: Known | None, start: int, end: int | None) -> None:
    told = alert(start, end)
    first = sight(known, told)
    if first in {Sighting.NEW, Sighting.NEWER, *RETURNING}:
        known = Known(told.starts_at, firing=True)
    elif first in {Sighting.BLIP, Sighting.ENDED} and known is not None:
        known = Known(max(told.starts_at, known.starts_at), firing=False)
    elif first is Sighting.BLIP:
        known = Known(told.starts_at, firing=False)
    assert sight(known, told) in QUIET


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (("alertname", "service"), 'main:{alertname="Down", service="api"}'),
        (("alertname", "zone"), 'main:{alertname="Down", zone=""}'),
        (("quoted",), r'main:{quoted="a\"b\\c\nd"}'),
        ((), "main:{}"),
        (("...",), 'main:{fingerprint="f00d"}'),
    ],
)
def test_the_group_key_is_readable(by: tuple[str, ...], expected: str) -> None:
    told = {"alertname": "Down", "service": "api", "quoted": 'a"b\\c\nd'}
    assert group_key(by, "main", "f00d", told) == expected


@given(labels, labels)
def test_groups_differ_exactly_where_a_grouping_label_does(
    ours: dict[str, str], theirs: dict[str, str]
) -> None:
    by = ("a", "b")
    same = all(ours.get(name, "") == theirs.get(name, "") for name in by)
    assert (group_key(by, "main", "1", ours) == group_key(by, "main", "2", theirs)) is same


def incident(resolved_by: str | None = None, minutes_ago: float = 0) -> Incident:
    over = resolved_by is not None
    return Incident(
        id=1,
        source="main",
        group_key="main:{}",
        title="t",
        state=State.RESOLVED if over else State.TRIGGERED,
        severity=Severity.WARNING,
        service="",
        labels={},
        notify=(),
        route="",
        escalation=None,
        opened_at=NOW,
        started_at=NOW,
        resolved_at=NOW - minutes_ago * MINUTE if over else None,
        resolved_by=resolved_by,
    )


OPEN, BY_SOURCE, BY_ALICE = incident(), incident("source", 5), incident("alice", 5)


@pytest.mark.parametrize(
    ("sighting", "current", "last", "expected"),
    [
        (Sighting.NEW, OPEN, BY_SOURCE, Placement.JOIN),
        (Sighting.REFIRED, OPEN, BY_ALICE, Placement.JOIN),
        (Sighting.NEW, None, None, Placement.OPEN),
        (Sighting.NEWER, None, BY_ALICE, Placement.OPEN),
        (Sighting.NEW, None, BY_SOURCE, Placement.REOPEN),
        (Sighting.NEW, None, incident("source", 10), Placement.REOPEN),
        (Sighting.NEW, None, incident("source", 10.01), Placement.OPEN),
        (Sighting.NEW, None, incident("source", -60), Placement.REOPEN),
        (Sighting.NEW, None, replace(BY_SOURCE, resolved_at=None), Placement.OPEN),
        (Sighting.REFIRED, None, None, Placement.OPEN_HELD),
        (Sighting.REFIRED, None, incident("source", 600), Placement.REOPEN_HELD),
        (Sighting.REFIRED, None, BY_ALICE, Placement.STAY_QUIET),
    ],
)
def test_an_occurrence_goes_where_its_group_is(
    sighting: Sighting, current: Incident | None, last: Incident | None, expected: Placement
) -> None:
    assert place(sighting, current, last, NOW, WINDOW) is expected


@pytest.mark.parametrize(
    ("minutes_ago", "expected"),
    [(4, Placement.STAY_QUIET), (5, Placement.REOPEN_HELD), (6, Placement.REOPEN_HELD)],
)
def test_a_person_closes_what_fires_and_not_what_had_ended_before(
    minutes_ago: float, expected: Placement
) -> None:
    over_since = NOW - minutes_ago * MINUTE
    assert place(Sighting.REFIRED, None, BY_ALICE, NOW, WINDOW, over_since) is expected


@given(labels, labels)
def test_common_labels_are_those_both_have(ours: dict[str, str], theirs: dict[str, str]) -> None:
    common = common_labels(ours, theirs)
    assert dict(common) == dict(ours.items() & theirs.items())
    assert (common is ours) == (len(common) == len(ours))
