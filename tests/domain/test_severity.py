"""How bad an alert is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.domain.severity import Severity, SeverityRules

RULES = SeverityRules(map={"page": Severity.CRITICAL, "P3": Severity.INFO})
severities = st.sampled_from(Severity)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("critical", Severity.CRITICAL),
        ("CRITICAL", Severity.CRITICAL),
        (" Info ", Severity.INFO),
        ("page", Severity.CRITICAL),
        ("PAGE", Severity.CRITICAL),
        ("p3", Severity.INFO),
        ("none", Severity.WARNING),
        ("", Severity.WARNING),
    ],
)
def test_the_label_is_read_without_regard_to_case_and_then_mapped(value: str, expected: Severity) -> None:
    assert RULES.severity_of({"severity": value}) is expected


def test_a_missing_label_means_the_default() -> None:
    assert SeverityRules(default=Severity.INFO).severity_of({}) is Severity.INFO


def test_the_label_may_have_another_name() -> None:
    rules = SeverityRules(label="priority")
    assert rules.severity_of({"priority": "critical", "severity": "info"}) is Severity.CRITICAL


def test_an_empty_value_may_be_mapped() -> None:
    assert SeverityRules(map={"": Severity.CRITICAL}).severity_of({}) is Severity.CRITICAL


@given(st.text())
def test_every_text_has_a_severity(value: str) -> None:
    assert RULES.severity_of({"severity": value}) in Severity


def test_the_worst_has_the_lowest_rank() -> None:
    assert [severity.rank for severity in Severity] == [0, 1, 2]


@given(severities, severities)
def test_of_two_severities_one_is_worse_or_they_are_the_same(a: Severity, b: Severity) -> None:
    assert [a.worse_than(b), b.worse_than(a), a is b].count(True) == 1
