"""Automated steps in the format: what each kind takes, and what is said about a bad one, with its line."""

from __future__ import annotations

from datetime import timedelta

import pytest

from incidentd.domain.runbook import Action, Run, Step
from incidentd.domain.severity import Severity
from incidentd.runbooks.problem import RunbookError
from incidentd.runbooks.read import read_runbook


def read(text: str) -> tuple[Step, ...]:
    return read_runbook(text.encode(), "down.md", "down").steps


def problems(text: str) -> list[str]:
    with pytest.raises(RunbookError) as refused:
        read_runbook(text.encode(), "down.md", "down")
    return str(refused.value).splitlines()


def step(attributes: str, kind: str = "promql") -> str:
    """A runbook whose only step has this block, which begins in line 9."""
    lines = "".join(f"   {line}\n" for line in attributes.splitlines())
    return f"---\nmatch: [a=b]\n---\n## Steps\n1. Do it\n\n\n   ```yaml step {kind}\n{lines}   ```\n"


def action(attributes: str, kind: str = "promql") -> Action:
    (only,) = read(step(attributes, kind))
    assert only.action is not None
    return only.action


@pytest.mark.parametrize(
    ("kind", "attributes", "kept"),
    [
        (
            "http",
            "url: https://x.example/health\nexpect: 204",
            {"url": "https://x.example/health", "method": "GET", "body": None, "expect": [204]},
        ),
        (
            "http",
            "url: http://x/y\nmethod: POST\nbody: '{}'\nrun: approve\nexpect: [200, 201]",
            {"method": "POST", "body": "{}", "expect": [200, 201]},
        ),
        ("command", "command: restart-api\nrun: approve\nstop_on_resolve: true", {"command": "restart-api"}),
        ("silence", "duration: 2h\nmatchers: ['a=\"b\"']", {"duration": "2h", "matchers": ['a="b"']}),
        (
            "notify",
            "channels: [mail]\nmessage: '{incident.title} goes on'\nrun: auto",
            {"channels": ["mail"], "message": "{incident.title} goes on"},
        ),
        (
            "status-draft",
            "message: We look into it.\nstate: identified\ncomponents: [API]",
            {"message": "We look into it.", "state": "identified", "components": ["API"]},
        ),
        ("promql", "query: up\nretries: 2\nwhen: critical", {"query": "up"}),
    ],
)
def test_each_kind_of_step_has_its_attributes(kind: str, attributes: str, kept: dict[str, object]) -> None:
    found = action(attributes, kind)
    assert found.kind == kind
    assert {name: found.attributes[name] for name in kept} == kept


def test_what_every_step_takes_has_defaults() -> None:
    found = action("query: up")
    assert (found.run, found.timeout, found.when) == (Run.MANUAL, timedelta(minutes=1), ())
    assert (found.retries, found.stop_on_resolve) == (0, False)
    assert action("query: up\nwhen: critical").when == (Severity.CRITICAL,)


@pytest.mark.parametrize(
    ("kind", "attributes", "told"),
    [
        (
            "promqll",
            "query: up",
            "down.md:8: promqll is no kind of step; accepted: http, promql, command, silence",
        ),
        (
            "",
            "query: up",
            "down.md:8: write ```yaml step KIND, such as ```yaml step promql, and nothing more",
        ),
        ("promql now", "query: up", "down.md:8: write ```yaml step KIND, such as ```yaml step promql"),
        ("promql", "quary: up", "down.md:9: step 1.quary: unknown key; accepted: run, timeout, when"),
        ("promql", "run: auto", "down.md:8: step 1.query: is missing; it has no default"),
        ("promql", "query: ' '", "down.md:9: step 1.query: is empty; accepted: an expression of PromQL"),
        (
            "promql",
            "query: rate(x[$d])",
            "down.md:9: step 1.query: has $d outside of a label matcher; accepted",
        ),
        ("promql", "query: up\ntimeout: 20m", "down.md:10: step 1.timeout: must be at most 600 seconds"),
        ("promql", "query: up\ntimeout: 0s", "down.md:10: step 1.timeout: is not above zero"),
        (
            "promql",
            "query: up\nrun: later",
            "down.md:10: step 1.run: is not known; accepted: auto, approve, manual",
        ),
        ("promql", "query: up\nwhen: never", "down.md:10: step 1.when: is not known; accepted: critical"),
        ("promql", "query: up\nretries: 9", "down.md:10: step 1.retries: must be at most 5"),
        ("promql", "query: [", "down.md:10: step 1: is not YAML: "),
        ("promql", "- a", "down.md:8: step 1: is no mapping; accepted: keys such as run:"),
        (
            "http",
            "url: ftp://x",
            "down.md:9: step 1.url: is not an http address; accepted: http:// or https://",
        ),
        ("http", "url: http://a:b@c/", "down.md:9: step 1.url: has a user or password in it"),
        (
            "http",
            "url: http://x\nmethod: PUT",
            "down.md:10: step 1.method: is not known; accepted: GET, POST",
        ),
        (
            "http",
            "url: http://x\nmethod: POST\nrun: auto",
            "step 1: run: auto is for looking, and a POST may change something; accepted: approve, manual",
        ),
        (
            "http",
            "url: http://x\nmethod: POST\nretries: 1",
            "step 1: retries are for looking, and a POST may change something; accepted: 0",
        ),
        ("http", "url: http://x\nbody: y", "step 1: a body is sent with method: POST only"),
        (
            "command",
            "command: 'rm -rf /'",
            "down.md:9: step 1.command: is not a name; accepted: up to 63 of a-z",
        ),
        ("command", "command: x\nargv: [y]", "down.md:10: step 1.argv: unknown key; accepted: run, timeout"),
        ("silence", "duration: 3d", "down.md:9: step 1.duration: must be at most 1 days"),
        ("silence", "duration: 1h\nrun: auto", "run: auto is for looking, and a silence hides alerts"),
        ("notify", "channels: []\nmessage: x", "step 1.channels: is too short; accepted: at least 1 item"),
        ("notify", "channels: [a]\nmessage: '{secret}'", "down.md:10: step 1.message: "),
        ("status-draft", "message: x\nstate: fine", "step 1.state: is not known; accepted: investigating"),
    ],
)
def test_a_bad_step_is_told_with_its_line(kind: str, attributes: str, told: str) -> None:
    lines = problems(step(attributes, kind))
    assert any(told in line for line in lines), lines


HEAD = "---\nmatch: [a=b]\n---\n"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            "## Steps\n1. x\n\n```yaml step promql\nquery: up\n```\n",
            "down.md:7: a step block stands outside of a step; indent it below its item in ## Steps",
        ),
        (
            "```yaml step promql\nquery: up\n```\n## Steps\n1. x\n",
            "down.md:4: a step block stands outside of a step; indent it below its item in ## Steps",
        ),
        (
            "## Steps\n1. x\n\n   ```step promql\n   query: up\n   ```\n",
            "down.md:7: write ```yaml step promql: GitHub then shows it as YAML",
        ),
        (
            "## Steps\n1. x\n- y\n\n  ```yaml step promql\n  query: up\n  ```\n",
            "down.md:6: is no step; accepted: numbered items (1.) and task items (- [ ])",
        ),
        (
            "## Steps\n1. x\n" + 2 * "\n   ```yaml step promql\n   query: up\n   ```\n",
            "down.md:11: step 1 has two step blocks; make two steps of it",
        ),
        (
            "## Steps\n1. x\n\n   ```yaml step promql\n   query: up\nrun: auto\n   ```\n2. y\n",
            "down.md:7: this block has no end, or a line of it stands left of the item it belongs to",
        ),
        ("## Steps\n1. x\n```\nopen\n", "down.md:6: this block has no end"),
    ],
)
def test_a_block_in_the_wrong_place_is_told_with_its_line(body: str, told: str) -> None:
    assert any(line.startswith(told) for line in problems(HEAD + body)), problems(HEAD + body)
