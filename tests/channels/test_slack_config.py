"""A Slack channel that could not work is refused with what to do about it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from incidentd.channels.slack import SlackConfig

BOT = {"token": "xoxb-1", "channel": "C012345"}
HOOK = {"webhook_url": "https://hooks.slack.com/services/T0/B0/CANARY"}
SOCKET = {"mode": "socket", "app_token": "xapp-1"}


def slack(**settings: object) -> SlackConfig:
    return SlackConfig.model_validate({"kind": "slack", **settings})


@pytest.mark.parametrize(
    ("settings", "interactive"),
    [
        (BOT, False),
        (HOOK, False),
        ({**BOT, "signing_secret": "s", "team": "T012ABCDEF"}, True),
        ({**BOT, **SOCKET}, True),
        ({**HOOK, **SOCKET}, True),
    ],
)
def test_buttons_are_shown_where_their_answers_can_come_in(
    settings: dict[str, object], interactive: bool
) -> None:
    assert slack(**settings).interactive is interactive


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "token and channel together, or webhook_url alone"),
        ({"token": "xoxb-1"}, "token and channel together"),
        ({"channel": "C012345"}, "token and channel together"),
        ({**BOT, **HOOK}, "two ways to post"),
        ({**HOOK, "channel": "C012345"}, "two ways to post"),
        ({"webhook_url": "hooks.slack.com/CANARY"}, "http:// or https:// with a host"),
        ({"webhook_url": "https://[CANARY"}, "is not an http address"),
        ({**BOT, "mode": "socket"}, "mode: socket needs app_token"),
        ({**BOT, "app_token": "xapp-1"}, "app_token is for mode: socket only"),
        ({**BOT, "mode": "socket", "app_token": "xoxb-CANARY"}, "begins with xapp-"),
        ({**BOT, "team": "acme.slack.com"}, "team"),
        ({**BOT, "channel": "two words"}, "channel"),
    ],
)
def test_what_could_not_work_is_refused_with_the_remedy(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said) as refused:
        slack(**settings)
    assert "CANARY" not in str(refused.value)
