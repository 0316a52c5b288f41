"""The shipped configurations made to run here: their secrets as files of a test, their addresses on loopback."""

from __future__ import annotations

import re
from pathlib import Path

from tests.audit.sample import KEY
from tests.deploy.shipped import DEPLOY, SECRETS, documents

PARTS = ("alertmanager", "oncall", "pipelines", "prometheus")


def token(name: str) -> str:
    """What the secret `incidentd_NAME` holds."""
    return f"token-of-{name}-0123456789"


def secrets(folder: Path) -> Path:
    """A folder with every secret that a shipped configuration names."""
    found = folder / "secrets"
    found.mkdir(exist_ok=True)
    for part in PARTS:
        _secret(found / f"incidentd_{part}", token(part))
    _secret(found / "incidentd_database_url", "postgresql+asyncpg://incidentd:word@postgres/incidentd")
    _secret(found / "smtp_password", "word")
    _secret(found / "incidentd_audit_key", KEY.pem().decode())
    return found


def _secret(path: Path, content: str) -> None:
    path.write_text(content, encoding="utf-8")
    path.chmod(0o600)


def here(text: str, folder: Path) -> str:
    """The text of a configuration with the secrets of `folder`."""
    return text.replace(SECRETS, str(secrets(folder)))


def runnable(name: str, folder: Path) -> Path:
    """A copy of deploy/incidentd/NAME with secrets that exist."""
    text = (DEPLOY / "incidentd" / name).read_text(encoding="utf-8")
    copy = folder / name
    copy.write_text(here(text, folder), encoding="utf-8")
    return copy


def of_kubernetes(manifest: Path, folder: Path) -> Path:
    """The incidentd.yaml in the ConfigMap of a manifest, with secrets that exist."""
    [config] = [each for each in documents(manifest) if each["kind"] == "ConfigMap"]
    copy = folder / f"{manifest.stem}-incidentd.yaml"
    copy.write_text(here(config["data"]["incidentd.yaml"], folder), encoding="utf-8")
    return copy


def secret_names(text: str) -> set[str]:
    """The secrets that a configuration names, outside of its comments."""
    lines = [line.partition("# ")[0] for line in text.splitlines()]
    return set(re.findall(rf"{SECRETS}/(\w+)", "\n".join(lines)))
