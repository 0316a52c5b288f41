"""Texts with placeholders: what they can say, what is refused and where, and that no text takes long."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.domain.placeholders import (
    FIELDS,
    FILTERS,
    MAX_TEXT,
    Kind,
    PlaceholderError,
    Value,
    parse,
    render,
)

VALUES: dict[str, Value] = {
    "incident.title": "Checkout errors",
    "severity": "critical",
    "alerts_firing": 2,
    "alerts": ("web-1", "web-2"),
    "since": datetime(2026, 11, 20, 10, 5, tzinfo=UTC),
    "label.k8s.pod": "web 1",
    "annotation.summary": "5% & more",
    "comment": "",
}


def _said(text: str) -> str:
    return render(parse(text), VALUES)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{severity}: {incident.title}", "critical: Checkout errors"),
        ("{severity|upper}", "CRITICAL"),
        ("{incident.title|lower}", "checkout errors"),
        ("{severity|title}", "Critical"),
        ("{incident.title|truncate:5}|{incident.title|truncate:99}", "Chec\u2026|Checkout errors"),
        ("{comment|default:nobody said why: ask}", "nobody said why: ask"),
        ("{label.cluster|default:-}", "-"),
        ("[{label.cluster}]", "[]"),
        ("{severity|default:-|upper}", "CRITICAL"),
        ("https://x/?q={annotation.summary|urlencode}", "https://x/?q=5%25%20%26%20more"),
        ("{since}", "2026-11-20 10:05 UTC"),
        ("{since|time:clock}, {since|time:date}", "10:05 UTC, 2026-11-20"),
        ("{since|time:iso} {since|time}", "2026-11-20T10:05:00Z 2026-11-20 10:05 UTC"),
        ("{alerts} {alerts|join:/}", "web-1, web-2 web-1/web-2"),
        ("{labels|join:/}{since|truncate:4}", "202\u2026"),
        ("{alerts_firing} firing", "2 firing"),
        ("{ label.k8s.pod | upper }", "WEB 1"),
        ("{{severity}} {{}}", "{severity} {}"),
        ("line\n{severity}", "line\ncritical"),
        ("", ""),
    ],
)
def test_a_text_is_filled_in(text: str, said: str) -> None:
    assert _said(text) == said


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "{sevrity}",
            r'column 2: "sevrity" is no field; accepted: incident.ref, .*; did you mean "severity"\?',
        ),
        ("{severity|uper}", r'column 11: "uper" is no filter; accepted: upper, .*; did you mean "upper"\?'),
        ("{}", 'column 2: "" is no field'),
        ("{label.}", 'column 2: "label." is no field'),
        ("{severity.__class__}", "is no field"),
        ("a\nb {severity", 'line 2, column 3: a "{" is not closed'),
        ("a { {severity}", 'column 3: a "{" is not closed'),
        ("a } b", 'column 3: a "}" closes nothing; accepted: }} for a brace'),
        ("{severity|time}", 'column 11: "time" does not fit here; accepted: directly after since'),
        ("{severity|join:,}", '"join" does not fit here; accepted: directly after alerts, labels'),
        ("{since|upper|time}", 'column 14: "time" does not fit here'),
        ("{since|time:clok}", r'"clok" is no form of a time; .*; did you mean "clock"\?'),
        ("{severity|truncate}", '"truncate" needs a length; accepted: 1 to 4096'),
        ("{severity|truncate:0}", '"truncate" needs a length'),
        ("{severity|truncate:9999999999}", '"truncate" needs a length'),
        ("{severity|upper:2}", 'column 11: "upper" takes nothing after it'),
        ("x" * (MAX_TEXT + 1), "is 4097 characters long; accepted: at most 4096"),
        ("{severity}" * 101, "has too many placeholders; accepted: at most 100"),
    ],
)
def test_what_cannot_be_filled_in_is_refused_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(PlaceholderError, match=problem):
        parse(text)


def test_what_is_not_there_is_empty_whatever_its_kind() -> None:
    text = "{since|time:clock}{alerts|join:/}{alerts_firing}{severity|upper}"
    assert render(parse(text), {}) == ""


def test_there_are_eight_filters() -> None:
    assert len(FILTERS) == 8


hostile = st.text(st.characters(codec=None), max_size=300).map(lambda text: text * 40)


@given(st.sampled_from([*FIELDS, "label.a"]), st.lists(st.sampled_from(FILTERS), max_size=8), hostile)
def test_whatever_a_field_holds_the_result_is_at_most_4_kib_of_utf_8(
    field: str, filters: list[str], text: str
) -> None:
    steps = "".join(f"|{name}:50" if name in {"truncate", "default"} else f"|{name}" for name in filters)
    try:
        template = parse(f"{{{field}{steps}}}{{{field}}}" * 20)
    except PlaceholderError:
        return  # time and join fit only what they are for
    kind = FIELDS.get(field, Kind.TEXT)
    lists: dict[Kind, Value] = {Kind.LIST: (text,) * 200, Kind.INSTANT: datetime(2026, 1, 1, tzinfo=UTC)}
    assert len(render(template, {field: lists.get(kind, text)}).encode()) <= MAX_TEXT


@given(st.text("{}|:.a\nseverity", max_size=400))
def test_any_text_is_parsed_or_refused_in_words(text: str) -> None:
    problem = "accepted"
    try:
        parse(text)
    except PlaceholderError as refused:
        problem = str(refused)
    assert "accepted" in problem


@given(hostile)
def test_what_an_alert_carries_is_never_parsed(text: str) -> None:
    carried = (text + "{severity}")[-200:]
    assert render(parse("{label.a}"), {"label.a": carried, "severity": "other"}).endswith("{severity}")
