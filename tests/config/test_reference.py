"""The JSON Schema, the reference and the examples say what the code does."""

import re
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from incidentd.channels.base import discover
from incidentd.config import Config, json_schema, load
from incidentd.config.reference import BEGIN, key_tables, renewed
from incidentd.config.schema import kinds, known_keys

DOC = Path("docs/configuration.md")
FULL = Path("config/example-full.yaml")
EXAMPLES = [Path("config/incidentd.yaml"), FULL]


def _environment(path: Path) -> dict[str, str]:
    names = re.findall(r"\$\{(\w+)\}", path.read_text(encoding="utf-8"))
    env = {name: f"{name.lower()}-0123456789abcdef-0123456789" for name in names}
    return env | {
        "TICKETS_URL": "https://tickets.example/hook",
        "TICKETS_SIGNING_SECRET": "whsec_" + "QUJD" * 12,
        "NTFY_URL": "ntfys://ops-alerts",
        "HEARTBEAT_URL": "https://hc.example/ping/0123",
        "SENTRY_DSN": "https://key@sentry.example/42",
    }


def test_the_reference_is_current() -> None:
    text = DOC.read_text(encoding="utf-8")
    assert text == renewed(text), "run: python -m incidentd.config.reference docs/configuration.md"


def test_the_reference_has_every_section_and_every_kind_of_channel() -> None:
    tables = key_tables()
    assert all(f"### `{section}`" in tables for section in Config.model_fields)
    assert all(f"#### `kind: {kind}`" in tables for kind in discover())
    assert {kind for kind, _ in kinds()} == set(discover())


def test_every_key_has_a_meaning() -> None:
    rows = [line for line in key_tables().splitlines() if line.startswith("| `")]
    assert [row for row in rows if row.endswith("|  |")] == []


def test_a_document_without_marks_is_not_touched() -> None:
    with pytest.raises(ValueError, match="are missing"):
        renewed(f"# Configuration\n{BEGIN}\n")


@pytest.mark.parametrize("path", EXAMPLES, ids=str)
def test_an_example_is_accepted_by_the_loader_and_by_the_schema(path: Path) -> None:
    load(path, _environment(path))
    raw = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(json_schema())
    jsonschema.validate(raw, json_schema())


def test_the_full_example_warns_of_nothing_but_what_is_not_acted_upon() -> None:
    found = load(FULL, _environment(FULL)).warnings
    assert all(line.endswith("not acted upon by this version") for line in found)


def test_the_full_example_has_every_section_and_every_kind() -> None:
    raw = YAML(typ="safe", pure=True).load(FULL.read_text(encoding="utf-8"))
    assert set(raw) == set(Config.model_fields)
    assert {channel["kind"] for channel in raw["channels"].values()} == set(discover())


@pytest.mark.parametrize("channel", discover().values(), ids=lambda channel: channel.kind)
def test_the_example_of_a_channel_is_accepted_by_the_schema(channel: object) -> None:
    example = getattr(channel, "example")  # noqa: B009 - parametrised as object, for pytest shows its id
    jsonschema.validate({"channels": {"a": dict(example)}}, json_schema())


def test_the_schema_refuses_unknown_keys_and_bad_names() -> None:
    for bad in ("chanels: {}", "channels: {Bad Name: {kind: console}}", "server: {prot: 1}"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(YAML(typ="safe", pure=True).load(bad), json_schema())


def test_the_keys_of_a_place_are_known() -> None:
    raw = {"channels": {"a": {"kind": "console"}, "b": {"kind": "nonsense"}}}
    assert known_keys(("channels", "a"), raw) == ("kind", "fallback", "texts", "rate")
    assert known_keys(("channels", "b"), raw) == ()
    assert "matchers" in known_keys(("route", "routes", 0, "routes", 7), {})
    assert known_keys(("server", "port", "deeper"), {}) == ()
    assert known_keys(("severity", "map"), {}) == ()
