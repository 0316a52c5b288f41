"""Bodies, rules and acts for the tests of replays; the cast is alice, bob and a chat."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import orjson

from incidentd.domain.alert import Alert
from incidentd.domain.contact import Contact, Person
from incidentd.domain.escalation import Policy, Step, parse_target
from incidentd.replay.difference import Difference, compare
from incidentd.replay.recording import Act, Kept, Recording
from incidentd.replay.run import Outcome, replay
from incidentd.workflows.paging import Paging
from incidentd.workflows.rules import Rules
from tests.workflows.world import RULES, at

POLICY = Policy(
    "primary",
    (
        Step(timedelta(), (parse_target("user:alice"),)),
        Step(timedelta(minutes=5), (parse_target("user:bob"),)),
    ),
)
PEOPLE = {
    "alice": Person("alice", (Contact("phone", ("+49 1",)),)),
    "bob": Person("bob", (Contact("phone", ("+49 2",), after=timedelta(minutes=1)),)),
}
ESCALATING: Rules = replace(RULES, paging=Paging(policies={"primary": POLICY}, people=PEOPLE))
"""Critical ones: alice at once, bob after five minutes and one more."""


def slower(minutes: float) -> Rules:
    """The same with a longer wait before bob."""
    steps = (POLICY.steps[0], replace(POLICY.steps[1], after=timedelta(minutes=minutes)))
    return replace(RULES, paging=Paging(policies={"primary": replace(POLICY, steps=steps)}, people=PEOPLE))


def kept(minute: float, *alerts: Alert) -> Kept:
    """A body as Alertmanager posts it."""
    return Kept(at(minute), "main", "alertmanager", orjson.dumps({"alerts": [_raw(a) for a in alerts]}))


def _raw(alert: Alert) -> dict[str, object]:
    return {
        "status": alert.status.value,
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": alert.starts_at.isoformat(),
        "endsAt": alert.ends_at.isoformat() if alert.ends_at else "0001-01-01T00:00:00Z",
        "generatorURL": alert.generator_url,
        "fingerprint": alert.fingerprint,
    }


def acts(minute: float, kind: str, **more: object) -> Act:
    """Alice does something to the incident of service `api`."""
    return replace(Act(at(minute), 'main:{service="api"}', kind, "alice"), **more)  # type: ignore[arg-type]


def recording(*events: Kept | Act, until: float = 120) -> Recording:
    """A period of the story."""
    bodies = [event for event in events if isinstance(event, Kept)]
    done = tuple([event for event in events if isinstance(event, Act)])
    return Recording(at(0), at(until), bodies, done)


def both(told: Recording, before: Rules, after: Rules) -> tuple[Outcome, Difference]:
    """It through both."""
    outcome = replay(told, before, after)
    return outcome, compare(outcome)
