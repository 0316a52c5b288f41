"""The shipped configurations: their own programs accept them, and they agree with each other."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from incidentd.config import load
from incidentd.domain.duration import parse_duration
from tests.deploy.configs import here, of_kubernetes, runnable
from tests.deploy.shipped import AMTOOL, DEPLOY, PROMTOOL, SECRETS, read

CONFIGS = ("incidentd.yaml", "incidentd-postgres.yaml")
MANIFESTS = tuple(sorted((DEPLOY / "kubernetes").glob("*.yaml")))
PEER_TIMEOUT = timedelta(seconds=15)
"""Alertmanager's default of --cluster.peer-timeout."""


@pytest.fixture(scope="module")
def alertmanager() -> Any:
    return read(DEPLOY / "alertmanager.yml")


@pytest.fixture(scope="module")
def prometheus() -> Any:
    return read(DEPLOY / "prometheus.yml")


def every_route(route: dict[str, Any]) -> list[dict[str, Any]]:
    return [route, *(below for child in route.get("routes", []) for below in every_route(child))]


def test_promtool_accepts_the_configuration_of_prometheus_with_all_that_it_names(tmp_path: Path) -> None:
    for path in (*DEPLOY.glob("*-rules.yml"), DEPLOY / "prometheus.yml"):
        copy = tmp_path / path.name
        copy.write_text(here(path.read_text(encoding="utf-8"), tmp_path), encoding="utf-8")
    targets = tmp_path / "targets"
    targets.mkdir()
    (targets / "services.yml").write_text(
        uncommented((DEPLOY / "targets/services.yml").read_text(encoding="utf-8")), encoding="utf-8"
    )
    said = PROMTOOL.judge("check", "config", tmp_path / "prometheus.yml")
    assert said.count("rules found") == 2
    PROMTOOL.judge("check", "config", "--syntax-only", DEPLOY / "prometheus.yml")


def uncommented(text: str) -> str:
    """The examples of a file of targets, in place of the empty list."""
    return "\n".join(line.removeprefix("# ") for line in text.splitlines() if line.startswith("# - "))


def test_amtool_accepts_the_configuration_of_alertmanager() -> None:
    assert "SUCCESS" in AMTOOL.judge("check-config", DEPLOY / "alertmanager.yml")


def test_alertmanager_tells_incidentd_everything_and_follows_no_redirect(alertmanager: Any) -> None:
    [receiver] = [each for each in alertmanager["receivers"] if each["name"] == "incidentd"]
    [hook] = receiver["webhook_configs"]
    assert hook["send_resolved"] is True
    assert hook["max_alerts"] == 0
    assert hook["url"].endswith(":8650/webhooks/alertmanager")
    assert hook["http_config"]["follow_redirects"] is False
    assert hook["http_config"]["authorization"]["credentials_file"].startswith(SECRETS)
    assert alertmanager["route"]["receiver"] == "incidentd"


def test_trouble_with_incidentd_is_told_by_somebody_else(alertmanager: Any) -> None:
    [route] = [
        each for each in alertmanager["route"]["routes"] if each["matchers"] == ['service="incidentd"']
    ]
    [receiver] = [each for each in alertmanager["receivers"] if each["name"] == route["receiver"]]
    assert "webhook_configs" not in receiver
    assert not route.get("continue", False)


def test_an_inhibition_is_about_the_same_instance_of_the_same_service(alertmanager: Any) -> None:
    for rule in alertmanager["inhibit_rules"]:
        assert {"cluster", "service", "instance"} <= set(rule["equal"]), rule


@pytest.mark.parametrize("config", [*CONFIGS, *MANIFESTS], ids=lambda each: Path(each).name)
def test_incidentd_accepts_its_configuration_and_knows_the_pace_of_alertmanager(
    tmp_path: Path, config: str | Path, alertmanager: Any
) -> None:
    path = runnable(config, tmp_path) if isinstance(config, str) else of_kubernetes(config, tmp_path)
    loaded = load(path).config
    paces = [
        parse_duration(route["group_interval"])
        for route in every_route(alertmanager["route"])
        if "group_interval" in route
    ]
    slowest = max(paces)
    # A stale firing of a pair's second member is taken back one group_interval after it.
    assert loaded.grouping.reopen_hold >= slowest + PEER_TIMEOUT
    source = loaded.sources["main"]
    assert source.reconcile.group_interval >= slowest
    assert source.alertmanagers
    assert slowest > 2 * PEER_TIMEOUT
    assert alertmanager["route"]["group_by"] == list(loaded.grouping.by)


def test_the_runbooks_of_the_image_are_read_and_no_mount_hides_them() -> None:
    recipe = (DEPLOY.parent / "Dockerfile").read_text(encoding="utf-8")
    [folder] = re.findall(r"^COPY runbooks/ (\S+)/$", recipe, flags=re.MULTILINE)
    assert not folder.startswith("/etc/incidentd")
    shipped = [*(DEPLOY / "incidentd" / name for name in CONFIGS), *MANIFESTS]
    for path in (*shipped, DEPLOY.parent / "config" / "docker.yaml"):
        assert f"runbooks: {{path: {folder}}}" in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize("config", CONFIGS)
def test_the_heartbeat_is_sent_more_often_than_it_is_expected(
    tmp_path: Path, config: str, alertmanager: Any
) -> None:
    [route] = [
        each for each in alertmanager["route"]["routes"] if each["matchers"] == ['alertname="Watchdog"']
    ]
    [beat] = load(runnable(config, tmp_path)).config.sources["main"].heartbeats
    rhythm = parse_duration(route["group_interval"]) + parse_duration(route["repeat_interval"])
    # A repeat is sent at the first flush after repeat_interval.
    assert beat.every > rhythm
    assert [str(matcher) for matcher in beat.matchers] == route["matchers"]


def test_both_configurations_differ_in_their_database_alone(tmp_path: Path) -> None:
    one, other = (load(runnable(name, tmp_path)).config for name in CONFIGS)
    assert one.database.url.is_sqlite
    assert not other.database.url.is_sqlite
    assert one.model_dump(exclude={"database"}) == other.model_dump(exclude={"database"})


def test_prometheus_drops_the_label_that_tells_replicas_apart(prometheus: Any) -> None:
    labels = prometheus["global"]["external_labels"]
    dropped = [
        each for each in prometheus["alerting"]["alert_relabel_configs"] if each["action"] == "labeldrop"
    ]
    left = [name for name in labels if not any(re.fullmatch(each["regex"], name) for each in dropped)]
    assert left == ["cluster"]


def test_every_target_has_a_service_and_incidentds_job_has_the_name_that_rules_ask_for(
    prometheus: Any,
) -> None:
    fixed = [job for job in prometheus["scrape_configs"] if "static_configs" in job]
    assert all(each["labels"]["service"] for job in fixed for each in job["static_configs"])
    [own] = [job for job in fixed if job["job_name"] == "incidentd"]
    assert own["authorization"]["credentials_file"] == f"{SECRETS}/incidentd_prometheus"
