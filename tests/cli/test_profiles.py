"""Option beats environment beats profile; a token is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from incidentd.cli.client import CtlError
from incidentd.cli.profiles import DEFAULT_URL, Options, resolve

PROFILES = """
[default]
url = "https://default.example.com/"
token = "default-token"
user = "bob"
[prod]
url = "https://prod.example.com"
token_file = "prod.token"
"""


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """A configuration directory with two profiles, as an environment."""
    folder = tmp_path / "incidentd"
    folder.mkdir()
    (folder / "profiles.toml").write_text(PROFILES)
    (folder / "prod.token").write_text("prod-token\n")
    return {"XDG_CONFIG_HOME": str(tmp_path), "USER": "alice"}


def test_without_anything_the_local_daemon_is_meant(tmp_path: Path) -> None:
    settings = resolve(Options(), {"XDG_CONFIG_HOME": str(tmp_path)})
    assert (settings.url, settings.token, settings.user) == (DEFAULT_URL, None, None)


def test_the_default_profile_is_used_when_it_is_there(home: dict[str, str]) -> None:
    settings = resolve(Options(), home)
    assert (settings.url, settings.token, settings.user) == (
        "https://default.example.com",
        "default-token",
        "bob",
    )


def test_a_profile_can_keep_its_token_in_a_file_beside_it(home: dict[str, str]) -> None:
    assert resolve(Options(profile="prod"), home).token == "prod-token"
    assert resolve(Options(), home | {"INCIDENTD_PROFILE": "prod"}).token == "prod-token"


def test_the_environment_beats_the_profile_and_an_option_beats_both(home: dict[str, str]) -> None:
    env = home | {"INCIDENTD_URL": "http://env:1", "INCIDENTD_TOKEN": "env-token", "INCIDENTD_USER": "carol"}
    settings = resolve(Options(), env)
    assert (settings.url, settings.token, settings.user) == ("http://env:1", "env-token", "carol")
    settings = resolve(Options(url="http://option:2", token="option-token"), env)
    assert (settings.url, settings.token) == ("http://option:2", "option-token")


def test_a_profiles_token_is_not_sent_to_another_server(home: dict[str, str]) -> None:
    settings = resolve(Options(url="https://elsewhere.example.com"), home)
    assert settings.token is None
    assert settings.notice is not None
    assert "default-token" not in settings.notice


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("[default]\nurl = 'ftp://x'", "not usable"),
        ("[default]\nurl = 'http://alice:hunter2@x'", "user name or password"),
        ("[default]\ntokn = 'hunter2'", "default.tokn: unknown key"),
        ("[default]\ntoken = 7", "default.token: must be text"),
        ("default = 1", "must be a table"),
        ("[default]\ntoken = 'hunter2'\ntoken_file = 'x'", "both token and token_file"),
        ("[default]\ntoken_file = 'absent'", "cannot read the token_file"),
        ("[default]\ntoken = 'hunter2\\nX-Evil: 1'", "is not usable"),
        ("[default", "cannot read"),
    ],
)
def test_a_bad_profile_is_refused_with_its_place_and_no_secret(
    tmp_path: Path, content: str, complaint: str
) -> None:
    (tmp_path / "incidentd").mkdir()
    (tmp_path / "incidentd" / "profiles.toml").write_text(content)
    with pytest.raises(CtlError, match=complaint) as caught:
        resolve(Options(), {"XDG_CONFIG_HOME": str(tmp_path)})
    assert caught.value.exit_code == 2
    assert "hunter2" not in caught.value.format_message()


def test_an_unknown_profile_names_the_known_ones(home: dict[str, str]) -> None:
    with pytest.raises(CtlError, match="no profile 'staging'") as caught:
        resolve(Options(profile="staging"), home)
    assert "default, prod" in caught.value.format_message()


def test_settings_and_options_hide_the_token_in_their_repr(home: dict[str, str]) -> None:
    assert "default-token" not in repr(resolve(Options(), home))
    assert "secret" not in repr(Options(token="secret"))
