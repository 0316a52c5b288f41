"""A bill of materials (CycloneDX 1.5) of what an install takes: python deploy/sbom.py [--lock FILE] [--output FILE].

Made of the lock file, so it names exactly what `pip install --require-hashes` fetches, with the hashes it accepts.
Needs no network and nothing installed. Licences are added for what is installed here.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^ ;\\]+)(?: *; *([^\\]+?))? *\\?$")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def components(lock: str) -> list[dict[str, Any]]:
    """One component for each pinned distribution of a lock file. Raises ValueError for a line that is no pin."""
    found: list[dict[str, Any]] = []
    for line in lock.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0].isspace():
            digest = _HASH.search(line)
            if digest is None or not found:
                raise ValueError(f"not understood: {line.strip()[:80]}")
            found[-1]["hashes"].append({"alg": "SHA-256", "content": digest[1]})
            continue
        pin = _PIN.match(line)
        if pin is None:
            raise ValueError(f"no exact version: {line[:80]}")
        found.append(_component(pin[1], pin[2], pin[3]))
    return found


def _component(name: str, version: str, marker: str | None) -> dict[str, Any]:
    purl = f"pkg:pypi/{re.sub(r'[-_.]+', '-', name).lower()}@{version}"
    made: dict[str, Any] = {
        "type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl, "scope": "required",
        "hashes": [],
    }  # fmt: skip
    if marker:
        made["properties"] = [{"name": "python:marker", "value": marker}]
    if licence := _licence(name):
        made["licenses"] = [{"license": {"name": licence}}]
    return made


def _licence(name: str) -> str:
    try:
        told = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return ""
    given = [told[key] for key in ("License-Expression", "License") if key in told]
    return given[0].strip().split("\n")[0][:100] if given else ""


def document(lock: str, version: str) -> dict[str, Any]:
    """The whole bill for the given lock file and version of incidentd."""
    own = f"pkg:pypi/incidentd@{version}"
    parts = components(lock)
    component = {
        "type": "application", "bom-ref": own, "name": "incidentd", "version": version, "purl": own,
        "licenses": [{"license": {"id": "Apache-2.0"}}],
    }  # fmt: skip
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": component},
        "components": parts,
        "dependencies": [{"ref": own, "dependsOn": [part["bom-ref"] for part in parts]}],
    }


def main() -> int:
    """Write it; exit 1 if the lock file is not understood."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--lock", type=Path, default=ROOT / "requirements.lock")
    parser.add_argument("--output", type=Path, help="standard output without it")
    given = parser.parse_args()
    text = (ROOT / "incidentd" / "__init__.py").read_text(encoding="utf-8")
    version = re.search(r'__version__ = "([^"]+)"', text)
    try:
        made = document(given.lock.read_text(encoding="utf-8"), version[1] if version else "unknown")
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{given.lock}: {error}\n")
        return 1
    written = json.dumps(made, indent=2) + "\n"
    if given.output is None:
        sys.stdout.write(written)
    else:
        given.output.parent.mkdir(parents=True, exist_ok=True)
        given.output.write_text(written, encoding="utf-8")
        sys.stderr.write(f"{given.output}: {len(made['components'])} components\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
