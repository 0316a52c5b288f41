"""Every file in bad/ is refused with exactly the lines that its leading comments say; its name says why."""

import re
from pathlib import Path

import pytest

from incidentd.config import ConfigError, load

BAD = sorted((Path(__file__).parent / "bad").glob("*.yaml"))
ENV = {
    "TOKEN": "t0ken-t0ken-t0ken-t0ken",
    "OTHER": "0ther-0ther-0ther-0ther",
    "EMPTY": "",
    "DB": "hunter2hunter2",
}


def _expected(path: Path) -> list[str]:
    comments = re.match(r"(# .*\n)+", path.read_text(encoding="utf-8"))
    assert comments is not None
    lines = [line.removeprefix("# ") for line in comments[0].splitlines()]
    here = [re.sub(r"\((\d+)\)$", rf"({path}:\1)", line) for line in lines]
    return [
        line.replace("(file):", f"{path}:").replace("nowhere/key", f"{path.parent}/nowhere/key")
        for line in here
    ]


@pytest.mark.parametrize("path", BAD, ids=[path.stem for path in BAD])
def test_a_bad_file_is_refused_with_every_problem_its_path_and_its_line(path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load(path, ENV)
    assert str(refused.value).splitlines() == _expected(path)
    for secret in (*filter(None, ENV.values()), "hunter2"):
        assert secret not in str(refused.value).replace(str(path), "")


def test_there_are_many_bad_files() -> None:
    assert len(BAD) >= 60


def test_a_file_that_is_not_there_is_a_problem_and_no_traceback(tmp_path: Path) -> None:
    what = "cannot be read: No such file or directory; name the file with --config or INCIDENTD_CONFIG"
    with pytest.raises(ConfigError, match=rf"nowhere\.yaml: {what}$"):
        load(tmp_path / "nowhere.yaml", {})


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"a: \xff\n", r"is not UTF-8 text \(byte 3\)"),
        (b"a: \x00\n", "has characters that YAML does not allow"),
    ],
)
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=what):
        load(path, {})


def test_aliases_of_aliases_do_not_grow_without_bound(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ConfigError, match="repeats itself without end"):
        load(path, {})


def test_without_a_file_the_line_stands_alone() -> None:
    from incidentd.config import Problem

    error = ConfigError((Problem("a.b", "is wrong", 3), Problem("", "is empty")))
    assert str(error) == "a.b: is wrong (line 3)\nconfiguration: is empty"
