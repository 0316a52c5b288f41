"""`incidentd healthcheck`: for a container's HEALTHCHECK, which has neither shell nor curl."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import click
from click.core import ParameterSource

from incidentd.cli.common import fail
from incidentd.cli.main import config_option

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what a daemon may listen on, and where it is found


@click.command()
@click.option(
    "--url",
    envvar="INCIDENTD_URL",
    show_envvar=True,
    help="Where it is. Without: server.host and server.port of the configuration.",
)
@config_option
@click.pass_context
def healthcheck(ctx: click.Context, url: str | None, config_path: Path) -> None:
    """Ask a running daemon whether it is ready: exit 0, or 1 with the reason.

    Of the configuration only its address is read, so the secrets it names need not be there.
    """
    if not url:
        by_default = ctx.get_parameter_source("config_path") is ParameterSource.DEFAULT
        url = _url_in(config_path, may_be_missing=by_default)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    if not url.startswith(("http://", "https://")):
        fail(f"{url} is not an address; accepted: http://HOST:PORT")
    try:
        with opener.open(f"{url.rstrip('/')}/health/ready", timeout=5) as answer:
            click.echo(f"ready ({answer.status})")
    except urllib.error.HTTPError as error:
        fail(f"not ready: {error.code}")
    except OSError as error:
        fail(f"cannot reach {url}: {getattr(error, 'reason', error)}")


def _url_in(path: Path, *, may_be_missing: bool) -> str:
    """Where a daemon with this configuration is found on its own machine; the default without a file."""
    from pydantic import ValidationError

    from incidentd.config import ConfigError, Server
    from incidentd.config.loader import read
    from incidentd.sockets import url_of

    if may_be_missing and not path.exists():
        section: object = {}
    else:
        try:
            section = read(path).raw.get("server") or {}
        except ConfigError as error:
            fail(f"{path}: {error}")
    given = section if isinstance(section, dict) else {}
    try:
        server = Server.model_validate({key: given[key] for key in ("host", "port") if key in given})
    except ValidationError as error:
        fail(f"{path}: server.{error.errors()[0]['loc'][0]} is wrong; incidentd check-config {path} says how")
    if not server.port:
        fail(f"{path}: server.port is 0, so only the daemon knows its port: set INCIDENTD_URL")
    return url_of(_EVERYWHERE.get(server.host, server.host), server.port)
