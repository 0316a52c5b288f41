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
SCOPES = ("ingest", "read", "respond", "admin")


@click.group()
def token() -> None:
    """Make, list and revoke API tokens."""


@token.command()
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, required=True, type=click.Choice(SCOPES), help="Repeat for several."
)
@click.option("--source", help="The configured source whose alerts this token posts.")
@click.option("--expires", metavar="DURATION", help="Stop working after, e.g. 90d. Without it: never.")
@config_option
def create(
    name: str, scopes: tuple[str, ...], source: str | None, expires: str | None, config_path: Path
) -> None:
    """Make a token called NAME and print it, this once.

    \b
    ingest   post alerts and deployments        read     read everything but tokens
    respond  acknowledge, resolve, note, ...    admin    all of it, and reload
    """
    from incidentd.clock import SystemClock
    from incidentd.workflows.tokens import create as store_token
    from incidentd.workflows.tokens import new_token

    _check_name(name)
    config = load_or_fail(config_path).config
    if source is not None and source not in config.sources:
        fail(f"--source {source} is not configured; configured: {', '.join(config.sources)}")
    now, actor = SystemClock().now(), operator()
    lifetime = _lifetime(expires)
    secret, stored = new_token(name, scopes, source, now + lifetime if lifetime else None, now)
    if not _write(config, lambda tx: store_token(tx, stored, actor)):
        fail(
            f"a token named {name} exists; revoke it first, or choose another name (two at a time make rotation easy)"
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

    from incidentd.config.server import TokenName

    try:
        TypeAdapter(TokenName).validate_python(name)
    except ValidationError as error:
        why = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise click.BadParameter(f"{name!r} {why}", param_hint="NAME") from None


def _lifetime(text: str | None) -> timedelta | None:
    from incidentd.domain.duration import parse_duration

    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--expires") from None


def _state(t: StoredToken) -> str:
    if t.revoked_at is not None:
        return f"revoked {t.revoked_at:%Y-%m-%d %H:%M}"
    used = f"last used {t.last_used_at:%Y-%m-%d %H:%M}" if t.last_used_at else "never used"
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
