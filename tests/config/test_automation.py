"""The section `automation`: off by default, and what it refuses says what is accepted."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from incidentd.config import Config
from incidentd.config.automation import Automation, label_in
from incidentd.domain.automation import Policy


def test_nothing_runs_unless_it_is_switched_on() -> None:
    assert Config().automation.policy == Policy()
    assert not Config().automation.enabled
    command = Automation.model_validate({"commands": {"x": {"argv": ["/bin/true"]}}}).commands["x"]
    assert command.mutating


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"commands": {"x": {"argv": []}}}, "at least 1 item"),
        ({"commands": {"x": {"argv": ["systemctl", "restart"]}}}, "argv.0 is no absolute path"),
        ({"commands": {"x": {"argv": ["{label.x}"], "labels": {"x": ".*"}}}}, "argv.0 is no absolute path"),
        ({"commands": {"x": {"argv": ["/bin/echo", "a-{label.x}"]}}}, "a label inside other text"),
        (
            {"commands": {"x": {"argv": ["/bin/echo", "{label.x}"]}}},
            "has {label.x}, which labels does not allow",
        ),
        ({"commands": {"x": {"argv": ["/bin/echo"], "labels": {"x": "("}}}}, "is no regular expression"),
        ({"commands": {"x": {"argv": ["/bin/echo", "a\0b"]}}}, "has a NUL byte"),
        ({"commands": {"x": {"argv": ["/bin/echo"], "timeout": "11m"}}}, "less than or equal"),
        ({"commands": {"x": {"argv": ["/bin/echo"], "environment": ["LD_PRELOAD"]}}}, "is no variable"),
        ({"commands": {"x": {"argv": ["/bin/echo"], "environment": ["INC_ID"]}}}, "is no variable"),
        ({"commands": {"x": {"argv": ["/bin/echo"], "shell": True}}}, "Extra inputs"),
        ({"commands": {"X y": {"argv": ["/bin/echo"]}}}, "is not a name"),
        ({"http_hosts": ["http://x.example"]}, "is no host"),
        ({"http_hosts": ["*.example.com"]}, "is no host"),
        ({"at_once": 0}, "greater than or equal to 1"),
        ({"prometheus": {"main": {"url": "ftp://x"}}}, "is not an http address"),
    ],
)
def test_what_is_refused_says_what_is_accepted(section: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Automation.model_validate(section)
    assert said in str(refused.value)


def test_a_label_stands_for_a_whole_argument_only() -> None:
    assert [label_in(text) for text in ("{label.x}", "x", "{label.x} ", "{label.}")] == [
        "x",
        None,
        None,
        None,
    ]
