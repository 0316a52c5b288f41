"""The rules about the code's shape that no linter knows. A rule that fails the build does not rot."""

import ast
import re
from pathlib import Path

import pytest

from tests.shape import ROOT, Source, broad_handlers, length, sources

# In one process, so that every file is read and parsed once.
pytestmark = pytest.mark.xdist_group("sources")
PACKAGE = sources("incidentd")
TESTS = sources("tests")
EVERYTHING = [*PACKAGE, *TESTS, *sources("benchmarks")]
DOMAIN = sources("incidentd/domain")

FILE_LINES = 300
FUNCTION_LINES = 40
PATCHES = 10

# What makes two runs of the same code differ. Everything but clock.py gets it as an argument.
UNCERTAIN = re.compile(
    r"""datetime\.(datetime|date)\.(now|utcnow|today)
      | time\.(time|monotonic|sleep)(_ns)?
      | asyncio\.sleep
      | random(\..+)?
      | uuid\.uuid[14]
    """,
    re.VERBOSE,
)
# File, or folder with a slash at its end, to what it may use and why.
MAY_USE = {
    "incidentd/clock.py": (r".*", "it is the clock"),
    "incidentd/automation/supervisor.py": (
        r"time\.monotonic",
        "a process of its own, with nothing of ours in it",
    ),
    "incidentd/cli/": (r"(date)?time\..*", "a command runs before a person and is given no clock"),
}
# Modules that the domain has no use for: each of them waits, draws or looks outside.
IMPURE = {"asyncio", "io", "logging", "os", "pathlib", "random", "secrets", "socket", "time", "uuid"}


def offenders(lines: list[str]) -> None:
    """Fail with one offender a line."""
    if lines:
        pytest.fail("\n".join(["", *lines]), pytrace=False)


def allowed(source: Source, use: str) -> bool:
    """Tell whether MAY_USE lets this file use it."""
    return any(
        (source.name == place or (place.endswith("/") and source.name.startswith(place)))
        and re.fullmatch(pattern, use)
        for place, (pattern, _reason) in MAY_USE.items()
    )


def test_no_file_is_longer_than_300_lines() -> None:
    counts = {source.name: len(source.text.splitlines()) for source in EVERYTHING}
    offenders([f"{name}: {count} lines" for name, count in counts.items() if count > FILE_LINES])


def test_no_function_is_longer_than_40_lines() -> None:
    offenders(
        [
            f"{source.name}:{function.lineno} {function.name}: {length(function)} lines"
            for source in EVERYTHING
            for function in source.functions()
            if length(function) > FUNCTION_LINES
        ]
    )


def test_the_domain_never_waits() -> None:
    waiting = (ast.Await, ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith)
    offenders(
        [
            f"{source.name}:{node.lineno} {type(node).__name__}"
            for source in DOMAIN
            for node in ast.walk(source.tree)
            if isinstance(node, waiting)
        ]
    )


def test_the_domain_reads_no_clock_whatever_it_is_called() -> None:
    offenders(
        [
            f"{source.name}:{node.lineno} {node.func.attr}()"
            for source in DOMAIN
            for node in ast.walk(source.tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            if node.func.attr in {"now", "utcnow", "today", "monotonic", "perf_counter"}
        ]
    )


def test_the_domain_imports_nothing_that_looks_outside() -> None:
    offenders(
        [
            f"{source.name} imports {origin}"
            for source in DOMAIN
            for origin in source.origins().values()
            if origin.split(".")[0] in IMPURE
        ]
    )


def test_only_the_clock_reads_the_time_sleeps_or_draws() -> None:
    offenders(
        sorted(
            {
                f"{source.name}:{line} {use}"
                for source in PACKAGE
                for line, use in source.uses()
                if UNCERTAIN.fullmatch(use) and not allowed(source, use)
            }
        )
    )


def test_every_package_says_what_lives_in_it() -> None:
    folders = sorted({source.path.parent for source in PACKAGE if "migrations" not in source.path.parts})
    offenders(
        [
            f"{folder.relative_to(ROOT)}: no __init__.py with a docstring"
            for folder in folders
            if not (folder / "__init__.py").exists()
            or ast.get_docstring(Source(folder / "__init__.py").tree) is None
        ]
    )


def test_whoever_catches_everything_says_why() -> None:
    """In a comment on the same line or the one above; `noqa` alone is no reason."""
    offenders(
        [
            f"{source.name}:{handler.lineno} no reason beside it"
            for source in EVERYTHING
            for handler in broad_handlers(source)
            if not (source.comments.get(handler.lineno) or source.comments.get(handler.lineno - 1))
        ]
    )


def test_nothing_is_left_for_later() -> None:
    marks = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
    offenders(
        [
            f"{source.name}:{number} {line.strip()}"
            for source in EVERYTHING
            for number, line in enumerate(source.text.splitlines(), start=1)
            if marks.search(line)
        ]
    )


def test_at_most_ten_things_are_patched_because_the_design_takes_its_parts_as_arguments() -> None:
    patched = [
        f"{source.name}:{node.lineno}"
        for source in TESTS
        for node in ast.walk(source.tree)
        if (isinstance(node, ast.Attribute) and getattr(node.value, "id", "") in {"monkeypatch", "mocker"})
        or (
            isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "patch"
        )
    ]
    if len(patched) > PATCHES:
        offenders([f"{len(patched)} uses, {PATCHES} allowed", *patched])


@pytest.mark.parametrize(
    ("code", "use"),
    [
        ("import datetime as d\nd.datetime.now()", "datetime.datetime.now"),
        ("from datetime import datetime\nf = datetime.utcnow", "datetime.datetime.utcnow"),
        ("from time import monotonic as m\nm()", "time.monotonic"),
        ("import asyncio\nasyncio.sleep(1)", "asyncio.sleep"),
        ("import random\nrandom.random()", "random.random"),
        ("from uuid import uuid4\nuuid4()", "uuid.uuid4"),
    ],
)
def test_a_clock_is_found_under_every_name(tmp_path: Path, code: str, use: str) -> None:
    file = tmp_path / "some.py"
    file.write_text(code, encoding="utf-8")
    found = {name for _, name in Source(file).uses()}
    assert use in found
    assert UNCERTAIN.fullmatch(use)


@pytest.mark.parametrize(
    ("comment", "left"),
    [
        ("# noqa: BLE001", ""),
        ("# noqa: BLE001 - one bad row must not stop the others", "one bad row must not stop the others"),
        ("# a vendor may raise anything", "a vendor may raise anything"),
        ("# type: ignore[misc]", ""),
    ],
)
def test_what_only_talks_to_a_tool_is_no_reason(tmp_path: Path, comment: str, left: str) -> None:
    file = tmp_path / "some.py"
    file.write_text(f"x = 1  {comment}\n", encoding="utf-8")
    assert Source(file).comments[1] == left
