"""Cases of firing and ending: what is a new occurrence, what is an end, and what is neither."""

from __future__ import annotations

from incidentd.conformance import links
from incidentd.conformance.model import Area, Case, Expect, Needs, Post, Said, Told

_A = Said("a")
_A_ENDS = Said("a", resolved=True)
_A_LATER = Said("a", start=20)
_A_LATER_ENDS = Said("a", start=20, resolved=True, end=25)
_FIRES, _ENDS = Post((_A,)), Post((_A_ENDS,))
_OPEN_ONCE = Expect(firing=("a",), told=Told.ONCE)
_OVER = Expect(firing=())

CASES = (
    Case(
        "mixed-body",
        Area.LIFECYCLE,
        "one of three ends, in a body that says firing",
        "the body's status is firing while anything in it fires: the status of each alert counts",
        links.WEBHOOK,
        (
            Post((_A, Said("b"), Said("c"))),
            Expect(firing=("a", "b", "c"), told=Told.AGAIN),
            Post((_A_ENDS, Said("b"), Said("c"))),
            Expect(firing=("b", "c"), told=Told.NOBODY),
            Post((Said("b", resolved=True), Said("c", resolved=True))),
            _OVER,
        ),
    ),
    Case(
        "joins-later",
        Area.LIFECYCLE,
        "another alert joins the group",
        "a body repeats all that fires, and the new one between it must not be lost",
        links.ROUTE,
        (_FIRES, _OPEN_ONCE, Post((_A, Said("b"))), Expect(firing=("a", "b"))),
    ),
    Case(
        "resolved-never-fired",
        Area.LIFECYCLE,
        "resolved, and never seen firing",
        "what fires and ends between two posts arrives as its end alone: nothing to open, nobody to wake, no error",
        links.issue(878),
        (_ENDS, Expect(firing=(), told=Told.NOBODY)),
    ),
    Case(
        "newer-start",
        Area.LIFECYCLE,
        "a newer startsAt without a resolve between",
        "what ended and fired again within one group_interval is a new occurrence, in one open incident; its own "
        "resolve must close it",
        links.issue(4371),
        (_FIRES, _OPEN_ONCE, Post((_A_LATER,)), Expect(firing=("a",)), Post((_A_LATER_ENDS,)), _OVER),
    ),
    Case(
        "fires-again",
        Area.LIFECYCLE,
        "fires again after its resolve, with a newer start",
        "the trouble is back: it must be open again and people must be told again",
        links.issue(4371),
        (
            *(_FIRES, _OPEN_ONCE, _ENDS, _OVER),
            *(Post((_A_LATER,)), Expect(firing=("a",), told=Told.AGAIN), Post((_A_LATER_ENDS,)), _OVER),
        ),
    ),
    Case(
        "stale-firing",
        Area.LIFECYCLE,
        "firing after its resolve, with the old start",
        "a healthy pair sends this: the second peer's snapshot is older than the resolve. Nobody is woken for it "
        "at once, and the resolve that follows closes whatever it opened",
        links.issue(4008),
        (
            *(_FIRES, _OPEN_ONCE, _ENDS, _OVER),
            *(_FIRES, Expect(told=Told.NOBODY, most_open=1), _ENDS, _OVER),
        ),
    ),
    Case(
        "late-resolve",
        Area.LIFECYCLE,
        "a peer's late word about the occurrence before",
        "the end of the last firing, repeated after a new one began, must not close the new one",
        links.issue(1684),
        (
            _FIRES,
            _OPEN_ONCE,
            _ENDS,
            _OVER,
            Post((_A_LATER,)),
            Expect(firing=("a",)),
            _ENDS,
            Expect(firing=("a",), told=Told.NOBODY),
            Post((_A_LATER_ENDS,)),
            _OVER,
        ),
    ),
    Case(
        "absent-is-not-over",
        Area.LIFECYCLE,
        "missing from a later body of its group",
        "a silenced or inhibited alert is in no body, neither firing nor resolved; when the silence ends it is "
        "posted with its old start, which is no news",
        links.issue(226),
        (
            Post((_A, Said("b"))),
            Expect(firing=("a", "b"), told=Told.AGAIN),
            Post((Said("b"), Said("c"))),
            Expect(firing=("a", "b", "c")),
            Post((_A, Said("b"), Said("c"))),
            Expect(firing=("a", "b", "c"), told=Told.NOBODY),
        ),
    ),
    Case(
        "future-start",
        Area.LIFECYCLE,
        "a start that lies ahead",
        "with a clock that runs fast the start lies in the future; Alertmanager posts it at once all the same",
        links.WEBHOOK,
        (
            Post((Said("a", start=120),)),
            _OPEN_ONCE,
            Post((Said("a", start=120, resolved=True, end=121),)),
            _OVER,
        ),
    ),
    Case(
        "truncated",
        Area.LIFECYCLE,
        "truncatedAlerts above zero",
        "with max_alerts the rest of the group is never posted, not even its end: somebody must be able to see it",
        links.pull(2274),
        (Post((_A,), {"truncatedAlerts": 4}), Expect(firing=("a",), truncated=True)),
        needs=frozenset({Needs.TRUNCATED}),
    ),
)
