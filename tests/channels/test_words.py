"""The words every channel uses."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.channels import words
from incidentd.domain.notification import Notice
from tests.channels.support import NOW, alert, incident, message


@given(st.text(st.characters(codec=None)), st.integers(1, 60))
def test_a_tidy_text_is_one_short_printable_line_of_utf_8(text: str, limit: int) -> None:
    tidy = words.tidy(text, limit)
    assert len(tidy) <= limit
    assert len(tidy.encode().splitlines()) <= 1
    assert not set(tidy) & set("\x00\x1b\r\n\u2028\u202e\u2066\ufeff")


@given(st.text(max_size=50), st.integers(4, 40))
def test_a_text_cut_by_bytes_fits(text: str, limit: int) -> None:
    assert len(words.cut_bytes(text, limit).encode()) <= limit


@pytest.mark.parametrize(
    ("notice", "actor", "comment", "line"),
    [
        (Notice.TRIGGERED, "source", "", "Triggered \u00b7 critical \u00b7 2 firing"),
        (
            Notice.ACKNOWLEDGED,
            "alice",
            "on it",
            "Acknowledged by alice: on it \u00b7 critical \u00b7 2 firing",
        ),
        (Notice.REOPENED, "source", "", "Reopened: it fires again \u00b7 critical \u00b7 2 firing"),
        (Notice.RESOLVED, "source", "", "Resolved: all alerts ended after 2h 7m"),
        (Notice.RESOLVED, "bob", "rolled back", "Resolved by bob after 2h 7m: rolled back"),
        (Notice.ESCALATED, "incidentd", "", "Escalated \u00b7 critical \u00b7 2 firing"),
    ],
)
def test_the_state_line_says_what_happened_and_who_did_it(
    notice: Notice, actor: str, comment: str, line: str
) -> None:
    ended = incident(resolved_at=NOW + timedelta(hours=2, minutes=5) if notice is Notice.RESOLVED else None)
    assert words.state_line(message(notice, actor=actor, comment=comment, incident=ended)) == line


def test_facts_leave_out_what_is_not_known() -> None:
    names = [fact.name for fact in words.facts(message(incident=incident(service="", group_key="")))]
    assert names == ["Severity", "State", "Alerts", "Started"]


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "http://",
        "http://[",
        "",
        "https://x/" + "a" * 3000,
        "//x/y",
    ],
)
def test_only_web_addresses_become_links(address: str) -> None:
    written = {"runbook_url": address, "dashboard_url": address, "silence_url": address}
    lost = alert(generator_url=address, annotations=written)
    view = incident(url=address, runbook_url=None, silence_url=address)
    assert words.links(message(incident=view, alerts=(lost,))) == ()


def test_links_are_percent_encoded() -> None:
    said = message(incident=incident(runbook_url='https://x.example/a b|<c>"\ud800?q=%20'))
    assert words.links(said)[1].href == "https://x.example/a%20b%7C%3Cc%3E%22%EF%BF%BD?q=%20"


def test_the_links_lead_to_incident_runbook_graph_dashboard_and_silence() -> None:
    one = alert(annotations={"dashboard_url": "https://grafana.example.com/d/1"})
    view = incident(
        silence_url=words.silence_url("https://am.example.com/", {"alertname": "Checkout errors"})
    )
    found = words.links(message(incident=view, alerts=(one, alert(2))))
    assert [link.text for link in found] == ["Open INC-12", "Runbook", "Graph", "Dashboard", "Silence"]
    assert found[4].href == (
        "https://am.example.com/#/silences/new?filter=%7Balertname%3D%22Checkout%20errors%22%7D"
    )


def test_the_runbook_and_silence_of_the_alert_stand_in_for_what_the_incident_does_not_know() -> None:
    own = {"runbook_url": "https://r.example/1", "silence_url": "https://grafana.example/silence"}
    said = message(incident=incident(runbook_url=None), alerts=(alert(annotations=own),))
    assert [link.href for link in words.links(said) if link.text in {"Runbook", "Silence"}] == list(
        own.values()
    )


@pytest.mark.parametrize(
    ("labels", "matchers"),
    [
        ({"a": "1", "b": "2"}, '{a="1",b="2"}'),
        ({"a": 'say "x"\\y\n&/#', "empty": ""}, '{a="say \\"x\\"\\\\y\\n&/#"}'),
        ({"k8s.pod": "web"}, '{"k8s.pod"="web"}'),
    ],
)
def test_a_silence_matches_exactly_the_labels(labels: dict[str, str], matchers: str) -> None:
    url = words.silence_url("https://am.example.com/prefix", labels)
    assert url is not None
    start, _, filled = url.partition("?filter=")
    assert start == "https://am.example.com/prefix/#/silences/new"
    assert unquote(filled) == matchers
    assert not set(filled) & set('{}"=&/# ')


def test_nothing_to_match_makes_no_silence() -> None:
    assert words.silence_url("https://am.example.com", {"a": ""}) is None


def test_an_alert_without_a_summary_shows_its_labels() -> None:
    bare = alert(annotations={}, status="resolved", ends_at=NOW)
    (line,) = words.alert_lines(message(alerts=(bare,)), 5)
    assert (line.firing, line.summary) == (False, "service=checkout, pod=web-1")
    assert line.since == "ended 2026-11-20 10:15 UTC"


def test_the_short_form_holds_title_state_and_address() -> None:
    short = words.plain(message(), 120)
    assert short.startswith("[INC-12] Checkout errors at 42% - Triggered")
    assert short.endswith(" http://127.0.0.1:8650/console/incidents/12")
    assert len(short) <= 120
