"""Cases of content: alerts that are odd, huge or broken, and all of which real senders send."""

from __future__ import annotations

from incidentd.conformance import links
from incidentd.conformance.model import Area, Case, Expect, Post, Said, Told

_FIRES = Post((Said("a"),))
_ENDS = Post((Said("a", resolved=True),))
_OPEN = Expect(firing=("a",), told=Told.ONCE)
_OVER = Expect(firing=())
_ROUND = (_FIRES, _OPEN, _ENDS, _OVER)
"""It fires and ends like any other."""
_MANY = tuple(f"n{number:05}" for number in range(10_000))
_NEW_FIELDS = {
    "notification_reason": "first notification",
    "routeLabels": {"team": "x"},
    "next": [1, {"a": None}],
}
_BROKEN = (
    {"status": "firing", "labels": ["not", "an", "object"], "fingerprint": "0000000000000001"},
    {"status": "on fire", "labels": {"alertname": "Broken"}, "startsAt": "yesterday"},
    "not even an object",
    None,
)

CASES = (
    Case(
        "recorded-prometheus",
        Area.CONTENT,
        "a recorded body of a real rule",
        "Prometheus 2.42 to Alertmanager 0.25, as it was on the wire but for names and times",
        links.WEBHOOK,
        (
            Post(recorded="prom_critical_firing"),
            Expect(firing=("r0",), told=Told.ONCE),
            Post(recorded="prom_critical_firing", resolved=True),
            _OVER,
        ),
    ),
    Case(
        "recorded-text",
        Area.CONTENT,
        "a recorded body of hostile texts",
        "HTML, escape sequences, right-to-left marks, template syntax, newlines in label values: all of it is posted "
        "as it is, with <, > and & written as \\u003c, \\u003e, \\u0026",
        links.GO_JSON,
        (
            Post(recorded="text_torture"),
            Expect(firing=("r0",), told=Told.ONCE),
            Post(recorded="text_torture", resolved=True),
            _OVER,
        ),
    ),
    Case(
        "year-one",
        Area.CONTENT,
        "endsAt is 0001-01-01T00:00:00Z while it fires",
        "Go's zero time means none: read as a time, the alert ended long ago, or the zone conversion overflows",
        links.issue(3341),
        (_FIRES, Expect(firing=("a",), started=True)),
    ),
    Case(
        "time-zones",
        Area.CONTENT,
        "times in another zone, with nanoseconds",
        "startsAt is passed on as it was given: +05:30 with nine digits is the same instant as the one in UTC",
        links.WEBHOOK,
        (
            Post((Said("a", east=330),)),
            Expect(firing=("a",), told=Told.ONCE, started=True),
            Post((Said("a", east=0),)),
            Expect(firing=("a",), told=Told.NOBODY),
            Post((Said("a", east=-480, resolved=True),)),
            _OVER,
        ),
    ),
    Case(
        "no-alertname",
        Area.CONTENT,
        "no alertname",
        "Alertmanager asks for any label, not for this one",
        links.LABELS,
        _ROUND,
        labels={"a": {"alertname": ""}},
    ),
    Case(
        "no-severity",
        Area.CONTENT,
        "no severity",
        "severity is a habit, not a rule: without it somebody must still be told",
        links.LABELS,
        _ROUND,
        labels={"a": {"severity": ""}},
    ),
    Case(
        "odd-severity",
        Area.CONTENT,
        "a severity that nobody configured",
        "P1, CRITICAL and page are what people write",
        links.LABELS,
        _ROUND,
        labels={"a": {"severity": "P1-ish Ünknown"}},
    ),
    Case(
        "unknown-fields",
        Area.CONTENT,
        "fields that this receiver has never seen",
        "two were added to the body in one year; a strict parser stops all alerts with the next upgrade",
        links.pull(5328),
        (Post((Said("a"),), _NEW_FIELDS), _OPEN, Post((Said("a", resolved=True),), _NEW_FIELDS), _OVER),
    ),
    Case(
        "nul",
        Area.CONTENT,
        "U+0000 in a label and an annotation",
        "Alertmanager passes it on, and PostgreSQL refuses it in texts: an unprepared receiver answers 500 and "
        "gets the whole group again for ever",
        links.NUL,
        (
            Post((Said("a", annotations={"description": "a\x00b"}),)),
            _OPEN,
            Post((Said("a", resolved=True, annotations={"description": "a\x00b"}),)),
            _OVER,
        ),
        labels={"a": {"path": "nul\0x"}},
    ),
    Case(
        "label-names",
        Area.CONTENT,
        "label names beyond letters and digits",
        "newer versions take any UTF-8 as the name of a label",
        links.LABELS,
        _ROUND,
        labels={"a": {"bad-name": "1", "naïve.ключ": "2"}},
    ),
    Case(
        "huge-label",
        Area.CONTENT,
        "a label of 20 kB",
        "nothing limits it before it is posted; a column of 255 characters is an error for the whole group",
        links.FINGERPRINT,
        _ROUND,
        labels={"a": {"query": "x" * 20_000}},
    ),
    Case(
        "many-labels",
        Area.CONTENT,
        "two hundred labels",
        "the same",
        links.FINGERPRINT,
        _ROUND,
        labels={"a": {f"label_{number}": f"value {number}" for number in range(200)}},
    ),
    Case(
        "huge-annotation",
        Area.CONTENT,
        "annotations of 160 kB",
        "templates that loop over results grow without a limit",
        links.WEBHOOK,
        (
            Post((Said("a", annotations={"description": "ä€🔥 " * 16000, "log": "y" * 46000}),)),
            _OPEN,
            _ENDS,
            _OVER,
        ),
    ),
    Case(
        "ten-thousand",
        Area.CONTENT,
        "10,000 alerts in one body",
        "5 MB in one post, and the resolve is larger: with a limit between the two, nothing ever closes",
        links.BIG_BODIES,
        (
            Post(tuple(Said(key) for key in _MANY)),
            Expect(firing=_MANY),
            Post(tuple(Said(key, resolved=True) for key in _MANY)),
            _OVER,
        ),
    ),
    Case(
        "bad-neighbour",
        Area.CONTENT,
        "broken alerts between good ones",
        "one alert that is refused holds back its whole group, again and again",
        links.RETRIER,
        (
            Post((Said("a"), Said("b"), Said("c")), beside=_BROKEN),
            Expect(firing=("a", "b", "c")),
            Post(tuple(Said(key, resolved=True) for key in "abc"), beside=_BROKEN),
            _OVER,
        ),
    ),
)
