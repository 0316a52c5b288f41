"""Who may act from chat: unclear users are errors, and what has no effect is warned about."""

from __future__ import annotations

from pathlib import Path

import pytest

from incidentd.config import ConfigError, load

SLACK = "channels: {ops: {kind: slack, token: xoxb-a, channel: C1%s}}\n"
SIGNED = SLACK % ", signing_secret: 8f742231b10e"


def load_text(tmp_path: Path, text: str) -> list[str]:
    """The warnings, but for those about secrets in the file."""
    file = tmp_path / "incidentd.yaml"
    file.write_text(text, encoding="utf-8")
    return [line for line in load(file).warnings if line.startswith("users") or "under users" in line]


def test_users_with_a_slack_id_count_as_soon_as_buttons_reach_us(tmp_path: Path) -> None:
    users = "users: {alice: {name: Alice, slack: U1}}\n"
    assert load_text(tmp_path, SIGNED + users) == []


def test_buttons_that_nobody_may_press_are_warned_about(tmp_path: Path) -> None:
    expected = "channels.ops: nobody under users has a slack ID, so every button and command is refused"
    assert load_text(tmp_path, SIGNED) == [expected]
    socket = SLACK % ", mode: socket, app_token: xapp-1"
    assert load_text(tmp_path, socket)[0] == expected


@pytest.mark.parametrize(
    ("users", "problem"),
    [
        (
            "{a: {name: A, slack: U1}, b: {name: B, slack: U1}}",
            "users.b.slack: is the same as users.a.slack; accepted: a member ID of their own for each",
        ),
        (
            "{source: {name: A}}",
            "users.source: is reserved for the daemon itself; accepted: any but incidentd, reconcile, source",
        ),
    ],
)
def test_of_every_user_it_can_be_told_who_acted(tmp_path: Path, users: str, problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_text(tmp_path, f"{SIGNED}users: {users}\n")
    assert problem in str(refused.value)
