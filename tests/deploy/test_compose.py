"""compose.yaml: all that it names is there, nothing has more rights than it needs, nothing listens outside."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from incidentd.audit.keys import SigningKey
from tests.deploy.configs import secret_names
from tests.deploy.shipped import DEPLOY, SECRETS, read

SCRIPT = DEPLOY / "make-secrets.sh"
GROUP = "10001"
ROOT_FIRST = {"postgres"}
"""Whose image starts as root, to take ownership of its volume."""


@pytest.fixture(scope="module")
def compose() -> Any:
    return read(DEPLOY / "compose.yaml")


@pytest.fixture(scope="module")
def services(compose: Any) -> dict[str, Any]:
    found: dict[str, Any] = compose["services"]
    return found


def mounts(service: dict[str, Any]) -> list[list[str]]:
    return [each.split(":") for each in service.get("volumes", [])]


def test_everything_that_was_asked_for_is_there(services: dict[str, Any]) -> None:
    assert {"incidentd", "prometheus", "alertmanager", "grafana"} <= {
        name for name, service in services.items() if "profiles" not in service
    }
    assert services["postgres"]["profiles"] == ["postgres"]


def test_every_file_and_volume_that_is_mounted_exists(compose: Any, services: dict[str, Any]) -> None:
    used = set()
    for service in services.values():
        for source, *_ in mounts(service):
            if source.startswith("./"):
                assert (DEPLOY / source).exists(), source
            elif not source.startswith("/"):
                used.add(source)
    assert used == set(compose["volumes"])


def test_nothing_but_data_is_mounted_to_be_written(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for source, _, *mode in mounts(service):
            assert source.endswith("-data") or "ro" in ",".join(mode).split(","), (name, source)


def test_what_listens_listens_on_loopback(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_nothing_has_rights_that_it_does_not_need(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged", False), name
        assert service.get("read_only", False) is (name not in ROOT_FIRST), name
        assert service["restart"] == "unless-stopped", name


def test_every_image_has_a_version(services: dict[str, Any]) -> None:
    images = [service["image"] for service in services.values()]
    assert [image for image in images if not re.search(r":v?\d", image)] == []


def test_every_secret_is_declared_used_and_written_by_the_script(
    compose: Any, services: dict[str, Any], tmp_path: Path
) -> None:
    declared = {name: Path(each["file"]).name for name, each in compose["secrets"].items()}
    assert all(name == file for name, file in declared.items())
    assert {name for service in services.values() for name in service.get("secrets", [])} == set(declared)
    written = run_script(tmp_path)
    assert {path.name for path in written} - {"incidentd_audit_key"} == set(declared), "but for Kubernetes"


def test_every_container_has_the_secrets_that_its_configuration_names(services: dict[str, Any]) -> None:
    for name, service in services.items():
        text = "\n".join(str(value) for value in service.get("environment", {}).values())
        for source, *_ in mounts(service):
            path = DEPLOY / source
            if source.startswith("./") and "grafana" not in source:
                files = sorted(path.rglob("*.y*ml")) if path.is_dir() else [path]
                text += "\n".join(each.read_text(encoding="utf-8") for each in files)
        assert set(service.get("secrets", [])) == secret_names(text), name


def test_who_reads_a_secret_is_in_its_group(services: dict[str, Any]) -> None:
    for name, service in services.items():
        if service.get("secrets") and name not in {"incidentd", *ROOT_FIRST}:
            assert service["group_add"] == [GROUP], name


def test_nobody_waits_for_a_service_of_a_profile_that_may_be_off(services: dict[str, Any]) -> None:
    for name, service in services.items():
        needed = service.get("depends_on", {})
        for other in needed:
            assert other in services, (name, other)
            if "profiles" in services[other] and services[other].get("profiles") != service.get("profiles"):
                assert needed[other]["required"] is False, (name, other)


def test_the_profile_chooses_a_configuration_that_is_there(services: dict[str, Any]) -> None:
    lines = (DEPLOY / "postgres.env").read_text(encoding="utf-8").splitlines()
    [chosen] = [line.partition("=")[2] for line in lines if line.startswith("INCIDENTD_CONFIG_NAME=")]
    assert (DEPLOY / "incidentd" / chosen).exists()
    default = services["incidentd"]["environment"]["INCIDENTD_CONFIG"]
    assert default == "/etc/incidentd/${INCIDENTD_CONFIG_NAME:-incidentd.yaml}"
    assert (DEPLOY / "incidentd/incidentd.yaml").exists()


def run_script(folder: Path) -> list[Path]:
    target = folder / "secrets"
    owner = f"{os.getuid()}:{os.getgid()}"
    settings = {"PATH": os.environ["PATH"], "SECRETS": str(target), "OWNER": owner}
    subprocess.run([SCRIPT], env=settings, capture_output=True, timeout=30, check=True)
    return sorted(target.iterdir())


def test_the_script_writes_secrets_that_its_group_alone_may_read_and_never_anew(tmp_path: Path) -> None:
    first = {path.name: path.read_text(encoding="utf-8") for path in run_script(tmp_path)}
    for path in (tmp_path / "secrets").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o440, path
    others = {"smtp_password", "incidentd_database_url", "incidentd_audit_key"}
    random = {name: text for name, text in first.items() if name not in others}
    assert SigningKey.of_pem(first["incidentd_audit_key"].encode()).public.algorithm == "ed25519"
    assert all(re.fullmatch("[0-9a-f]{64}", text) for text in random.values())
    assert len(set(random.values())) == len(random)
    assert first["postgres_password"] in first["incidentd_database_url"]
    (tmp_path / "secrets/grafana_admin").unlink()
    again = {path.name: path.read_text(encoding="utf-8") for path in run_script(tmp_path)}
    assert again.pop("grafana_admin") != first.pop("grafana_admin")
    assert again == first


def test_grafana_finds_its_source_and_its_dashboards(services: dict[str, Any]) -> None:
    targets = {source: target for source, target, *_ in mounts(services["grafana"])}
    [provider] = read(DEPLOY / "grafana/dashboards.yml")["providers"]
    assert provider["options"]["path"] == targets["./dashboards"]
    [source] = read(DEPLOY / "grafana/datasources.yml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (DEPLOY / "dashboards" / Path(home).name).exists()
    assert services["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD__FILE"].startswith(SECRETS)
