"""The report of any story equals what somebody counts who reads its timelines from the top, with a pencil."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from incidentd.config import Config
from incidentd.domain.figures import Row, Summary
from incidentd.domain.flapping import Flapping
from incidentd.domain.incident import ActionRefusedError
from incidentd.domain.severity import Severity
from incidentd.domain.slo import Objective, debits
from incidentd.store import figures, schema
from incidentd.store.codec import instant
from incidentd.workflows.reporting import Compiled, compiled
from tests.workflows.world import RULES, World, fires, over, remembered

CONFIG = Config.model_validate({})
RULES_HERE = replace(RULES, grouping=("alertname", "service"), flapping=Flapping(refires=100))
CAST = {"a": ("warning", "api"), "b": ("critical", "api"), "c": ("info", ""), "d": ("critical", "db")}
MONTH = timedelta(days=30)
EVER = Objective("api", "api", 0.99, MONTH, severities=frozenset(Severity))
"""Any trouble counts, in a window longer than any story."""
LIMIT = timedelta(hours=2)
"""`figures.mttr_objective`."""


@dataclass
class Life:
    """One incident as its timeline and its alerts tell of it."""

    number: int
    severity: str
    service: str
    alertname: str
    began: datetime
    opened: datetime | None = None
    acknowledged: datetime | None = None
    """For the first time."""
    resolved: datetime | None = None
    ended: datetime | None = None
    """By the word of its alerts, or as it was resolved."""
    came_back: int = 0
    gaps: list[tuple[datetime, datetime]] = field(default_factory=list)
    """When it was over before it came back."""

    @property
    def outage(self) -> bool:
        return self.severity != "info"

    def trouble(self, until: datetime) -> float:
        """Seconds from its beginning to `until`, minute by minute of the gaps left out."""
        lost = 0.0
        for over_at, again in self.gaps:
            first, last = max(over_at, self.began), min(again, until)
            lost += max((last - first).total_seconds(), 0.0)
        return max((until - self.began).total_seconds() - lost, 0.0)


steps = st.one_of(
    st.tuples(st.just("fires"), st.sampled_from(["a", *sorted(CAST)]), st.sampled_from([0, 0, 1, 60])),
    st.tuples(st.just("ends"), st.sampled_from(["a", *sorted(CAST)]), st.sampled_from([0, 0, 3])),
    st.tuples(st.sampled_from(["acknowledge", "resolve", "reopen"]), st.integers(1, 3), st.just(0)),
    st.tuples(st.just("wait"), st.just(0), st.sampled_from([0.5, 3, 20, 200])),
)


@dataclass
class Teller:
    """Plays a story, and remembers which occurrence of an alert fires."""

    world: World
    since: dict[str, float] = field(default_factory=dict)

    def play(self, what: str, which: Any, how: float) -> None:
        world = self.world
        if what == "wait":
            world.minute += how
        elif what == "fires":
            severity, service = CAST[which]
            self.since.setdefault(which, world.minute - how)
            world.post(fires(which, self.since[which], severity, service=service))
        elif what == "ends" and which in self.since:
            severity, service = CAST[which]
            start = self.since.pop(which)
            world.post(over(which, start, max(world.minute - how, start), severity, service=service))
        elif what != "ends" and which in world.incidents():
            try:
                getattr(world, what)(which)
            except ActionRefusedError:
                return


def lives(world: World) -> list[Life]:
    """Every incident, from nothing but what is written in its timeline and of its alerts."""
    found: dict[int, Life] = {}
    occurrences = world.rows(schema.occurrences, "alert_id", "starts_at")
    alerts = {row.id: row for row in world.rows(schema.alerts)}
    for entry in world.rows(schema.timeline, "incident_id", "seq"):
        if entry.kind == "triggered":
            own = [row for row in occurrences if row.incident_id == entry.incident_id]
            one = alerts[own[0].alert_id]
            # With an old start it is not known to have been there since.
            held = "held_until" in json.loads(entry.data)
            starts = [instant(row.starts_at) for row in own if row.reason != "earlier_start"]
            labels = json.loads(one.labels)
            found[entry.incident_id] = Life(
                entry.incident_id,
                one.severity,
                labels["service"],
                labels["alertname"],
                instant(entry.at) if held else min(starts),
                opened=instant(entry.at),
            )
        _read(found[entry.incident_id], entry)
    return list(found.values())


def _read(life: Life, entry: Any) -> None:
    if entry.kind == "acknowledged":
        life.acknowledged = life.acknowledged or instant(entry.at)
    elif entry.kind == "resolved":
        said = json.loads(entry.data).get("ended_at")
        life.resolved = instant(entry.at)
        life.ended = datetime.fromisoformat(said) if said else life.resolved
    elif entry.kind == "reopened":
        again = json.loads(entry.data).get("since")
        assert life.ended is not None
        life.gaps.append((life.ended, datetime.fromisoformat(again) if again else instant(entry.at)))
        life.resolved = life.ended = None
        life.came_back += 1


def summary(spans: Sequence[float]) -> Summary:
    """Mean and percentiles in seconds, the slow way: the value at a share of the way through the ordered list."""
    if not spans:
        return Summary(0)
    ordered = sorted(max(span, 0.0) for span in spans)

    def through(share: float) -> float:
        place = share * (len(ordered) - 1)
        low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
        return low + (high - low) * (place - math.floor(place))

    return Summary(len(ordered), sum(ordered) / len(ordered), through(0.5), through(0.9), through(0.95))


def row_of(known: Sequence[Life], since: datetime, until: datetime) -> Row:
    def inside(at: datetime | None) -> bool:
        return at is not None and since < at <= until

    def spans(found: Sequence[Life], end: str) -> Summary:
        return summary([life.trouble(getattr(life, end)) for life in found if life.outage])

    opened = [life for life in known if inside(life.opened)]
    resolved = [life for life in known if inside(life.resolved)]
    return Row(
        len(opened),
        len(resolved),
        spans([life for life in known if inside(life.acknowledged)], "acknowledged"),
        spans(resolved, "ended"),
        # However it went on: it was seen then.
        summary(
            [(life.opened - life.began).total_seconds() for life in opened if life.outage and life.opened]
        ),
    )


def check_noise_and_breaches(made: Compiled, known: Sequence[Life], since: datetime, until: datetime) -> None:
    opened = [life for life in known if life.opened is not None and since < life.opened <= until]
    for noise in made.toil.noisiest:
        mine = [life for life in opened if life.alertname == noise.alertname]
        assert (noise.opened, noise.reopened) == (len(mine), sum(life.came_back for life in mine))
    assert sum(noise.opened for noise in made.toil.noisiest) == len(opened)
    unseen = [
        life for life in opened if life.acknowledged is None and life.resolved is not None and life.outage
    ]
    assert made.toil.never_acknowledged_count == len(unseen)
    late = {
        life.number
        for life in known
        if life.outage
        and (life.resolved is None or life.resolved > since)
        and life.trouble(life.ended or until) > LIMIT.total_seconds()
    }
    assert {breach.incident.id for breach in made.breaches} == late


def away(known: Sequence[Life], until: datetime) -> float:
    """Seconds in which any of these was in trouble: their spans without their gaps, laid over each other."""
    spans = []
    for life in known:
        start = life.began
        for over_at, again in [*life.gaps, (life.ended or until, until)]:
            spans.append((start, over_at))
            start = again
    total, reached = timedelta(), datetime.min.replace(tzinfo=until.tzinfo)
    for first, last in sorted(spans):
        total += max(last - max(first, reached), timedelta())
        reached = max(reached, last)
    return total.total_seconds()


def assert_alike(one: Row, other: Row) -> None:
    assert (one.opened, one.resolved) == (other.opened, other.resolved)
    for name in ("mtta", "mttr", "mttd"):
        left, right = getattr(one, name), getattr(other, name)
        assert left.count == right.count
        for figure in ("mean_seconds", "p50_seconds", "p90_seconds", "p95_seconds"):
            mine, theirs = getattr(left, figure), getattr(right, figure)
            assert mine == theirs or math.isclose(mine, theirs, abs_tol=1e-6), (name, figure)


@settings(deadline=None, max_examples=40)
@given(st.lists(steps, min_size=10, max_size=40), st.integers(1, 600))
def test_the_report_of_any_story_is_what_its_timelines_say(
    told: list[tuple[str, Any, float]], minutes: int
) -> None:
    with remembered(RULES_HERE) as world:
        teller = Teller(world)
        for step in told:
            teller.play(*step)
        until, window = world.now, timedelta(minutes=minutes)
        made = world.write(lambda tx: compiled(tx, CONFIG, (), until, window, None))
        known, since = lives(world), until - window
        spells = world.write(lambda tx: figures.spells(tx, world.now - MONTH, "api"))
    spent = sum(debit.seconds for debit in debits(EVER, spells, until))
    assert math.isclose(spent, away([life for life in known if life.service == "api"], until), abs_tol=1e-6)
    assert_alike(made.report.total, row_of(known, since, until))
    for name, row in made.report.by_severity.items():
        assert_alike(row, row_of([life for life in known if life.severity == name], since, until))
    for name, row in made.report.by_service.items():
        assert_alike(row, row_of([life for life in known if life.service == name], since, until))
    for name, row in made.report.by_alertname.items():
        assert_alike(row, row_of([life for life in known if life.alertname == name], since, until))
    check_noise_and_breaches(made, known, since, until)
