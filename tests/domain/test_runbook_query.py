"""Label values in queries: they are values, whatever they say."""

from __future__ import annotations

import re

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from incidentd.domain.runbook_query import check_query, fill_query, placeholders

QUERY = 'sum(rate(x{job="$job",pod=~"$pod-.*",env!="$env"}[5m])) / on (job) y{job="$job"}'


@pytest.mark.parametrize(
    ("query", "filled"),
    [
        ('up{job="$job"}', 'up{job="api"}'),
        ('up{job = "$job"}', 'up{job ="api"}'),
        ('up{a="$job/$job"}', 'up{a="api/api"}'),
        ('up{a=~"$dots"}', r'up{a=~"a\\.b"}'),
        ('up{a="$dots"}', 'up{a="a.b"}'),
        ('up{a!~"$dots.*"}', r'up{a!~"a\\.b.*"}'),
        ('up{a="$missing"}', 'up{a=~".*"}'),
        ('up{a=~"$empty"}', 'up{a=~".*"}'),
        ('up{a=~"$job|"}', 'up{a=~"api|"}'),
        ('up{a=~"$missing|"}', 'up{a=~".*"}'),
        ('up{a=~"$job-$missing"}', 'up{a=~".*"}'),
        ('up{a=~"api|$"}', 'up{a=~"api|$"}'),
        ('up{a!~"x$missing"}', 'up{a!~"x"}'),
        ('up{a!="$missing"}', 'up{a!=""}'),
        ('up{a="x$missing"}', 'up{a="x"}'),
        ('up{a=~"end$"}', 'up{a=~"end$"}'),
        ('label_replace(up, "a", "$1", "b", "(.*)")', 'label_replace(up, "a", "$1", "b", "(.*)")'),
        ('up{a="$quote"}', r'up{a="\"} or vector(1)\\\n"}'),
    ],
)
def test_a_placeholder_becomes_the_incidents_label(query: str, filled: str) -> None:
    labels = {"job": "api", "dots": "a.b", "empty": "", "quote": '"} or vector(1)\\\n'}
    check_query(query)
    assert fill_query(query, labels).replace(' ="', '="').replace("{job =", "{job =") == filled.replace(
        ' ="', '="'
    )


@pytest.mark.parametrize("query", ["rate(x[$range])", "$metric > 1", 'up{$name="a"}', "up{a='$job'}"])
def test_a_placeholder_elsewhere_is_refused_with_its_name(query: str) -> None:
    with pytest.raises(
        ValueError, match=r"has \$\w+ outside of a label matcher; accepted: inside the quotes"
    ):
        check_query(query)


def test_the_labels_that_a_query_asks_about_are_known() -> None:
    assert placeholders(QUERY) == ("job", "pod", "env")


@given(st.text(), st.text(min_size=1))
def test_no_value_becomes_syntax_and_a_regex_matches_the_value_alone(job: str, pod: str) -> None:
    filled = fill_query(QUERY, {"job": job, "pod": pod, "env": "prod"})
    values = re.compile(r'(=~|!~|!=|=)"(?:[^"\\\n]|\\.)*"')
    bare = values.sub("=", filled)
    assert bare == values.sub("=", QUERY)
    found = re.search(r'pod=~"((?:[^"\\\n]|\\.)*)-\.\*"', filled)
    assert found is not None
    # What Go's strconv.Unquote makes of it: these are the only escapes that are written.
    plain = {"\\": "\\", '"': '"', "n": "\n", "r": "\r"}
    expression = re.sub(r'\\([\\"nr])', lambda escape: plain[escape[1]], found[1])
    harmless = pod.encode(errors="replace").decode()
    assert re2.fullmatch(expression, harmless)
    assert not re2.fullmatch(expression, harmless + "x")
