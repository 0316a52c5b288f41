"""Matchers: what Alertmanager accepts, what it means, and what the refusal says."""

from __future__ import annotations

import time
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from incidentd.domain.matcher import Matcher, Operator, parse_matcher, parse_matchers

operators = st.sampled_from(["=", "!=", "=~", "!~"])
words = st.text(max_size=20)


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        ('severity="critical"', {"severity": "critical"}, True),
        ('severity="critical"', {"severity": "Critical"}, False),
        ('severity!="critical"', {"severity": "warning"}, True),
        ('severity!="critical"', {"severity": "critical"}, False),
        ('job=~"api|web"', {"job": "web"}, True),
        ('job!~"api|web"', {"job": "web"}, False),
        ('job!~"api|web"', {"job": "db"}, True),
        ('job=~"api"', {"job": "api-server"}, False),
        ('job=~"a|ab"', {"job": "ab"}, True),
        ('job=~"a.*"', {"job": "a\nb"}, False),
        ('job=~"a$"', {"job": "a\n"}, False),
        (r'job=~"\\bapi\\b.*"', {"job": "api one"}, True),
        ('city=~"Z.rich"', {"city": "Zürich"}, True),
    ],
)
def test_each_operator_means_what_it_means_in_alertmanager(
    text: str, labels: dict[str, str], *, expected: bool
) -> None:
    assert parse_matcher(text).matches(labels) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('team=""', True),
        ('team!=""', False),
        ('team=~".*"', True),
        ('team=~".+"', False),
        ('team!~".+"', True),
        ('team!="db"', True),
    ],
)
def test_a_missing_label_has_the_empty_value(text: str, *, expected: bool) -> None:
    assert parse_matcher(text).matches({}) is expected
    assert parse_matcher(text).matches({"team": ""}) is expected


@pytest.mark.parametrize(
    ("text", "name", "op", "value"),
    [
        ("foo=bar", "foo", "=", "bar"),
        ("foo = bar", "foo", "=", "bar"),
        (" foo\t=\n bar ", "foo", "=", "bar"),
        ("foo=bar baz", "foo", "=", "bar baz"),
        ("foo=", "foo", "=", ""),
        ('foo=""', "foo", "=", ""),
        ("foo=bar,", "foo", "=", "bar"),
        ('foo="a,b"', "foo", "=", "a,b"),
        ('foo="{}"', "foo", "=", "{}"),
        ("url=/a?b=c", "url", "=", "/a?b=c"),
        ("foo=it's", "foo", "=", "it's"),
        (r"foo=~\d+", "foo", "=~", r"\d+"),
        (r"foo=a\\b", "foo", "=", r"a\b"),
        ("a:b_c9!~x", "a:b_c9", "!~", "x"),
        ("a.b-c/d=x", "a.b-c/d", "=", "x"),
        ("größe=xl", "größe", "=", "xl"),
        ('"name with spaces"="x"', "name with spaces", "=", "x"),
        (r'"a\"b"="x"', 'a"b', "=", "x"),
        (r'"\u00fc"!="x"', "ü", "!=", "x"),
    ],
)
def test_names_and_values_are_read_quoted_and_unquoted(
    text: str, name: str, op: Operator, value: str
) -> None:
    assert parse_matcher(text) == Matcher(name, op, value)


@pytest.mark.parametrize(
    ("quoted", "value"),
    [
        (r"a\nb", "a\nb"),
        (r"a\"b", 'a"b'),
        (r"a\\b", "a\\b"),
        (r"a\\n", "a\\n"),
        (r"\a\b\f\r\t\v", "\a\b\f\r\t\v"),
        (r"\u0041", "A"),
        (r"\U0001F600", "\N{GRINNING FACE}"),
        (r"\x41\101", "AA"),
        (r"\xc3\xa9", "é"),
        ("a\nb", "a\nb"),
    ],
)
def test_quoted_values_have_the_escapes_of_go(quoted: str, value: str) -> None:
    assert parse_matcher(f'foo="{quoted}"').value == value


@pytest.mark.parametrize(
    ("quoted", "value"),
    [
        (r"\d+", r"\d+"),
        (r"\d\\\"\n\t", '\\d\\"\n\\t'),
        (r"\u12", r"\u12"),
        (r"\ud800", r"\ud800"),
        (r"\U00110000", r"\U00110000"),
        (r"\xff", r"\xff"),
        (r"\400", r"\400"),
    ],
)
def test_a_value_with_an_escape_unknown_to_go_is_read_as_classic_alertmanager_does(
    quoted: str, value: str
) -> None:
    assert parse_matcher(f'foo="{quoted}"').value == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  ", []),
        ("{}", []),
        (" { } ", []),
        ("{a=b}", ["a=b"]),
        ('{ a = "b" , c != "d" , }', ["a=b", "c!=d"]),
        ("a=b,c=~d", ["a=b", "c=~d"]),
        ("a=b,c=~d, ", ["a=b", "c=~d"]),
        ("a=,b=c", ["a=", "b=c"]),
        ('a="x,y",b=c', ['a="x,y"', "b=c"]),
        ("{a= b }", ["a=b"]),
        ("b=1,a=2,b=1", ["b=1", "a=2", "b=1"]),
    ],
)
def test_a_list_keeps_its_order_with_or_without_braces(text: str, expected: list[str]) -> None:
    assert parse_matchers(text) == tuple(parse_matcher(one) for one in expected)


@pytest.mark.parametrize(
    ("text", "column", "what"),
    [
        (",", 1, "expected a label name"),
        ("=b", 1, "expected a label name"),
        ("{,}", 2, "expected a label name"),
        ("a=b,,c=d", 5, "expected a label name"),
        ("'a'=b", 1, "expected a label name"),
        ("a", 2, "expected an operator"),
        ("a b", 3, "expected an operator"),
        ("a!b", 2, "expected an operator"),
        ("a~b", 2, "expected an operator"),
        ("a==b", 3, "this is no operator"),
        ("a= =b", 4, "this is no operator"),
        ("a=~~b", 4, "this is no operator"),
        ('a="b', 3, "the closing quote is missing"),
        ('a="b\\"', 3, "the closing quote is missing"),
        ('"a=b', 1, "the closing quote is missing"),
        ('a="b"c', 6, "expected a comma or the end"),
        ('a="b" c="d"', 7, "expected a comma or the end"),
        ('a=b"c"', 4, "expected a comma or the end"),
        ("a=~b{2}", 5, "expected a comma or the end"),
        ("{a=b", 5, "expected a comma or the closing brace"),
        ("{", 2, "expected a comma or the closing brace"),
        ("{a=b c{}", 7, "expected a comma or the closing brace"),
        ("a=b}", 4, "closing brace without an opening one"),
        ("}", 1, "closing brace without an opening one"),
        ("{a=b}x", 6, "expected the end"),
        ("{a=b},", 6, "expected the end"),
        (r'"\d"=b', 1, "an escape that Go does not know"),
        ('""=b', 1, "needs a label name"),
        ('x=y, a=~"("', 6, r"not a regular expression of RE2: missing \)"),
        (r'a=~"(\\w)\\1"', 1, "not a regular expression of RE2: invalid escape"),
        (r'a=~"\bapi\b"', 4, "is ambiguous"),
    ],
)
def test_a_refusal_names_the_column_the_mistake_and_what_is_accepted(
    text: str, column: int, what: str
) -> None:
    with pytest.raises(ValueError, match=rf'column {column}: .*{what}.*; accepted are e\.g\. severity="crit'):
        parse_matchers(text)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "expected one matcher, found 0"),
        ("a=b,c=d", "expected one matcher, found 2"),
        ("{a=b}", "without braces"),
        (" {}", "without braces"),
    ],
)
def test_where_one_matcher_is_wanted_a_list_is_refused(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        parse_matcher(text)


def test_a_backspace_in_an_expression_can_still_be_written() -> None:
    assert parse_matcher(r'a=~"\x08"').matches({"a": "\b"})


def test_an_escaped_backslash_before_b_is_no_ambiguity() -> None:
    assert parse_matcher(r'a=~"x\\b"').value == r"x\b"


def test_an_unknown_operator_is_refused() -> None:
    with pytest.raises(ValueError, match="accepted are =, !=, =~ and !~"):
        Matcher("a", "==", "b")  # type: ignore[arg-type]


def test_a_matcher_is_a_value() -> None:
    matcher = Matcher("job", "=~", "a.*")
    assert matcher == Matcher("job", "=~", "a.*")
    assert len({matcher, Matcher("job", "=~", "a.*"), Matcher("job", "=", "a.*")}) == 2
    assert repr(matcher) == "Matcher(name='job', op='=~', value='a.*')"
    with pytest.raises(FrozenInstanceError):
        matcher.name = "x"  # type: ignore[misc]


def test_an_expression_built_to_explode_stays_linear() -> None:
    bomb = Matcher("a", "=~", "(a+)+$")
    started = time.perf_counter()
    assert not bomb.matches({"a": "a" * 50_000 + "b"})
    assert time.perf_counter() - started < 2, "a backtracking engine would not come back this year"


def test_a_lone_surrogate_in_a_label_does_not_break_routing() -> None:
    assert parse_matcher('a!~"x.*"').matches({"a": "\ud800"})
    assert parse_matcher('a=~"x.*"').matches({"a": "\ud800"}) is False


@pytest.mark.parametrize(
    ("matcher", "text"),
    [
        (Matcher("a", "=", "b"), 'a="b"'),
        (Matcher("a.b", "!~", r"\d"), r'a.b!~"\\d"'),
        (Matcher("a b", "=", 'x"\ny'), r'"a b"="x\"\ny"'),
    ],
)
def test_the_text_of_a_matcher_is_what_alertmanager_would_write(matcher: Matcher, text: str) -> None:
    assert str(matcher) == text


@given(st.text(min_size=1, max_size=20), st.sampled_from(["=", "!="]), words)
@example("\\b", "=", "\\b")
@example("\x1c", "=", "\x1c")
def test_any_matcher_can_be_written_and_read_back(name: str, op: Operator, value: str) -> None:
    matcher = Matcher(name, op, value)
    assert parse_matcher(str(matcher)) == matcher
    assert parse_matchers(f"{{{matcher}, {matcher}}}") == (matcher, matcher)


@given(operators, st.sampled_from([r"\bapi\b", r"\d+\.\d+", "\b", 'a"b|c\n', "[[:alpha:]]{2,3}", "ü?"]))
def test_any_expression_can_be_written_and_read_back(op: Operator, value: str) -> None:
    matcher = Matcher("name", op, value)
    assert parse_matcher(str(matcher)) == matcher


@given(words, words)
def test_equal_and_not_equal_are_opposites_for_every_value(value: str, actual: str) -> None:
    labels = {"a": actual}
    assert Matcher("a", "=", value).matches(labels) is (value == actual)
    assert Matcher("a", "!=", value).matches(labels) is (value != actual)


@given(st.text(alphabet='ab{}=~!,"\\ n\n', max_size=30))
def test_any_text_is_either_a_list_of_matchers_or_refused_with_a_column(text: str) -> None:
    try:
        read = parse_matchers(text)
    except ValueError as refused:
        assert "column" in str(refused)  # noqa: PT017  # both answers are right, but an error must say where
    else:
        assert parse_matchers(",".join(map(str, read))) == read
