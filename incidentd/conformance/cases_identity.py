"""Cases of identity: the same alert stays the same, however often and through whatever it arrives."""

from __future__ import annotations

from incidentd.conformance import links
from incidentd.conformance.model import Acknowledge, Area, Case, Expect, Needs, Post, Said, Told

_FIRES = Post((Said("a"),))
_OPEN_ONCE = Expect(firing=("a",), told=Told.ONCE)
_STILL = Expect(firing=("a",), told=Told.NOBODY)
_OVER = Expect(firing=())
_PEER = {"externalURL": "http://alertmanager-1.example.com:9093"}
_MANY = tuple(f"g{number:02}" for number in range(50))

CASES = (
    Case(
        "first-firing",
        Area.IDENTITY,
        "an alert fires and ends",
        "the main job: it opens one incident, people are told once, and its resolve closes it",
        links.WEBHOOK,
        (_FIRES, _OPEN_ONCE, Post((Said("a", resolved=True),)), _OVER),
    ),
    Case(
        "retry",
        Area.IDENTITY,
        "the same body again",
        "when the connection breaks before the answer, Alertmanager posts the same bytes again",
        links.issue(2222),
        (_FIRES, _OPEN_ONCE, _FIRES, _FIRES, _STILL),
    ),
    Case(
        "repeat-interval",
        Area.IDENTITY,
        "a repeat after repeat_interval",
        "an alert that goes on firing is posted again every few hours; newer versions say so in another field, so the "
        "bytes differ and a hash of the body does not recognise it",
        links.ROUTE,
        (_FIRES, _OPEN_ONCE, Post((Said("a"),), {"notification_reason": "repeat interval elapsed"}), _STILL),
    ),
    Case(
        "pair-at-once",
        Area.IDENTITY,
        "eight Alertmanagers post the same at the same moment",
        "a pair that does not hear each other delivers everything twice; checking before inserting is a race",
        links.issue(2222),
        (Post((Said("a"),), copies=8), _OPEN_ONCE, Post((Said("a", resolved=True),), copies=8), _OVER),
    ),
    Case(
        "pair-other-address",
        Area.IDENTITY,
        "the peer posts the same with its own externalURL",
        "the second Alertmanager of a pair is no second incident",
        links.PAIRS,
        (_FIRES, _OPEN_ONCE, Post((Said("a"),), _PEER), _STILL),
    ),
    Case(
        "resolved-twice",
        Area.IDENTITY,
        "each peer posts the resolve",
        "the second resolve finds nothing to do, and is no error",
        links.issue(1718),
        (
            _FIRES,
            _OPEN_ONCE,
            Post((Said("a", resolved=True),)),
            Post((Said("a", resolved=True),), _PEER),
            Expect(firing=(), told=Told.NOBODY),
        ),
    ),
    Case(
        "renamed-receiver",
        Area.IDENTITY,
        "fires through one receiver, ends through another",
        "after a receiver was renamed, or with continue: true, the same alert arrives under other names",
        links.ROUTE,
        (
            _FIRES,
            _OPEN_ONCE,
            Post((Said("a"),), {"receiver": "page\\.team-a \\(1\\)"}),
            _STILL,
            Post((Said("a", resolved=True),), {"receiver": "page\\.team-a \\(1\\)"}),
            _OVER,
        ),
    ),
    Case(
        "regrouped",
        Area.IDENTITY,
        "the same alert under a new groupKey",
        "changing group_by gives every group a new key and posts all alerts again; the old keys never get a resolve",
        links.ROUTE,
        (
            _FIRES,
            _OPEN_ONCE,
            Post((Said("a"),), {"groupKey": '{}/{severity="x"}:{}', "groupLabels": {}}),
            _STILL,
            Post((Said("a", resolved=True),), {"groupKey": '{}/{severity="x"}:{}'}),
            _OVER,
        ),
    ),
    Case(
        "same-summary",
        Area.IDENTITY,
        "two alerts with the same summary",
        "the labels make the identity: two machines with the same trouble are two alerts",
        links.SAME_SUMMARY,
        (
            Post((Said("a"), Said("b"))),
            Expect(firing=("a", "b"), told=Told.AGAIN),
            Post((Said("a", resolved=True), Said("b"))),
            Expect(firing=("b",), told=Told.NOBODY),
        ),
    ),
    Case(
        "summary-changes",
        Area.IDENTITY,
        "the summary changes while it fires",
        "annotations hold measured values: every repeat may read differently and is still the same alert",
        links.FINGERPRINT,
        (
            _FIRES,
            _OPEN_ONCE,
            Post((Said("a", summary="now at 97 %"),)),
            _STILL,
            Post((Said("a", resolved=True, summary="at 3 %"),)),
            _OVER,
        ),
    ),
    Case(
        "earlier-start",
        Area.IDENTITY,
        "a repeat with an earlier start",
        "of two Prometheus replicas one has seen the trouble for longer: the same firing, told already",
        links.PAIRS,
        (Post((Said("a", start=10),)), _OPEN_ONCE, _FIRES, _STILL),
    ),
    Case(
        "many-groups-at-once",
        Area.IDENTITY,
        "fifty groups at the same moment",
        "Alertmanager limits nothing: it posts every group that is due on a connection of its own",
        links.PARALLEL,
        (
            Post(tuple(Said(key) for key in _MANY), apart=True),
            Expect(firing=_MANY),
            Post(tuple(Said(key, resolved=True) for key in _MANY), apart=True),
            _OVER,
        ),
    ),
    Case(
        "acknowledged",
        Area.IDENTITY,
        "a repeat after somebody acknowledged",
        "who has it in hand is not paged again, and the resolve still closes it: acknowledging is no silence",
        links.issue(226),
        (_FIRES, _OPEN_ONCE, Acknowledge(), _FIRES, _STILL, Post((Said("a", resolved=True),)), _OVER),
        needs=frozenset({Needs.ACKNOWLEDGE}),
    ),
)
