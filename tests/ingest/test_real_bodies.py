"""Every recorded body: what Alertmanager and Grafana say arrives unchanged."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from incidentd.domain.alert import Alert, fingerprint_of
from incidentd.ingest import alertmanager, grafana
from incidentd.ingest.one_alert import quick
from tests.ingest.bodies import NOW, content, recorded

ALERTMANAGER = recorded("alertmanager")
GRAFANA = recorded("grafana")
# Alerts with text that is stored shortened or without NUL; their own tests look at them.
ALTERED = {"long_label_20k.json", "long_annotations_160k.json", "text_nul.json"}


def expected_time(text: str) -> datetime | None:
    time = datetime.fromisoformat(text)
    return None if time.year == 1 else time.astimezone(UTC)


def agrees(alert: Alert, raw: dict[str, Any]) -> bool:
    firing = raw["status"] == "firing"
    return (
        (alert.status, alert.fingerprint, alert.source) == (raw["status"], raw["fingerprint"], "main")
        and dict(alert.labels) == raw["labels"]
        and raw["annotations"].items() <= alert.annotations.items()
        and (alert.starts_at, alert.starts_at.tzinfo) == (expected_time(raw["startsAt"]), UTC)
        and alert.ends_at == (None if firing else expected_time(raw["endsAt"]))
        and (alert.generator_url, alert.cut) == (raw["generatorURL"], ())
    )


@pytest.mark.parametrize("path", ALERTMANAGER.values(), ids=ALERTMANAGER.keys())
def test_a_recorded_alertmanager_body_is_read_whole(path: Path) -> None:
    data = content(path)
    raw = json.loads(data)
    post = alertmanager.parse(data, "main", NOW)
    assert (post.received, len(post.alerts)) == (len(raw["alerts"]), len(raw["alerts"]))
    assert (post.quarantined, post.warnings, post.notification_reason) == ((), (), "")
    assert (post.receiver, post.external_url) == (raw["receiver"], raw["externalURL"])
    assert post.truncated == raw["truncatedAlerts"]
    for alert, told in zip(post.alerts, raw["alerts"], strict=True):
        assert path.name in ALTERED or (
            agrees(alert, told) and dict(alert.annotations) == told["annotations"]
        )
        assert not alert.administrative
    if path.name != "long_label_20k.json":
        assert post.group_key == raw["groupKey"]


@pytest.mark.parametrize("path", ALERTMANAGER.values(), ids=ALERTMANAGER.keys())
def test_a_missing_fingerprint_is_the_one_alertmanager_would_have_sent(path: Path) -> None:
    raw = json.loads(content(path))
    raw["alerts"] = raw["alerts"][:100]
    sent = [alert.pop("fingerprint") for alert in raw["alerts"]]
    post = alertmanager.parse(json.dumps(raw).encode(), "main", NOW)
    assert [alert.fingerprint for alert in post.alerts] == sent
    assert path.name in ALTERED or [fingerprint_of(alert.labels) for alert in post.alerts] == sent


@pytest.mark.parametrize("path", GRAFANA.values(), ids=GRAFANA.keys())
@pytest.mark.parametrize("module", [grafana, alertmanager])
def test_a_grafana_body_is_read_whole_on_either_route(path: Path, module: Any) -> None:
    raw = json.loads(content(path))
    post = module.parse(content(path), "main", NOW)
    assert post.received == len(raw["alerts"])
    assert (post.quarantined, post.warnings, post.group_key) == ((), (), raw["groupKey"])
    told = [alert for alert in post.alerts if not alert.administrative]
    assert all(agrees(alert, given) for alert, given in zip(told, raw["alerts"], strict=True))


@pytest.mark.parametrize("name", ["single_firing.json", "text_torture.json", "group_1000_resolved.json"])
def test_alertmanagers_body_is_read_the_same_on_grafanas_route(name: str) -> None:
    data = content(ALERTMANAGER[name])
    assert grafana.parse(data, "main", NOW) == alertmanager.parse(data, "main", NOW)


def test_nul_is_stripped_and_the_fingerprint_kept() -> None:
    (alert,) = alertmanager.parse(content(ALERTMANAGER["text_nul.json"]), "main", NOW).alerts
    assert (alert.labels, alert.fingerprint) == ({"alertname": "nulx"}, "27252e063e321caf")


def test_a_label_of_20_kilobytes_is_cut_with_a_mark_and_named() -> None:
    (alert,) = alertmanager.parse(content(ALERTMANAGER["long_label_20k.json"]), "main", NOW).alerts
    (name,) = [name for name, value in alert.labels.items() if value.endswith("… [cut]")]
    assert len(alert.labels[name].encode()) <= 4096
    assert f"label {name}" in alert.cut


def test_annotations_of_160_kilobytes_are_cut_with_a_mark_and_named() -> None:
    (alert,) = alertmanager.parse(content(ALERTMANAGER["long_annotations_160k.json"]), "main", NOW).alerts
    cut = {name for name, value in alert.annotations.items() if value.endswith("… [cut]")}
    assert cut
    assert set(alert.cut) == {f"annotation {name}" for name in cut}
    assert all(len(value.encode()) <= 16 * 1024 for value in alert.annotations.values())


@pytest.mark.parametrize("name", sorted(ALERTMANAGER.keys() - ALTERED))
def test_every_usual_alert_takes_the_quick_path(name: str) -> None:
    assert all(quick(raw, "main") is not None for raw in json.loads(content(ALERTMANAGER[name]))["alerts"])
