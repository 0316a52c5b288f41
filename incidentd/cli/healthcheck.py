"""`incidentd healthcheck`: for a container's HEALTHCHECK, which has neither shell nor curl."""

from __future__ import annotations

import urllib.error
import urllib.request

import click

from incidentd.cli.common import fail


@click.command()
@click.option(
    "--url", default="http://127.0.0.1:8650", envvar="INCIDENTD_URL", show_default=True, show_envvar=True
)
def healthcheck(url: str) -> None:
    """Ask a running daemon whether it is ready: exit 0, or 1 with the reason."""
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
