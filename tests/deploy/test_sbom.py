"""The bill of materials names what the lock file pins, and nothing that is not pinned."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.shape import ROOT

SCRIPT = ROOT / "deploy" / "sbom.py"


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), *args], capture_output=True, text=True, check=False)


def test_every_pinned_distribution_is_a_component_with_its_hashes() -> None:
    made = json.loads(run().stdout)
    assert (made["bomFormat"], made["specVersion"]) == ("CycloneDX", "1.5")
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pins = [
        line.split("==")[0] for line in lock.splitlines() if "==" in line and not line.startswith((" ", "#"))
    ]
    assert [part["name"] for part in made["components"]] == [name.split("[")[0] for name in pins]
    assert all(part["hashes"] and part["purl"].startswith("pkg:pypi/") for part in made["components"])
    assert len({part["bom-ref"] for part in made["components"]}) == len(pins)
    assert set(made["dependencies"][0]["dependsOn"]) == {part["bom-ref"] for part in made["components"]}


def test_what_is_not_pinned_is_refused(tmp_path: Path) -> None:
    for text in ("aiohttp>=3\n", "    --hash=sha256:00\n"):
        lock = tmp_path / "lock"
        lock.write_text(text, encoding="utf-8")
        assert run("--lock", str(lock)).returncode == 1
    assert run("--lock", str(tmp_path / "absent")).returncode == 1


def test_it_is_written_where_it_is_asked_for(tmp_path: Path) -> None:
    done = run("--output", str(tmp_path / "dist" / "sbom.json"))
    assert (done.returncode, done.stdout) == (0, "")
    assert json.loads((tmp_path / "dist" / "sbom.json").read_text(encoding="utf-8"))["components"]
