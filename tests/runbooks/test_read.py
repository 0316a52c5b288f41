"""The format: what is read from a good file, and what is said about a bad one, with its line."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta

import pytest

from incidentd.domain.runbook import Action, Kind, Run, Step
from incidentd.domain.severity import Severity
from incidentd.runbooks.problem import RunbookError
from incidentd.runbooks.read import MAX_BYTES, read_runbook

FRONT = """---
match: ['alertname="Down"', 'job=~"api|web"']
service: checkout
severity: [critical, warning]
owner: team-a
version: 3
tested: 2026-11-01
---
"""
BODY = """# The *API* is `down`

## Steps

1. Look at
   [the dashboard](https://dash.example.com)

   ```yaml step promql
   query: up{job="$job"}
   run: auto
   timeout: 10s
   range: 1h
   ```

2. [x] Restart
   - one after the other

3. Tell people

   ```yaml
   this: is an example
   ```

- [ ] Write it down
- prose, and no step

### Details

4. Look again

## Afterwards

1. Not a step
"""
GOOD = FRONT + BODY


def read(text: str, name: str = "down") -> tuple[Step, ...]:
    return read_runbook(text.encode(), f"runbooks/{name}.md", name).steps


def problems(text: str | bytes, name: str = "down") -> list[str]:
    content = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(RunbookError) as refused:
        read_runbook(content, f"{name}.md", name)
    return str(refused.value).splitlines()


def test_a_good_file_is_read_whole() -> None:
    book = read_runbook(GOOD.encode(), "runbooks/down.md", "down")
    assert (book.name, book.title, book.service) == ("down", "The API is down", "checkout")
    assert [str(matcher) for matcher in book.match] == ['alertname="Down"', 'job=~"api|web"']
    assert (book.severities, book.owner) == ((Severity.CRITICAL, Severity.WARNING), "team-a")
    assert (book.version, book.tested) == ("3", date(2026, 11, 1))
    assert (book.text, book.hash) == (GOOD, hashlib.sha256(GOOD.encode()).hexdigest())
    assert [(s.number, s.text) for s in book.steps] == [
        (1, "Look at the dashboard"),
        (2, "Restart"),
        (3, "Tell people"),
        (4, "Write it down"),
        (5, "Look again"),
    ]
    assert book.steps[0].action == Action(
        Kind.PROMQL,
        Run.AUTO,
        timedelta(seconds=10),
        attributes={"query": 'up{job="$job"}', "source": None, "range": "1h"},
    )
    assert [s.action for s in book.steps[1:]] == [None] * 4


def test_line_ends_of_windows_and_a_byte_order_mark_change_nothing() -> None:
    assert read("\ufeff" + GOOD.replace("\n", "\r\n")) == read(GOOD)


def test_without_a_heading_the_name_is_the_title() -> None:
    text = "---\nmatch: [a=b]\n---\n## steps\n1. x\n"
    assert read_runbook(text.encode(), "f", "some-name").title == "some-name"


NO_STEPS = "down.md: has no steps; accepted: a section ## Steps with numbered items"


@pytest.mark.parametrize(
    ("front", "told"),
    [
        ("severity: high", "down.md:3: severity: is not known; accepted: critical, warning, info"),
        (
            "sevrity: x",
            'unknown key; accepted: match, service, severity, owner, version, tested; did you mean "s',
        ),
        ("tested: soon", "down.md:3: tested: is not a day; accepted: a date such as 2026-11-21"),
        ("tested: 2026-13-40", "down.md:3: tested: is not a day; accepted: a date such as 2026-11-21"),
        (
            "version: 1.10",
            "down.md:3: version: is a number with a point; put it in quotes, or 1.10 would be 1.1",
        ),
        ("owner: ''", "down.md:3: owner: is too short; accepted: at least 1 character"),
        ("owner: a\nowner: b", "down.md:4: owner: is given twice, first in line 3; accepted: each key once"),
        ("owner: [a", "down.md:3: is not YAML: "),
        ("owner: ${SECRET}", "owner: ${SECRET} is only read in secrets and in database.url; write the value"),
        ("service: {a: b}", "down.md:3: service: must be text; put it in quotes"),
    ],
)
def test_bad_front_matter_is_told_with_its_line(front: str, told: str) -> None:
    lines = problems(f"---\nmatch: [a=b]\n{front}\n---\n## Steps\n1. x\n")
    assert any(told in line for line in lines), lines


@pytest.mark.parametrize(
    ("match", "told"),
    [
        ("match: []", "down.md:2: match: is too short; accepted: at least 1 item"),
        ("match: a=b", "down.md:2: match: must be a list, such as [a, b]"),
        ("match:\n  - a=b\n  - a==b", "down.md:4: match.1: 'a==b', column 3: this is no operator"),
        ("match: ['a=~\"(\"']", "down.md:2: match.0: 'a=~\"(\"', column 1: '(' is not a regular expression"),
    ],
)
def test_bad_matchers_are_told_with_their_line(match: str, told: str) -> None:
    (line,) = problems(f"---\n{match}\n---\n## Steps\n1. x\n")
    assert line.startswith(told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ['down.md:1: has no front matter; accepted: "---", keys such as match:, "---" at the top']),
        (
            "# Hello",
            ['down.md:1: has no front matter; accepted: "---", keys such as match:, "---" at the top'],
        ),
        ("---\nmatch: [a=b]\n", ['down.md:1: the front matter has no end; accepted: a line "---" after it']),
        ("---\n" + "a: b\n" * 300 + "---\n", ["down.md:1: the front matter is longer than 200 lines"]),
        ("---\nmatch: [a=b]\n---\n# Hi\n1. x\n", [NO_STEPS]),
        ("---\nmatch: [a=b]\n---\n# Hi\n## Stpes\n1. x\n", [NO_STEPS.replace("md:", "md:5:")]),
        ("---\nmatch: [a=b]\n---\n### Steps\n1. x\n", [NO_STEPS.replace("md:", "md:4:")]),
        (
            "---\nmatch: [a=b]\n---\n## Steps\nprose\n",
            ["down.md:4: ## Steps is empty; accepted: numbered items (1.) and task items (- [ ])"],
        ),
        (
            "---\nmatch: [a=b]\n---\n## Steps\n" + "1. x\n" * 51,
            ["down.md:4: ## Steps has 51 steps; accepted: at most 50"],
        ),
        ("---\nmatch: [a=b]\n---\n## Steps\n1.\n2. x\n", ["down.md:5: step 1 does not say what to do"]),
        (
            "---\nmatch: [a=b]\n---\n## Steps\n1. x\n## Steps\n1. y\n",
            ["down.md:6: ## Steps stands in line 4 already"],
        ),
        (b"---\nmatch: [a=b]\n---\n\xff", ["down.md: is not UTF-8 text (byte 21)"]),
        (b"---\nmatch: [a=b]\n---\n\0", ["down.md: has NUL bytes; accepted: Markdown as UTF-8 text"]),
        (b"x" * (MAX_BYTES + 1), ["down.md: is longer than 256 KiB"]),
    ],
)
def test_a_file_that_is_no_runbook_is_told_so(text: str | bytes, told: list[str]) -> None:
    assert problems(text) == told


@pytest.mark.parametrize("name", ["Down", "a b", "-x", "x" * 64, "a.b", "\u00fc"])
def test_a_name_that_no_address_could_carry_is_refused(name: str) -> None:
    (line,) = problems(GOOD, name)
    assert line.startswith(f"{name}.md: the file's name is no name of a runbook; accepted: up to 63 of a-z")


def test_everything_that_is_wrong_is_told_at_once_in_the_order_of_the_file() -> None:
    text = "---\nmatch: []\nowner: 1.5\n---\n## Steps\n1. x\n\n   ```yaml step http\n   method: GET\n   ```\n"
    assert [line.split(": ")[0] for line in problems(text)] == ["down.md:2", "down.md:3", "down.md:8"]


def test_front_matter_without_matchers_would_fit_everything_and_is_refused() -> None:
    assert problems("---\nowner: a\n---\n## Steps\n1. x\n") == [
        "down.md:1: match: is missing; it has no default"
    ]
