"""`incidentd user`: accounts of people who sign in with a password."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from incidentd.cli.common import fail, load_or_fail, operator, with_store
from incidentd.cli.main import config_option

if TYPE_CHECKING:
    from datetime import datetime

    from incidentd.config import Config
    from incidentd.store.accounts import Account
    from incidentd.store.engine import Store, Tx

T = TypeVar("T")
ROLES = ("viewer", "responder", "manager", "admin")
_role = click.option("--role", required=True, type=click.Choice(ROLES), help="What they may do.")
_teams = click.option(
    "--team", "teams", multiple=True, help="Only incidents of this team (auth.teams). Repeat for several."
)
_generate = click.option("--generate", is_flag=True, help="Make up a password and print it, this once.")


@click.group()
def user() -> None:
    """Make, list, change and disable accounts of people who sign in."""


@user.command()
@click.argument("name")
@_role
@_teams
@_generate
@config_option
def add(name: str, role: str, teams: tuple[str, ...], generate: bool, config_path: Path) -> None:
    """Make an account called NAME. Its password is asked for, or read from standard input.

    \b
    viewer   read                               manager  and put dead deliveries back
    responder  and work on incidents            admin    all of it
    """
    from incidentd.store.accounts import Account
    from incidentd.workflows import accounts

    _check_name(name)
    config = load_or_fail(config_path).config
    _check_teams(config, role, teams)
    now, actor = _now(), operator()
    made = Account(name, _hashed(name, generate=generate), role, teams or None, now, now)
    if not _write(config, lambda tx: accounts.create(tx, made, actor)):
        fail(f"an account named {name} exists; see `incidentd user list`")
    click.echo(f"{name} can sign in as {role} at {config.server.public_url}/login", err=True)


@user.command("list")
@config_option
def list_users(config_path: Path) -> None:
    """List the accounts."""
    from incidentd.store import accounts

    for one in _write(load_or_fail(config_path).config, accounts.every):
        role = one.role if one.teams is None else f"{one.role} of {','.join(one.teams)}"
        click.echo(f"{one.name}\t{role}\t{_state(one)}")


@user.command()
@click.argument("name")
@_generate
@config_option
def passwd(name: str, generate: bool, config_path: Path) -> None:
    """Give the account called NAME another password, and end all its sessions."""
    from incidentd.store import accounts as store
    from incidentd.workflows import accounts

    config = load_or_fail(config_path).config
    if _write(config, lambda tx: store.get(tx, name)) is None:
        _unknown(name)
    digest, now, actor = _hashed(name, generate=generate), _now(), operator()
    if not _write(config, lambda tx: accounts.change_password(tx, name, digest, actor, now)):
        _unknown(name)
    click.echo(f"the password of {name} is changed; they are signed out everywhere", err=True)


@user.command()
@click.argument("name")
@_role
@_teams
@config_option
def role(name: str, role: str, teams: tuple[str, ...], config_path: Path) -> None:
    """Make NAME something else, and end all their sessions."""
    from incidentd.workflows import accounts

    config = load_or_fail(config_path).config
    _check_teams(config, role, teams)
    now, actor = _now(), operator()
    if not _write(config, lambda tx: accounts.change_role(tx, name, role, teams or None, actor, now)):
        _unknown(name)
    click.echo(f"{name} is {role} from now on; they are signed out everywhere")


@user.command()
@click.argument("name")
@config_option
def disable(name: str, config_path: Path) -> None:
    """Let NAME in no more; their sessions end within 5 seconds."""
    from incidentd.workflows import accounts

    now, actor = _now(), operator()
    if not _write(load_or_fail(config_path).config, lambda tx: accounts.disable(tx, name, actor, now)):
        _unknown(name)
    click.echo(f"{name} is disabled")


@user.command()
@click.argument("name")
@config_option
def enable(name: str, config_path: Path) -> None:
    """Let NAME in again, with the password from before."""
    from incidentd.workflows import accounts

    now, actor = _now(), operator()
    if not _write(load_or_fail(config_path).config, lambda tx: accounts.enable(tx, name, actor, now)):
        _unknown(name)
    click.echo(f"{name} can sign in again")


@user.command("sign-out")
@click.argument("name")
@config_option
def sign_out(name: str, config_path: Path) -> None:
    """End all sessions of NAME, which may also be somebody who signed in by OIDC."""
    from incidentd.workflows import accounts

    now, actor = _now(), operator()
    ended = _write(load_or_fail(config_path).config, lambda tx: accounts.sign_out_all(tx, name, actor, now))
    click.echo(f"{ended} sessions of {name} ended")


def _hashed(name: str, *, generate: bool) -> str:
    from incidentd.domain.password import fault
    from incidentd.workflows.passwords import Passwords

    if generate:
        import secrets

        password = secrets.token_urlsafe(18)
        click.echo(password)
    elif sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().removesuffix("\n").removesuffix("\r")
    wrong = fault(password, name)
    if wrong is not None:
        fail(f"the password {wrong}")
    return Passwords().hashed(password)


def _unknown(name: str) -> None:
    fail(f"there is no account named {name}; see `incidentd user list`")


def _check_name(name: str) -> None:
    from pydantic import TypeAdapter, ValidationError

    from incidentd.config.access import TokenName

    try:
        TypeAdapter(TokenName).validate_python(name)
    except ValidationError as error:
        why = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise click.BadParameter(f"{name!r} {why}", param_hint="NAME") from None


def _check_teams(config: Config, role: str, teams: tuple[str, ...]) -> None:
    for team in teams:
        if team not in config.auth.teams:
            fail(f"--team {team} is not configured; configured: {', '.join(config.auth.teams) or 'none'}")
    if teams and role == "admin":
        fail("--team cannot hold for an admin; accepted with it: viewer, responder, manager")


def _state(one: Account) -> str:
    if one.disabled_at is not None:
        return f"disabled {one.disabled_at:%Y-%m-%d %H:%M}"
    return f"signed in {one.signed_in_at:%Y-%m-%d %H:%M}" if one.signed_in_at else "never signed in"


def _now() -> datetime:
    from incidentd.clock import SystemClock

    return SystemClock().now()


def _write(config: Config, work: Callable[[Tx], T]) -> T:
    from incidentd.store.errors import StoreUnavailableError

    async def use(store: Store) -> T:
        return await store.write(work)

    try:
        return asyncio.run(with_store(config, use))
    except StoreUnavailableError as error:
        fail(str(error))
