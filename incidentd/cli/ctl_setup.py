"""Commands about the CLI itself: config, completion."""

from __future__ import annotations

import json

import click

from incidentd.cli import output
from incidentd.cli.ctl_common import Session, api_options, pass_session


@click.command("config", short_help="Show which server, user and profile are in force.")
@api_options
@pass_session
def config(session: Session) -> None:
    """Show which server, token, user and profile are in force and where each comes from.

    The token itself is never shown. For each value an option beats the environment, which beats the profile:

    \b
      --url     INCIDENTD_URL      url = "https://incidents.example.com"
      --token   INCIDENTD_TOKEN    token = "..."  or  token_file = "prod.token"
                INCIDENTD_USER     user = "alice"
      --profile INCIDENTD_PROFILE  [default], [prod], ...

    A profile's token is only sent to that profile's url.
    """
    settings = session.settings()
    token = f"set, from {settings.token_from}" if settings.token else "none"
    path = f"{settings.path}{'' if settings.path.exists() else ' (not there)'}"
    values = {"url": settings.url, "url_from": settings.url_from, "token": token, "user": settings.user}
    values |= {"profile": settings.profile, "profiles_file": path, "note": settings.notice}
    if session.json:
        click.echo(json.dumps(values))
        return
    values["url"] = f"{settings.url} (from {values.pop('url_from')})"
    output.print_fields([(name.replace("_", " "), value) for name, value in values.items()])


@click.command("completion", short_help="Print the shell completion script.")
@click.argument("shell", metavar="SHELL", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script for SHELL: bash, zsh or fish.

    \b
    Examples:
      eval "$(incidentctl completion bash)"          # in ~/.bashrc
      eval "$(incidentctl completion zsh)"           # in ~/.zshrc
      incidentctl completion fish > ~/.config/fish/completions/incidentctl.fish
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(kind(ctx.find_root().command, {}, "incidentctl", "_INCIDENTCTL_COMPLETE").source())
