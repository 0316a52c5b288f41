"""The Kubernetes manifests: their parts fit together, and the pod is restricted as the strictest standard asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from incidentd.web.routes import OPS
from tests.deploy.configs import secret_names
from tests.deploy.shipped import DEPLOY, SECRETS, documents

FOLDER = DEPLOY / "kubernetes"
OPEN = {op.path for op in OPS if op.access == "public"}


@pytest.fixture(params=["sqlite.yaml", "postgres.yaml"])
def parts(request: pytest.FixtureRequest) -> dict[str, Any]:
    found = documents(FOLDER / request.param)
    kinds = {each["kind"]: each for each in found}
    assert len(kinds) == len(found)
    return kinds


def workload(parts: dict[str, Any]) -> Any:
    [found] = [parts[kind] for kind in ("StatefulSet", "Deployment") if kind in parts]
    return found


def pod(parts: dict[str, Any]) -> Any:
    return workload(parts)["spec"]["template"]["spec"]


def test_one_pod_on_sqlite_and_replicas_on_postgresql() -> None:
    sqlite = {each["kind"]: each["spec"] for each in documents(FOLDER / "sqlite.yaml") if "spec" in each}
    assert sqlite["StatefulSet"]["replicas"] == 1
    [claim] = sqlite["StatefulSet"]["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    postgres = {each["kind"]: each["spec"] for each in documents(FOLDER / "postgres.yaml") if "spec" in each}
    assert postgres["Deployment"]["replicas"] > 1
    assert postgres["Deployment"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert postgres["PodDisruptionBudget"]["minAvailable"] >= 1


def test_every_selector_finds_the_pod(parts: dict[str, Any]) -> None:
    labels = workload(parts)["spec"]["template"]["metadata"]["labels"]
    assert workload(parts)["spec"]["selector"]["matchLabels"] == labels
    assert parts["Service"]["spec"]["selector"] == labels
    assert parts["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == labels


def test_the_pod_is_restricted(parts: dict[str, Any]) -> None:
    """What the Pod Security Standard `restricted` asks for, a read-only root and no token of the cluster besides."""
    spec = pod(parts)
    [container] = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert {spec["securityContext"][name] for name in ("runAsUser", "runAsGroup", "fsGroup")} == {10001}
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(container["resources"]["limits"]) == {"memory"}


def test_every_probe_asks_an_open_route_of_the_port_that_is_served(parts: dict[str, Any]) -> None:
    [container] = pod(parts)["containers"]
    [port] = container["ports"]
    asked = {name: container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {each["port"] for each in asked.values()} == {port["name"]}
    assert {each["path"] for each in asked.values()} <= OPEN
    assert asked["readinessProbe"]["path"] == "/health/ready"
    # A restart mends no database.
    assert asked["livenessProbe"]["path"] == "/health/live"


def test_every_mount_has_its_volume_and_only_data_and_tmp_are_written(parts: dict[str, Any]) -> None:
    spec = pod(parts)
    [container] = spec["containers"]
    claims = [each["metadata"]["name"] for each in workload(parts)["spec"].get("volumeClaimTemplates", [])]
    volumes = {each["name"]: each for each in spec["volumes"]}
    names = [each["name"] for each in container["volumeMounts"]]
    assert sorted(names) == sorted([*volumes, *claims])
    written = {each["mountPath"] for each in container["volumeMounts"] if not each.get("readOnly", False)}
    assert written <= {"/data", "/tmp"}  # noqa: S108 - a path in a container
    assert volumes["secrets"]["secret"]["defaultMode"] == 0o440


def test_every_secret_of_the_configuration_is_one_that_the_script_writes(parts: dict[str, Any]) -> None:
    script = (DEPLOY / "make-secrets.sh").read_text(encoding="utf-8")
    named = secret_names(parts["ConfigMap"]["data"]["incidentd.yaml"])
    assert named
    assert [name for name in named if f"keep {name}" not in script] == []
    [container] = pod(parts)["containers"]
    assert SECRETS in {each["mountPath"] for each in container["volumeMounts"]}
    assert container["args"][-1].startswith("/etc/incidentd/")


def test_the_same_callers_have_tokens_as_in_compose(parts: dict[str, Any]) -> None:
    [compose] = documents(DEPLOY / "incidentd" / "incidentd.yaml")
    [config] = YAML(typ="safe").load_all(parts["ConfigMap"]["data"]["incidentd.yaml"])
    assert config["auth"]["tokens"] == compose["auth"]["tokens"]


def test_stopping_has_time_to_finish(parts: dict[str, Any]) -> None:
    assert pod(parts)["terminationGracePeriodSeconds"] > 2 * 10  # server.shutdown_timeout


def test_no_manifest_is_left_out() -> None:
    assert {path.name for path in Path(FOLDER).iterdir()} == {"sqlite.yaml", "postgres.yaml"}
