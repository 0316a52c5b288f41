"""What only Grafana says: links, values, administrative resolves, the Test button."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from incidentd.domain.alert import AlertStatus
from incidentd.ingest import alertmanager, grafana
from tests.ingest.bodies import NOW, alert, body, content, recorded

RESOLVED = {"status": "resolved", "endsAt": "2026-11-20T20:10:00Z"}
TEST = {"alertname": "TestAlert", "instance": "Grafana"}


def grafana_body(*alerts: object) -> bytes:
    return body(*alerts, version="1", orgId=1, state="alerting")


def test_links_and_values_become_annotations() -> None:
    (one,) = grafana.parse(content(recorded("grafana")["firing_single.json"]), "main", NOW).alerts
    assert one.annotations["summary"] == "p99 over 2 s on fra-1"
    assert one.annotations["value"].startswith("[ var='A' labels={node=fra-1")
    assert one.annotations["image_url"].endswith("h2Kd9.png")
    assert one.annotations["panel_url"].endswith("viewPanel=7")
    assert {"dashboard_url", "silence_url"} <= one.annotations.keys()


def test_empty_links_are_left_out() -> None:
    (one,) = grafana.parse(content(recorded("grafana")["nodata_values_null.json"]), "main", NOW).alerts
    assert one.annotations.keys() == {"summary", "silence_url"}


def test_an_annotation_the_rule_sets_itself_is_not_overwritten() -> None:
    told = alert(annotations={"value": "mine", "panel_url": "mine"}, valueString="theirs", panelURL="theirs")
    (one,) = grafana.parse(grafana_body(told), "main", NOW).alerts
    assert one.annotations == {"value": "mine", "panel_url": "mine"}


def test_a_long_list_of_values_is_kept_short() -> None:
    (one,) = grafana.parse(grafana_body(alert(valueString="é" * 5000, annotations=None)), "main", NOW).alerts
    assert len(one.annotations["value"].encode()) <= 1024
    assert one.annotations["value"].endswith("… [cut]")


@pytest.mark.parametrize("module", [grafana, alertmanager])
@pytest.mark.parametrize(
    "reason", ["Paused", "RuleDeleted", "Updated", "MissingSeries", "MissingSeries, NoData"]
)
def test_a_resolve_that_repaired_nothing_is_administrative_on_either_route(module: Any, reason: str) -> None:
    told = alert(**RESOLVED, annotations={"grafana_state_reason": reason})
    careful = {**told, "status": "Resolved"}
    for given in (grafana_body(told), body(told), body(careful)):
        (one,) = module.parse(given, "main", NOW).alerts
        assert one.administrative


@pytest.mark.parametrize(
    "told",
    [
        alert(annotations={"grafana_state_reason": "Paused"}),
        alert(**RESOLVED, annotations={"grafana_state_reason": "NoData"}),
        alert(**RESOLVED),
    ],
    ids=["still firing", "another reason", "no reason"],
)
def test_other_alerts_are_not_administrative(told: dict[str, Any]) -> None:
    (one,) = grafana.parse(grafana_body(told), "main", NOW).alerts
    assert not one.administrative


def test_the_test_button_is_told_and_closed() -> None:
    post = grafana.parse(content(recorded("grafana")["test_button.json"]), "main", NOW)
    firing, resolved = post.alerts
    assert post.received == 1
    assert (firing.status, firing.ends_at, firing.administrative) == (AlertStatus.FIRING, None, False)
    assert (resolved.status, resolved.ends_at, resolved.administrative) == (AlertStatus.RESOLVED, NOW, True)
    assert (resolved.fingerprint, resolved.starts_at) == (firing.fingerprint, firing.starts_at)


def test_a_test_from_the_future_still_ends_after_it_starts() -> None:
    told = alert(labels=TEST, startsAt="9998-12-31T23:59:59.999999Z")
    firing, resolved = grafana.parse(grafana_body(told), "main", NOW).alerts
    assert resolved.ends_at == firing.starts_at + timedelta(microseconds=1)


def test_a_test_that_grafana_resolved_itself_is_left_alone() -> None:
    assert len(grafana.parse(grafana_body(alert(**RESOLVED, labels=TEST)), "main", NOW).alerts) == 1


def test_a_rule_of_the_same_name_elsewhere_is_no_test() -> None:
    told = alert(labels={"alertname": "TestAlert", "instance": "web-1"})
    assert len(grafana.parse(grafana_body(told), "main", NOW).alerts) == 1


@pytest.mark.parametrize("bad", [7, alert(annotations=[])])
def test_a_bad_alert_is_set_aside_and_its_neighbour_kept(bad: object) -> None:
    post = grafana.parse(grafana_body(bad, alert()), "main", NOW)
    assert (len(post.alerts), len(post.quarantined)) == (1, 1)


def test_grafana_is_known_by_the_fields_of_an_alert_alone() -> None:
    (one,) = alertmanager.parse(body(alert(silenceURL="http://s")), "main", NOW).alerts
    assert one.annotations["silence_url"] == "http://s"
