"""Where secrets come from, and that none of them is ever printed."""

import json
import string
import traceback
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incidentd.config import Config, ConfigError, LoadedConfig, json_schema, load

KEY = "channels: {pd: {kind: pagerduty, routing_key: %s}}"


def _load(folder: Path, text: str, **env: str) -> LoadedConfig:
    path = folder / "incidentd.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, env)


def _routing_key(config: Config) -> str:
    key: str = config.channels["pd"].routing_key.get_secret_value()  # type: ignore[attr-defined]
    return key


def test_a_secret_comes_from_the_environment_a_file_or_the_text(tmp_path: Path) -> None:
    value = "k" * 32
    (tmp_path / "key").write_text(f"{value}\n", encoding="utf-8")
    assert _routing_key(_load(tmp_path, KEY % '"${PD}"', PD=value).config) == value
    assert _routing_key(_load(tmp_path, KEY % "{file: key}").config) == value
    assert _routing_key(_load(tmp_path, KEY % f"{{file: {tmp_path}/key}}").config) == value
    assert _routing_key(_load(tmp_path, KEY % value).config) == value


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty; write the secret into it"),
        (b"\n", "is empty; write the secret into it"),
        (b"\xff\xfe", "is not UTF-8 text; write the secret into it as text"),
        (b"x" * 70_000, "is larger than 64 KiB; name the file that holds the secret alone"),
    ],
)
def test_a_secret_file_that_holds_no_secret_is_an_error(tmp_path: Path, content: bytes, what: str) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        _load(tmp_path, KEY % "{file: key}")
    assert refused.value.problems[0].what == f"the file {tmp_path}/key {what}"


def test_a_folder_is_no_secret_file(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"cannot be read \(Is a directory\); let the daemon's user read it"
    ):
        _load(tmp_path, KEY % "{file: .}")


def test_a_password_inside_the_database_address_is_encoded_and_never_shown(tmp_path: Path) -> None:
    text = 'database: {url: "postgresql+asyncpg://me:${PW}@db.example:5432/incidentd?ssl=require"}'
    url = _load(tmp_path, text, PW="p@ss/w:rd").config.database.url
    assert url.get_secret_value() == (
        "postgresql+asyncpg://me:p%40ss%2Fw%3Ard@db.example:5432/incidentd?ssl=require"
    )
    assert url.redacted == "postgresql+asyncpg://me:***@db.example:5432/incidentd?..."
    assert not url.is_sqlite


def test_the_whole_database_address_may_be_a_secret(tmp_path: Path) -> None:
    address = "postgresql+asyncpg:///incidentd?host=/run/postgresql"
    (tmp_path / "db").write_text(address, encoding="utf-8")
    for written, env in (('"${DB}"', {"DB": address}), ("{file: db}", {})):
        assert (
            _load(tmp_path, f"database: {{url: {written}}}", **env).config.database.url.get_secret_value()
            == address
        )


CANARIES = st.text(string.ascii_letters + string.digits, min_size=24, max_size=40).map(
    lambda text: f"Zq{text}"
)
PLACES = [
    # Where it belongs, and every way to get it wrong by one slip.
    "channels: {pd: {kind: pagerduty, routing_key: %s}}",
    "channels: {pd: {kind: pagerduty, routing_key: %s, colour: red}}",
    "channels: {pd: {kind: pagerduty, routing_kye: %s}}",
    "channels: {pd: {kind: pagerduty, routing_key: [%s]}}",
    "channels: {pd: {kind: pagerduty, routing_key: {value: %s}}}",
    "channels: {pd: {kind: pagerduty, routing_key: 'x${%s'}}",
    "channels: {pd: {kind: pagerduty, routing_key: x, routing_key: %s}}",
    "channels: {pd: {kind: pagerduty, routing_key: *%s}}",
    "channels: {pd: {kind: pagerduty, routing_key: !%s x}}",
    'channels: {pd: {kind: pagerduty, routing_key: "%s}}',
    "channels: {hook: {kind: webhook, url: 'https://x.example/%s', secret: %s}}",
    "channels: {hook: {kind: webhook, url: 'ftp://x.example/%s', secret: [%s]}}",
    "channels: {mail: {kind: email, smtp: {host: h, password: %s}, from: f@x.example, to: [t@x.example]}}",
    "auth: {tokens: [{name: a, token: %s, scopes: [read]}]}",
    "auth: {tokens: [{name: a, token: %s, scopes: [all]}, {name: a, token: %s, scopes: [read]}]}",
    "auth: {tokens: [{name: a, tokn: %s}]}",
    "auth: {tokens: [%s]}",
    "auth: {tokens: %s}",
    "database: {url: 'postgresql+asyncpg://me:%s@db.example/x'}",
    "database: {url: 'postgresql://me:%s@db.example/x'}",
    "database: {url: 'postgresql+asyncpg://me:%s@db.example:port/x'}",
    "database: {password: %s}",
    "server: {public_url: 'https://me:%s@x.example'}",
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(canary=CANARIES)
@pytest.mark.parametrize("place", PLACES)
def test_no_secret_is_printed_wherever_it_was_put(tmp_path: Path, place: str, canary: str) -> None:
    try:
        found = _load(tmp_path, place.replace("%s", canary))
    except ConfigError as refused:
        shown = [
            str(refused),
            repr(refused),
            repr(refused.problems),
            "".join(traceback.format_exception(refused)),
        ]
    else:
        config = found.config
        shown = [
            repr(found),
            str(config),
            repr(config.model_dump()),
            config.model_dump_json(),
            *found.warnings,
        ]
    assert not [text for text in shown if canary in text]
    assert canary not in json.dumps(json_schema())
