"""What every `incidentctl` command shares: the session, common options and argument types."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from incidentd.cli import output
from incidentd.cli.client import Answer, Client, CtlError
from incidentd.cli.profiles import Options, Settings, resolve

SEVERITIES = ("critical", "warning", "info")
STATES = ("triggered", "acknowledged", "resolved")
# Prometheus' duration syntax: units from large to small, each at most once.
_DURATION = re.compile(r"(?=\d)(\d+y)?(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?", re.ASCII)
_INCIDENT_ID = re.compile(r"(?:inc-)?([0-9]{1,18})", re.IGNORECASE | re.ASCII)
_DELIVERY_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_Command = TypeVar("_Command", bound=Callable[..., Any])
_Id = TypeVar("_Id", int, str)


@dataclass
class Session:
    """One run of the CLI: what was given, and its clock. Tests pass their own."""

    url: str | None = None
    token: str | None = field(default=None, repr=False)
    profile: str | None = None
    json: bool = False
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def settings(self) -> Settings:
        """Return the settings in force. Raises CtlError (exit 2)."""
        return resolve(Options(self.url, self.token, self.profile), os.environ)

    def client(self, token: str | None = None) -> Client:
        """Return a client for the server in force; `token` replaces the usual one."""
        settings = self.settings()
        if settings.notice and token is None:
            click.echo(f"note: {output.clean(settings.notice)}", err=True)
        return Client(settings.url, token or settings.token, settings.user)

    def printed(self, answer: Answer) -> bool:
        """Print the answer as received when `--json` was given; tell whether it was."""
        if self.json:
            output.echo_json(answer.body)
        return self.json


def _store(ctx: click.Context, param: click.Parameter, value: object) -> None:
    # Given before or after the command's name, the later one wins; nothing given changes nothing.
    if value:
        setattr(ctx.ensure_object(Session), param.name or "", value)


def api_options(command: _Command) -> _Command:
    """Add the options every command takes: --json, --url, --token, --profile."""
    shared = (
        click.option(
            "--json",
            is_flag=True,
            expose_value=False,
            callback=_store,
            help="Print exactly what the API answered.",
        ),
        click.option(
            "--url",
            metavar="URL",
            expose_value=False,
            callback=_store,
            help="The server (env INCIDENTD_URL).",
        ),
        click.option(
            "--token",
            metavar="TOKEN",
            expose_value=False,
            callback=_store,
            help="API token. Others on this host can see it; prefer INCIDENTD_TOKEN or a profile.",
        ),
        click.option(
            "--profile",
            metavar="NAME",
            expose_value=False,
            callback=_store,
            help="Profile to use (env INCIDENTD_PROFILE).",
        ),
    )
    for option in reversed(shared):
        command = option(command)
    return command


def page_options(command: _Command) -> _Command:
    """Add the options of lists: --limit and --cursor."""
    command = click.option("--cursor", metavar="TEXT", help="Continue where a page ended.")(command)
    return click.option("--limit", type=click.IntRange(1), metavar="N", help="At most N entries.")(command)


pass_session = click.make_pass_decorator(Session, ensure=True)


class IncidentId(click.ParamType[int]):
    """`12`, `INC-12` or `inc-12`; converts to the number."""

    name = "ID"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the incident's number, or fail with what is accepted."""
        match = _INCIDENT_ID.fullmatch(str(value).strip())
        if match is None:
            self.fail(f"{output.clean(value)!r} is not an incident ID; accepted: 12 or INC-12", param, ctx)
        return int(match.group(1))


class DeliveryId(click.ParamType[str]):
    """The ID of a delivery, as listed."""

    name = "ID"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the ID, or fail with what is accepted."""
        if _DELIVERY_ID.fullmatch(str(value)) is None:
            self.fail(
                f"{output.clean(value)!r} is not a delivery ID; see: incidentctl deliveries", param, ctx
            )
        return str(value)


class Duration(click.ParamType[str]):
    """A duration in Prometheus' syntax, kept as text: the server reads it."""

    name = "DURATION"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text, or fail with what is accepted."""
        if _DURATION.fullmatch(str(value)) is None:
            self.fail(f"{output.clean(value)!r} is not a duration; accepted: 30m, 2h, 1h30m, 1d", param, ctx)
        return str(value)


def each(ids: tuple[_Id, ...], act: Callable[[_Id], None], named: Callable[[_Id], str] = output.ref) -> None:
    """Do `act` for everything in `ids`, going on after failures; exit with the worst code seen.

    `named` says which one failed.
    """
    worst = 0
    for one in dict.fromkeys(ids):
        try:
            act(one)
        except CtlError as error:
            if len(ids) == 1:
                raise
            click.echo(f"{named(one)}: {error.format_message()}", err=True)
            worst = max(worst, error.exit_code)
    if worst:
        click.get_current_context().exit(worst)


def say_more(answer: Answer) -> None:
    """Tell on stderr how to get the next page, when there is one."""
    cursor = answer.object.get("next_cursor")
    if cursor:
        click.echo(f"more entries: --cursor {output.clean(cursor)}, or a larger --limit", err=True)
