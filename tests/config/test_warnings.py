"""What works, but perhaps not as meant."""

from pathlib import Path

import pytest

from incidentd.config import load

KEY = "0123456789abcdef0123456789abcdef"


def _warnings(folder: Path, text: str, **env: str) -> list[str]:
    """All but those about the ways of critical alerts: most configurations here have one channel."""
    path = folder / "incidentd.yaml"
    path.write_text(text, encoding="utf-8")
    return [line for line in load(path, env).warnings if "critical alerts reach" not in line]


def test_a_secret_written_out_is_warned_about(tmp_path: Path) -> None:
    text = f"channels: {{console: {{kind: pagerduty, routing_key: {KEY}}}}}"
    assert _warnings(tmp_path, text) == [
        'channels.console.routing_key: the secret is written out here; write "${ENV_NAME}" or {file: PATH}'
    ]


def test_a_secret_inside_a_list_is_warned_about_too(tmp_path: Path) -> None:
    secret = "whsec_" + "QUJD" * 12
    text = f"channels: {{hook: {{kind: webhook, url: '${{URL}}', secret: ['${{OLD}}', {secret}]}}}}"
    found = _warnings(tmp_path, text, URL="https://hooks.example", OLD=secret)
    assert [line.partition(":")[0] for line in found] == ["channels.hook.secret.1"]


def test_a_password_in_the_database_address_is_warned_about(tmp_path: Path) -> None:
    text = "database: {url: 'postgresql+asyncpg://me:hunter2@db.example/incidentd'}"
    assert _warnings(tmp_path, text) == [
        'database.url: the password is written out here; write "${ENV_NAME}" in its place'
    ]
    assert _warnings(tmp_path, text.replace("hunter2", "${PW}"), PW="hunter2") == []


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, False), (0o644, True)])
def test_a_secret_file_that_everybody_can_read_is_warned_about(
    tmp_path: Path, mode: int, warned: bool
) -> None:
    key = tmp_path / "key"
    key.write_text(f"{KEY}\n", encoding="utf-8")
    key.chmod(mode)
    found = _warnings(tmp_path, "channels: {pd: {kind: pagerduty, routing_key: {file: key}}}")
    remedy = f"channels.pd.routing_key: every user of this machine can read {key}; chmod o-r {key}"
    assert found == ([remedy] if warned else [])


def test_commands_that_run_as_the_daemons_own_user_are_warned_about(tmp_path: Path) -> None:
    text = "automation: {enabled: true, commands: {look: {argv: [/bin/true]}}"
    [found] = _warnings(tmp_path, f"{text}}}")
    assert found.startswith(
        "automation.user: not set, so commands run as the daemon's own user, who can read its"
    )
    assert _warnings(tmp_path, f"{text}, user: runner}}") == []
    assert _warnings(tmp_path, "automation: {enabled: true}") == []


def test_a_door_to_the_world_without_tokens_is_warned_about(tmp_path: Path) -> None:
    assert _warnings(tmp_path, "server: {host: 0.0.0.0}") == [
        (
            "server.host: 0.0.0.0 is reachable from outside and auth.tokens is empty; "
            "the daemon refuses to start unless a token was made with `incidentd token create`"
        ),
        "server.public_url: not set, so links in messages point to http://0.0.0.0:8650",
    ]


def test_channels_and_alerts_that_no_route_reaches_are_warned_about(tmp_path: Path) -> None:
    text = "channels: {a: {kind: console}, b: {kind: console}}\nroute: {notify: [], routes: [{notify: [a]}]}"
    assert _warnings(tmp_path, text) == [
        "route.notify: empty, so nobody is told of alerts that no route matches",
        "channels.b: no route notifies it",
    ]


def test_reconciling_with_nobody_is_warned_about(tmp_path: Path) -> None:
    text = "sources: {a: {reconcile: {every: 2m}}, b: {alertmanagers: ['http://am:9093'], reconcile: {every: 2m}}}"
    assert _warnings(tmp_path, text) == ["sources.a.reconcile: without alertmanagers there is nobody to ask"]


def test_a_monthly_report_over_a_channel_that_is_no_mail_is_warned_about(tmp_path: Path) -> None:
    text = "figures: {monthly_report: {channel: console}}"
    assert _warnings(tmp_path, text) == [
        "figures.monthly_report.channel: console is of no kind email, so nothing is mailed"
    ]


def test_a_fallback_counts_as_told_and_texts_of_a_webhook_are_pointless(tmp_path: Path) -> None:
    text = """
channels:
  a: {kind: console, fallback: [b]}
  b: {kind: webhook, url: "${URL}", texts: {title: "{severity}"}}
route: {notify: [a]}
"""
    assert _warnings(tmp_path, text, URL="https://hooks.example") == [
        "channels.b.texts: change nothing, for a webhook carries data; delete them"
    ]


MAIL = "{kind: email, from: a@b.example, to: [o@b.example], smtp: {host: localhost, tls: none}}"


def test_a_digest_over_what_is_no_mail_is_warned_about(tmp_path: Path) -> None:
    text = f"channels: {{c: {{kind: console}}, m: {MAIL}}}\nroute: {{notify: [c, m]}}\n"
    text += "digest: {time_zone: Etc/UTC, channels: [c, m]}"
    assert _warnings(tmp_path, text) == [
        "digest.channels: c is no channel of kind email, so it is told at once"
    ]
    assert _warnings(tmp_path, text.replace("channels: [c, m]}", "channels: [m]}")) == []
    assert _warnings(tmp_path, "digest: {time_zone: Etc/UTC}") == [
        "digest: no channel is of kind email, so nothing is told in it"
    ]


def test_a_status_page_that_would_stay_green_without_alerts_is_warned_about(tmp_path: Path) -> None:
    text = "status_page: {components: [{name: API, match: ['service=\"api\"']}]}"
    [found] = _warnings(tmp_path, text)
    assert found.startswith("sources.main.heartbeats: none is written there, so the status page stays green")
    beats = "heartbeats: [{matchers: ['alertname=\"Watchdog\"'], every: 3m}]"
    assert _warnings(tmp_path, f"{text}\nsources: {{main: {{{beats}}}}}") == []
    assert _warnings(tmp_path, text.replace("components", "stale: false, components")) == []
