"""The checklist of docs/security.md: each line ends in tests that exist, or in a part of a document that exists."""

from __future__ import annotations

import re

import pytest

from tests.shape import ROOT, sources

TEXT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ROWS = [
    (int(number), asvs, proof)
    for number, asvs, proof in re.findall(r"^\| (\d+) \| [^|]+ \| ([0-9. ]+) \| (.+) \|$", TEXT, re.MULTILINE)
]
# In one process, so that every file is read and parsed once.
pytestmark = pytest.mark.xdist_group("sources")
PACKAGE = sources("incidentd")
FLOORS = {"aiohttp": (3, 14, 5), "jinja2": (3, 1, 6)}
"""Versions below have published faults that concern us: CVE-2026-69244 and before, CVE-2025-27516 and before."""
_BANNED = re.compile(
    r"(builtins\.)?(eval|exec|compile)|pickle\..*|marshal\..*|shelve\..*|yaml\..*|os\.(system|popen|exec.*|spawn.*)"
    r"|subprocess\..*shell|asyncio\.create_subprocess_shell|tempfile\.mktemp"
)
_ALLOWED = {("incidentd/automation/supervisor.py", "os.execve")}
"""Becomes the program of an argv list of the configuration, between fork and exec; no shell reads it."""


def test_no_line_is_missing() -> None:
    assert [number for number, _, _ in ROWS] == list(range(1, 52))
    listed = [each for _, asvs, _ in ROWS for each in asvs.split()]
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize(("number", "asvs", "proof"), ROWS, ids=[f"line {row[0]}" for row in ROWS])
def test_every_line_ends_in_proofs_that_exist(number: int, asvs: str, proof: str) -> None:
    assert asvs.strip()
    for each in proof.split("; "):
        if each.startswith("see "):
            target = re.search(r"\]\(([^)#]*)(?:#([^)]*))?\)", each)
            assert target is not None
            document = ROOT / "docs" / target[1] if target[1] else ROOT / "docs" / "security.md"
            text = document.read_text(encoding="utf-8")
            assert not target[2] or target[2] in {
                _anchor(head) for head in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
            }
            continue
        path, _, name = each.strip("`").partition("::")
        text = (ROOT / "tests" / path).read_text(encoding="utf-8")
        assert name == "*" or re.search(rf"^(async )?def {name}\(", text, re.MULTILINE), each


def _anchor(head: str) -> str:
    return re.sub(r"[^a-z0-9 -]", "", head.lower()).replace(" ", "-")


def test_nothing_starts_a_shell_or_runs_text() -> None:
    found = [
        f"{source.name}:{line} {use}"
        for source in PACKAGE
        for line, use in source.uses()
        if _BANNED.fullmatch(use) and (source.name, use) not in _ALLOWED
    ]
    assert found == []
    for source in PACKAGE:
        if source.name == "incidentd/cli/conformance.py":
            continue  # it runs the command that whoever types it gives it, and is no part of the daemon
        assert not re.search(r"shell ?= ?True|(?<![\w.])(eval|exec)\(", source.text), source.name


def test_no_folder_is_served() -> None:
    assert not [source.name for source in PACKAGE if re.search(r"add_static|FileResponse", source.text)]


def test_dependencies_with_known_faults_are_below_the_floors() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    for name, floor in FLOORS.items():
        pinned = re.search(rf"^{name}==([0-9.]+)", lock, re.MULTILINE)
        assert pinned is not None
        assert tuple(map(int, pinned[1].split("."))) >= floor
