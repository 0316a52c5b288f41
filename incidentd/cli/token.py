"""`incidentd token`: API tokens in the database. Printed once, stored as a hash."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from incidentd.cli.common import fail, load_or_fail, operator, with_store
from incidentd.cli.main import config_option

if TYPE_CHECKING:
    from incidentd.config import Config
    from incidentd.store.engine import Tx
    from incidentd.store.tokens import StoredToken

T = TypeVar("T")
SCOPES = ("ingest", "read", "respond", "manage", "admin")


@click.group()
def token() -> None:
    """Make, list, rotate and revoke API tokens."""


@token.command()
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, required=True, type=click.Choice(SCOPES), help="Repeat for several."
)
@click.option("--source", help="The configured source whose alerts this token posts.")
@click.option("--expires", metavar="DURATION", help="Stop working after, e.g. 90d. Without it: never.")
@click.option(
    "--team", "teams", multiple=True, help="Only incidents of this team (auth.teams). Repeat for several."
)
@config_option
def create(
    name: str,
    scopes: tuple[str, ...],
    source: str | None,
    expires: str | None,
    teams: tuple[str, ...],
    config_path: Path,
) -> None:
    """Make a token called NAME and print it, this once.

    \b
    ingest   post alerts and deployments        read     read everything but tokens
    respond  acknowledge, resolve, note, ...    manage   put dead deliveries back
    admin    all of it, and reload, audit
    """
    from incidentd.clock import SystemClock
    from incidentd.workflows.tokens import create as store_token
    from incidentd.workflows.tokens import new_token

    _check_name(name)
    config = load_or_fail(config_path).config
    if source is not None and source not in config.sources:
        fail(f"--source {source} is not configured; configured: {', '.join(config.sources)}")
    _check_teams(config, scopes, teams)
    now, actor = SystemClock().now(), operator()
    lifetime = _span(expires, "--expires")
    until = now + lifetime if lifetime else None
    secret, stored = new_token(name, scopes, source, until, now, teams or None)
    if not _write(config, lambda tx: store_token(tx, stored, actor)):
        fail(
            f"a token named {name} exists; replace it with `incidentd token rotate {name}`, or choose another name"
        )
    click.echo(secret)
    click.echo(f"keep it now: it cannot be shown again. Scopes: {', '.join(stored.scopes)}", err=True)


@token.command("list")
@config_option
def list_tokens(config_path: Path) -> None:
    """List the tokens of the database; those of the configuration are in its file."""
    from incidentd.store import tokens

    for t in _write(load_or_fail(config_path).config, tokens.all_tokens):
        click.echo(f"{t.name}\t{','.join(t.scopes)}\t{_state(t)}")


@token.command()
@click.argument("name")
@click.option(
    "--overlap",
    default="24h",
    show_default=True,
    metavar="DURATION",
    help="How long the present one works on.",
)
@config_option
def rotate(name: str, overlap: str, config_path: Path) -> None:
    """Give the token called NAME another secret and print it, this once. Both work until the overlap is over."""
    from incidentd.clock import SystemClock
    from incidentd.workflows import tokens as workflow

    span, now, actor = _span(overlap, "--overlap") or timedelta(), SystemClock().now(), operator()
    secret, config = workflow.new_secret(), load_or_fail(config_path).config
    if _write(config, lambda tx: workflow.rotate(tx, name, secret, now + span, actor, now)) is None:
        fail(f"there is no token named {name} in force; see `incidentd token list`")
    click.echo(secret)
    click.echo(
        f"keep it now: it cannot be shown again. The one before works until {now + span:%Y-%m-%d %H:%M} UTC",
        err=True,
    )


@token.command()
@click.argument("name")
@config_option
def revoke(name: str, config_path: Path) -> None:
    """Make the token called NAME worthless; running daemons notice within 5 seconds."""
    from incidentd.clock import SystemClock
    from incidentd.workflows.tokens import revoke as end_token

    now, actor = SystemClock().now(), operator()
    if not _write(load_or_fail(config_path).config, lambda tx: end_token(tx, name, actor, now)):
        fail(f"there is no token named {name} in force; see `incidentd token list`")
    click.echo(f"revoked {name}")


def _check_name(name: str) -> None:
    from pydantic import TypeAdapter, ValidationError

    from incidentd.config.access import TokenName

    try:
        TypeAdapter(TokenName).validate_python(name)
    except ValidationError as error:
        why = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise click.BadParameter(f"{name!r} {why}", param_hint="NAME") from None


def _check_teams(config: Config, scopes: tuple[str, ...], teams: tuple[str, ...]) -> None:
    for team in teams:
        if team not in config.auth.teams:
            fail(f"--team {team} is not configured; configured: {', '.join(config.auth.teams) or 'none'}")
    if teams and {"ingest", "admin"} & set(scopes):
        fail("--team cannot hold for the scopes ingest and admin; accepted with it: read, respond, manage")


def _span(text: str | None, option: str) -> timedelta | None:
    from incidentd.domain.duration import parse_duration

    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from None


def _state(t: StoredToken) -> str:
    if t.revoked_at is not None:
        return f"revoked {t.revoked_at:%Y-%m-%d %H:%M}"
    used = f"last used {t.last_used_at:%Y-%m-%d %H:%M}" if t.last_used_at else "never used"
    if t.previous_until is not None:
        used += f", rotated: the one before works until {t.previous_until:%Y-%m-%d %H:%M}"
    if t.teams is not None:
        used += f", teams {','.join(t.teams)}"
    return used + (f", expires {t.expires_at:%Y-%m-%d %H:%M}" if t.expires_at else "")


def _write(config: Config, work: Callable[[Tx], T]) -> T:
    from incidentd.store.engine import Store
    from incidentd.store.errors import StoreUnavailableError

    async def use(store: Store) -> T:
        return await store.write(work)

    try:
        return asyncio.run(with_store(config, use))
    except StoreUnavailableError as error:
        fail(str(error))
