"""What is shipped: the wheel holds every file of the package, the image runs as nobody in particular."""

import re
import shlex
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

import incidentd
from tests.shape import ROOT

LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-build.lock")
NOT_SHIPPED = {".pyc"}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def instructions() -> list[tuple[str, str]]:
    """The Dockerfile as pairs of keyword and argument, continued lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        keyword, _, argument = line.partition(" ")
        found.append((keyword.upper(), argument.strip()))
    return found


def last_stage(instructions: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """What ends up in the image that is run."""
    start = max(index for index, (keyword, _) in enumerate(instructions) if keyword == "FROM")
    return instructions[start:]


def arguments(instructions: list[tuple[str, str]], keyword: str) -> list[str]:
    return [argument for each, argument in instructions if each == keyword]


def test_the_wheel_holds_every_file_of_the_package(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    assert incidentd.__version__ in wheel.name
    shipped = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "incidentd").rglob("*")
        if path.is_file() and path.suffix not in NOT_SHIPPED
    }
    assert expected <= shipped, sorted(expected - shipped)
    assert "incidentd/py.typed" in shipped
    assert {name.split("/")[0] for name in shipped} == {
        "incidentd",
        f"incidentd-{incidentd.__version__}.dist-info",
    }


def test_groups_and_extras_name_the_same_tools(project: dict[str, Any]) -> None:
    extras, groups = project["project"]["optional-dependencies"], project["dependency-groups"]
    assert groups["test"] == extras["test"]
    assert groups["lint"] == extras["lint"]


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_pins_with_hashes_and_names_no_place(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    content = [line for line in lines if line and not line.startswith("#")]
    shape = re.compile(r"[a-z0-9][a-z0-9._-]*==\S+( ; .+?)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?")
    assert [line for line in content if not shape.fullmatch(line)] == []
    assert not re.search(r"://|index-url|find-links|file:", "\n".join(lines))


@pytest.mark.parametrize("name", LOCKS[1:])
def test_all_locks_agree_on_every_version(name: str) -> None:
    def pins(file: str) -> dict[str, str]:
        text = (ROOT / file).read_text(encoding="utf-8")
        return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", text, flags=re.MULTILINE))

    run, other = pins("requirements.lock"), pins(name)
    assert {key: other[key] for key in run.keys() & other.keys()} == {
        key: run[key] for key in run.keys() & other.keys()
    }


def test_every_dependency_is_locked(project: dict[str, Any]) -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    wanted = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["postgres"],
    ]
    names = [re.split(r"[\[<>=]", each)[0].replace(".", "-") for each in wanted]
    assert [name for name in names if not re.search(rf"^{name}==", text, flags=re.MULTILINE)] == []


def test_the_image_has_every_extra_that_its_configuration_may_switch_on() -> None:
    lines = (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
    [line] = [each for each in lines if "-o requirements.lock" in each]
    assert {"postgres", "oidc", "otel", "sentry"} <= set(re.findall(r"--extra (\w+)", line))


def test_the_image_runs_as_a_numbered_user_that_is_not_root(instructions: list[tuple[str, str]]) -> None:
    *_, user = arguments(last_stage(instructions), "USER")
    assert int(user.split(":")[0]) >= 10_000


def test_the_image_has_a_health_check_that_needs_no_shell(instructions: list[tuple[str, str]]) -> None:
    (check,) = arguments(last_stage(instructions), "HEALTHCHECK")
    assert check.endswith('CMD ["incidentd", "healthcheck"]')
    for keyword in ("ENTRYPOINT", "CMD"):
        (argument,) = arguments(last_stage(instructions), keyword)
        assert argument.startswith("["), f"{keyword} goes through a shell, which swallows SIGTERM"


def test_only_the_data_volume_is_written_to(instructions: list[tuple[str, str]]) -> None:
    final = last_stage(instructions)
    assert arguments(final, "VOLUME") == ['["/data"]']
    assert "PYTHONDONTWRITEBYTECODE=1" in " ".join(arguments(final, "ENV"))
    # SQLite's file in the shipped configuration lies on it.
    assert "sqlite+aiosqlite:////data/" in (ROOT / "config/docker.yaml").read_text(encoding="utf-8")


def test_every_base_image_has_a_version(instructions: list[tuple[str, str]]) -> None:
    for base in arguments(instructions, "FROM"):
        image = base.split()[0]
        assert ":" in image
        assert not image.endswith(":latest")


def test_everything_that_the_image_copies_is_there_and_reaches_the_builder(
    instructions: list[tuple[str, str]],
) -> None:
    kept = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    for argument in arguments(instructions, "COPY"):
        words = shlex.split(argument)
        if any(word.startswith("--from=") for word in words):
            continue
        for source in words[:-1]:
            assert (ROOT / source).exists(), f"COPY {source}: no such file"
            assert source.rstrip("/") in kept, f"COPY {source}: kept back by .dockerignore"


def test_no_secret_stands_in_the_image(instructions: list[tuple[str, str]]) -> None:
    text = (ROOT / "config/docker.yaml").read_text(encoding="utf-8")
    tokens = re.findall(r"^\s*- \{name: .*", text, flags=re.MULTILINE)
    assert tokens
    assert [line for line in tokens if "{file: /run/secrets/" not in line] == []
    assert not re.search(r"(?i)(token|secret|password)=", " ".join(arguments(instructions, "ENV")))
