"""What a file becomes."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from incidentd.config import Config, LoadedConfig, Scope, Server, load
from incidentd.domain.matcher import parse_matcher
from incidentd.domain.routing import decide
from incidentd.domain.severity import Severity

Loading = Callable[..., LoadedConfig]


@pytest.fixture
def loaded(tmp_path: Path) -> Loading:
    def write_and_load(text: str, **env: str) -> LoadedConfig:
        path = tmp_path / "incidentd.yaml"
        path.write_text(text, encoding="utf-8")
        return load(path, env)

    return write_and_load


def test_an_empty_file_is_a_working_configuration(loaded: Loading) -> None:
    found = loaded("# nothing\n")
    assert found.warnings == ()
    assert found.config == Config()


def test_the_defaults_are_those_of_the_contract() -> None:
    config = Config()
    assert (config.server.host, config.server.port) == ("127.0.0.1", 8650)
    assert config.server.public_url == "http://127.0.0.1:8650"
    assert config.server.max_body == 64 * 1024**2
    assert config.server.queue.max_alerts == 50_000
    assert config.server.shutdown_timeout == timedelta(seconds=10)
    assert config.database.url.get_secret_value() == "sqlite+aiosqlite:///data/incidentd.db"
    assert config.grouping.by == ("alertname", "cluster", "service")
    assert (config.grouping.reopen_window, config.grouping.reopen_hold) == (
        timedelta(minutes=10),
        timedelta(minutes=5),
    )
    assert [channel.kind for channel in config.channels.values()] == ["console"]
    assert config.route.tree.notify == ("console",)
    assert (config.retention.incidents, config.retention.quarantine) == (
        timedelta(days=400),
        timedelta(days=30),
    )


def test_the_file_of_make_run_needs_no_secret_and_gives_no_warning() -> None:
    found = load(Path("config/incidentd.yaml"), {})
    assert found.warnings == ()
    assert found.config.server.loopback
    assert found.config.default_source == "main"


def test_a_source_expects_the_watchdog_unless_it_says_otherwise(loaded: Loading) -> None:
    config = loaded("sources: {eu: {}, us: {heartbeats: []}}").config
    (heartbeat,) = config.sources["eu"].heartbeats
    assert heartbeat.matchers == (parse_matcher('alertname="Watchdog"'),)
    assert heartbeat.every == timedelta(minutes=5)
    assert config.sources["us"].heartbeats == ()
    assert config.default_source == "eu"


def test_the_root_route_tells_the_console_channels_or_else_all(loaded: Loading) -> None:
    hook = "hook: {kind: webhook, url: '${HOOK}'}"
    url = "https://hooks.example/x"
    assert loaded(f"channels: {{{hook}, c: {{kind: console}}}}", HOOK=url).config.route.notify == ("c",)
    assert loaded(f"channels: {{{hook}}}", HOOK=url).config.route.notify == ("hook",)
    assert loaded("route: {notify: []}").config.route.notify == ()


def test_the_route_tree_is_the_domains(loaded: Loading) -> None:
    text = """
channels: {pager: {kind: console}, chat: {kind: console}}
users: {alice: {name: Alice}}
escalation: {primary: {steps: [{after: 0s, notify: ["user:alice"]}]}}
route:
  notify: [chat]
  routes:
    - {matchers: ['severity="critical"'], notify: [pager], escalation: primary, continue: true}
    - {matchers: ['team="db"'], notify: []}
"""
    tree = loaded(text).config.route.tree
    decision = decide(tree, {"severity": "critical"})
    assert (decision.notify, decision.escalation) == (("pager",), "primary")
    assert tree.routes[0].continue_
    assert decide(tree, {"team": "db"}).notify == ()
    assert decide(tree, {}).notify == ("chat",)


def test_the_severity_map_becomes_rules(loaded: Loading) -> None:
    rules = loaded(
        "severity: {label: prio, map: {1: critical, page: critical}, default: info}"
    ).config.severity.rules
    assert rules.severity_of({"prio": "1"}) is Severity.CRITICAL
    assert rules.severity_of({"prio": "PAGE"}) is Severity.CRITICAL
    assert rules.severity_of({}) is Severity.INFO


def test_yaml_is_1_2_so_times_and_switches_stay_text(loaded: Loading) -> None:
    page = loaded("status_page: {name: on}\nslo: [{name: 'no', service: NO, target: 99}]").config
    assert page.status_page.name == "on"
    assert page.slo[0].service == "NO"


def test_an_alias_repeats_what_it_names(loaded: Loading) -> None:
    routes = "route: {routes: [{matchers: &m ['a=\"b\"']}, {matchers: *m}]}"
    first, second = loaded(routes).config.route.routes
    assert first.matchers == second.matchers == (parse_matcher('a="b"'),)


def test_a_token_has_scopes_a_source_and_an_end(loaded: Loading) -> None:
    token_text = "{name: am, token: '${T}', scopes: [ingest], source: main, expires: 2027-01-31T00:00:00Z}"
    (token,) = loaded(f"auth: {{tokens: [{token_text}]}}", T="x" * 20).config.auth.tokens
    assert token.scopes == {Scope.INGEST}
    assert token.source == "main"
    assert token.expires == datetime(2027, 1, 31, tzinfo=UTC)
    assert token.token.get_secret_value() == "x" * 20


@pytest.mark.parametrize(
    ("host", "loopback", "url"),
    [
        ("127.0.0.1", True, "http://127.0.0.1:8650"),
        ("127.1.2.3", True, "http://127.1.2.3:8650"),
        ("localhost", True, "http://localhost:8650"),
        ("::1", True, "http://[::1]:8650"),
        ("0.0.0.0", False, "http://0.0.0.0:8650"),
        ("::", False, "http://[::]:8650"),
        ("incidents.example.com", False, "http://incidents.example.com:8650"),
    ],
)
def test_the_public_url_follows_from_the_host(host: str, loopback: bool, url: str) -> None:
    server = Server(host=host)
    assert (server.loopback, server.public_url) == (loopback, url)
    assert not server.public_url_given


def test_a_port_of_the_command_line_moves_a_derived_url_and_leaves_a_given_one() -> None:
    assert Server(log_level="debug").at(port=9000).public_url == "http://127.0.0.1:9000"
    assert Server(log_level="debug").at(port=9000).log_level == "debug"
    given = Server(public_url="https://incidents.example.com/")
    assert given.at(host="::1").public_url == "https://incidents.example.com"
    with pytest.raises(ValidationError):
        Server().at(port=70000)


def test_a_component_is_operational_unless_its_effect_says_otherwise(loaded: Loading) -> None:
    text = "status_page: {components: [{name: API, match: ['a=\"b\"'], effect: {critical: partial_outage}}]}"
    (component,) = loaded(text).config.status_page.components
    part = component.part({})
    assert part.effect_of([{"a": "b"}], Severity.CRITICAL) == "partial_outage"
    assert part.effect_of([{"a": "b"}], Severity.WARNING) == "operational"


def test_the_tree_is_frozen() -> None:
    with pytest.raises(ValidationError):
        Config().server.port = 1  # type: ignore[misc]
