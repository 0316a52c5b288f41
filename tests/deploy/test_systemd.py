"""The systemd unit: systemd accepts it, and judges it to be well locked up."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from incidentd.cli.main import main
from tests.deploy.shipped import DEPLOY, Program

UNIT = DEPLOY / "incidentd.service"
SYSTEMD = Program("systemd-analyze", "apt-get install systemd")
EXPOSED = 2.0
"""0 is locked up, 10 wide open."""


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that is there: verify looks for it."""
    copy = tmp_path / UNIT.name
    text = UNIT.read_text(encoding="utf-8")
    copy.write_text(text.replace("/opt/incidentd/bin/incidentd", "/bin/true"), encoding="utf-8")
    return copy


def settings() -> dict[str, str]:
    """What the unit says, by systemd's names; of a name that is given twice, the last."""
    lines = UNIT.read_text(encoding="utf-8").splitlines()
    found = [line.partition("=") for line in lines if "=" in line and not line.startswith("#")]
    return {name: value for name, _, value in found}


def test_systemd_has_nothing_against_the_unit(unit: Path) -> None:
    assert SYSTEMD.judge("verify", "--man=no", unit).strip() == ""


def test_systemd_judges_it_to_be_well_locked_up(unit: Path) -> None:
    said = SYSTEMD.judge("security", "--offline=true", "--no-pager", unit)
    found = re.search(r"Overall exposure level for incidentd\.service: ([\d.]+)", said)
    assert found is not None, said
    assert float(found[1]) <= EXPOSED


@pytest.mark.parametrize("key", ["ExecStartPre", "ExecStart"])
def test_every_command_of_the_unit_exists(key: str) -> None:
    program, command, *_ = shlex.split(settings()[key])
    assert Path(program).name == "incidentd"
    assert CliRunner().invoke(main, [command, "--help"]).exit_code == 0


def test_it_is_given_time_to_stop_and_writes_to_its_own_folder_only() -> None:
    service = settings()
    assert int(service["TimeoutStopSec"].removesuffix("s")) > 20  # server.shutdown_timeout is 10 s
    assert service["ProtectSystem"] == "strict"
    assert service["StateDirectory"] == "incidentd"
    assert service["WorkingDirectory"] == "/var/lib/incidentd"
    assert "ReadWritePaths" not in service
