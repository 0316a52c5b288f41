"""`incidentd`: the daemon and what its operator needs on the machine it runs on."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from incidentd import __version__
from incidentd.cli.suggesting import SuggestingGroup

_COMMANDS = {
    "serve": "serve",
    "check-config": "admin",
    "config-schema": "admin",
    "conformance": "conformance",
    "lint-rules": "lint_rules",
    "migrate": "admin",
    "channels": "admin",
    "check-database": "admin",
    "healthcheck": "healthcheck",
    "token": "token",
    "user": "user",
    "audit": "audit",
    "route-test": "route_test",
    "replay": "replay",
    "drill": "ctl_drill",
    "journal": "replay",
    "import": "importing",
    "runbooks": "runbooks",
}

EPILOG = """\b
Examples:
  incidentd serve
  incidentd check-config config/incidentd.yaml
  incidentd token create alertmanager --scope ingest

\b
The on-call's commands are in `incidentctl --help`."""


class _Lazy(SuggestingGroup):
    """Loads a command's module only when that command runs: `--help` stays instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - likewise
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        loaded = importlib.import_module(f"incidentd.cli.{module}")
        name = cmd_name.replace("-", "_")
        # `import` is a word of Python's own, so that command has an underscore behind it.
        command: click.Command = getattr(loaded, f"{name}_" if name == "import" else name)
        return command


@click.group(cls=_Lazy, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="incidentd")
def main() -> None:
    """Take alerts from Alertmanager, keep incidents, reach people, and never lose a page."""


def config_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """The `--config` option every command shares."""
    return click.option(
        "--config",
        "config_path",
        type=click.Path(dir_okay=False, path_type=Path),
        default=Path("config/incidentd.yaml"),
        envvar="INCIDENTD_CONFIG",
        show_default=True,
        show_envvar=True,
        help="Configuration file.",
    )(function)
