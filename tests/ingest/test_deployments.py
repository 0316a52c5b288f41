"""Deployment events of GitHub and GitLab, in the shapes that their documentation shows, become our own body."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.ingest.deployments import told

GITHUB: dict[str, Any] = {
    "action": "created",
    "deployment_status": {
        "id": 986,
        "state": "success",
        "environment": "production",
        "created_at": "2026-11-20T20:33:00Z",
        "updated_at": "2026-11-20T20:33:00Z",
        "description": "",
        "target_url": "",
        "creator": {"login": "Codertocat"},
    },
    "deployment": {
        "id": 145988746,
        "sha": "f95f852bd8fca8fcc58a9a2d6c842781e32a215e",
        "ref": "main",
        "task": "deploy",
        "payload": {},
        "environment": "production",
        "created_at": "2026-11-20T20:30:00Z",
    },
    "repository": {"id": 186853002, "name": "shop", "full_name": "Codertocat/shop"},
    "sender": {"login": "Codertocat"},
}
GITLAB: dict[str, Any] = {
    "object_kind": "deployment",
    "status": "success",
    "status_changed_at": "2026-11-20 21:33:00 +0100",
    "deployment_id": 15,
    "deployable_id": 796,
    "environment": "staging",
    "environment_tier": "staging",
    "project": {"id": 30, "name": "Shop", "path_with_namespace": "root/shop"},
    "short_sha": "279484c0",
    "ref": "main",
    "commit_url": "http://gitlab.example.com/root/shop/-/commit/279484c09fbe69ededfced8c1bb6e6d24616b468",
    "commit_title": "Add new file",
}


def read(event: object, service: str | None = None) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(told(json.dumps(event).encode(), service).body)
    return body


def with_state(event: dict[str, Any], state: str) -> dict[str, Any]:
    return {**event, "deployment_status": {**event["deployment_status"], "state": state}}


def test_a_deployment_status_of_github_is_a_deployment_of_the_repository() -> None:
    assert read(GITHUB) == {
        "id": "github-Codertocat/shop-145988746",
        "service": "shop",
        "environment": "production",
        "version": "f95f852bd8fca8fcc58a9a2d6c842781e32a215e",
        "commit_time": None,
        "started_at": "2026-11-20T20:30:00Z",
        "finished_at": "2026-11-20T20:33:00Z",
        "status": "success",
    }


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("in_progress", None),
        ("queued", None),
        ("pending", None),
        ("failure", "failure"),
        ("error", "failure"),
    ],
)
def test_the_states_of_github_say_whether_it_runs_or_how_it_ended(state: str, status: str | None) -> None:
    found = read(with_state(GITHUB, state))
    assert (found["status"], found["finished_at"] is None) == (status, status is None)


def test_the_event_that_a_github_deployment_begins_is_the_deployment_that_its_status_ends() -> None:
    begun = read({key: value for key, value in GITHUB.items() if key != "deployment_status"})
    assert (begun["status"], begun["finished_at"]) == (None, None)
    ended = read(GITHUB)
    kept = ("id", "service", "environment", "version", "started_at")
    assert {key: begun[key] for key in kept} == {key: ended[key] for key in kept}


def test_an_inactive_deployment_and_a_ping_are_of_no_interest() -> None:
    assert told(json.dumps(with_state(GITHUB, "inactive")).encode()).ignored == "state inactive"
    assert told(b'{"zen": "Keep it logically awesome.", "hook_id": 1}').ignored == "GitHub's ping"
    assert told(json.dumps({**GITLAB, "status": "approved"}).encode()).ignored == "status approved"


def test_the_payload_of_a_github_deployment_names_service_version_and_commit_time() -> None:
    payload = {"service": "checkout", "version": "1.2", "commit_time": "2026-11-20T19:00:00Z"}
    found = read({**GITHUB, "deployment": {**GITHUB["deployment"], "payload": payload}})
    assert {key: found[key] for key in payload} == payload
    assert read(GITHUB, "till")["service"] == "till"


def test_a_deployment_of_gitlab_is_one_of_the_project_with_its_time_in_utc() -> None:
    assert read(GITLAB) == {
        "id": "gitlab-root/shop-15",
        "service": "shop",
        "environment": "staging",
        "version": "279484c09fbe69ededfced8c1bb6e6d24616b468",
        "started_at": "2026-11-20T20:33:00+00:00",
        "finished_at": "2026-11-20T20:33:00+00:00",
        "status": "success",
    }
    assert not told(json.dumps(GITLAB).encode()).start_known
    assert read({**GITLAB, "ref": "v1.4.0"})["version"] == "v1.4.0"


@pytest.mark.parametrize(("state", "status"), [("running", None), ("blocked", None), ("failed", "failure")])
def test_the_states_of_gitlab_say_whether_it_runs_or_how_it_ended(state: str, status: str | None) -> None:
    found = read({**GITLAB, "status": state})
    assert (found["status"], found["finished_at"] is None) == (status, status is None)


def test_a_deployment_that_gitlab_cancelled_is_no_failure() -> None:
    assert told(json.dumps({**GITLAB, "status": "canceled"}).encode()).ignored == "status canceled"


def test_a_time_that_is_none_stays_for_the_checks_to_refuse() -> None:
    for odd in ("2026-13-40 21:33:00 +0100", "soon", None):
        assert read({**GITLAB, "status_changed_at": odd})["started_at"] == odd


@given(st.binary(max_size=60) | st.recursive(st.text(max_size=5), st.lists).map(json.dumps).map(str.encode))
def test_what_neither_vendor_wrote_is_left_as_it_came(data: bytes) -> None:
    assert told(data).body == data


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from([GITHUB, GITLAB]), st.data())
def test_no_odd_value_in_an_event_is_an_error_here(event: dict[str, Any], data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(event)))
    told(json.dumps({**event, key: data.draw(json_values)}).encode())
