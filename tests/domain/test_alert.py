"""An alert's identity and the few words it is known by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.domain.alert import Alert, AlertStatus, fingerprint_of

ALERT = Alert("main", "0" * 16, AlertStatus.FIRING, {}, {}, datetime(2026, 3, 1, tzinfo=UTC), None)
label_sets = st.dictionaries(st.text(), st.text())


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"alertname": "Watchdog", "cluster": "eu-1", "severity": "none"}, "d0565471460a7e2c"),
        ({"severity": "none", "cluster": "eu-1", "alertname": "Watchdog"}, "d0565471460a7e2c"),
        ({"alertname": "Watchdog", "cluster": "eu-1", "severity": "none", "team": ""}, "d0565471460a7e2c"),
        ({}, "cbf29ce484222325"),
        ({"only": ""}, "cbf29ce484222325"),
    ],
)
def test_the_fingerprint_is_alertmanagers(labels: Mapping[str, str], expected: str) -> None:
    assert fingerprint_of(labels) == expected


@given(label_sets)
def test_the_order_of_labels_and_those_without_a_value_do_not_count(labels: dict[str, str]) -> None:
    told = dict(reversed([*labels.items(), ("\ufffe empty", "")]))
    assert fingerprint_of(told) == fingerprint_of({n: v for n, v in labels.items() if n != "\ufffe empty"})


@given(label_sets, st.text(), st.text(min_size=1))
def test_another_value_is_another_fingerprint(labels: dict[str, str], name: str, value: str) -> None:
    assert fingerprint_of({**labels, name: value}) != fingerprint_of({**labels, name: value + "x"})


def test_only_a_firing_alert_fires() -> None:
    assert ALERT.firing
    assert not replace(ALERT, status=AlertStatus.RESOLVED).firing


@pytest.mark.parametrize(
    ("labels", "name"),
    [({"alertname": "Down"}, "Down"), ({"alertname": ""}, "(no alertname)"), ({}, "(no alertname)")],
)
def test_an_alert_without_a_name_says_so(labels: dict[str, str], name: str) -> None:
    assert replace(ALERT, labels=labels).name == name


@pytest.mark.parametrize(
    ("labels", "service"),
    [({"service": "api", "job": "node"}, "api"), ({"service": "", "job": "node"}, "node"), ({}, "")],
)
def test_the_service_is_its_label_or_else_the_job(labels: dict[str, str], service: str) -> None:
    assert replace(ALERT, labels=labels).service == service


@pytest.mark.parametrize(
    ("annotations", "title"),
    [({"summary": " disk\n is  full "}, "disk is full"), ({"summary": " \n"}, "Disk"), ({}, "Disk")],
)
def test_the_title_is_the_summary_on_one_line_or_else_the_name(
    annotations: dict[str, str], title: str
) -> None:
    assert replace(ALERT, labels={"alertname": "Disk"}, annotations=annotations).title == title
