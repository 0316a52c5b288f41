"""`incidentd route-test`: what would follow from one webhook body."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from incidentd.cli.common import fail, load_or_fail
from incidentd.cli.main import config_option


def _instant(_: click.Context, parameter: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(
            "is no time; accepted: RFC 3339, such as 2026-11-20T17:00:00Z", param=parameter
        ) from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


@click.command("route-test")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@config_option
@click.option(
    "--at", callback=_instant, help="When it arrives: RFC 3339; now unless given, UTC without an offset."
)
@click.option("--source", help="Who sends it; the first configured source unless given.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def route_test(file: Path, config_path: Path, at: datetime | None, source: str | None, as_json: bool) -> None:
    """Show what would follow from a webhook body in FILE (- is standard input), of Alertmanager or Grafana.

    For each alert the route it takes and why, and the incident it would open or join; for each incident who would be
    told, over what and when, while nobody answers (24 hours). Offline: nothing is sent, and the database is not
    asked, so overrides and open incidents are not known.
    """
    import sys

    import orjson

    from incidentd.cli.offline import rules_for
    from incidentd.clock import SystemClock
    from incidentd.ingest.alertmanager import parse
    from incidentd.ingest.types import NotAWebhookError
    from incidentd.replay import dry_run

    config = load_or_fail(config_path).config
    if source is not None and source not in config.sources:
        fail(f'there is no source "{source}"; accepted: {", ".join(config.sources)}')
    moment = at or SystemClock().now()
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        post = parse(data, source or config.default_source, moment)
    except OSError as error:
        fail(f"cannot read {file}: {error.strerror}")
    except NotAWebhookError as error:
        fail(f"{file}: {error.detail}")
    run = dry_run.dry_run(post, rules_for(config), moment)
    if as_json:
        click.echo(orjson.dumps(dry_run.as_json(run), option=orjson.OPT_INDENT_2).decode())
        return
    for line in dry_run.as_text(run):
        click.echo(line)
