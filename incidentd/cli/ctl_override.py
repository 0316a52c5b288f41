"""Commands about overrides: who stands in for whom, and until when."""

from __future__ import annotations

from datetime import datetime

import click

from incidentd.cli import output
from incidentd.cli.client import Answer
from incidentd.cli.ctl_common import Session, api_options, page_options, pass_session, say_more
from incidentd.cli.ctl_oncall import absolute, moment, path_of, zone_of
from incidentd.cli.output import clean, when


@click.group("override", short_help="Put somebody on duty for a while; list or cancel that.")
def override() -> None:
    """Put somebody on duty for a while, whatever the layers of a schedule say.

    A swap is two overrides: each stands in for the other.

    \b
    Examples:
      incidentctl override add primary bob now +4h -m "alice is at the dentist"
      incidentctl override add primary bob "2026-12-24 18:00" "2026-12-26 09:00"
      incidentctl override list primary
      incidentctl override cancel 7
    """


@override.command("add", short_help="Put somebody on duty for a while.")
@click.argument("schedule_name", metavar="SCHEDULE")
@click.argument("user", metavar="USER")
@click.argument("start", metavar="FROM")
@click.argument("end", metavar="TO")
@click.option("-m", "--note", metavar="TEXT", help="Why.")
@api_options
@pass_session
def add(
    session: Session, /, *, schedule_name: str, user: str, start: str, end: str, note: str | None
) -> None:
    """Put USER on duty in SCHEDULE from FROM until TO.

    A time is RFC 3339, or "2026-12-24 18:00" in the schedule's zone, or now; +4h as TO counts from FROM.
    """
    client, now, zone = session.client(), session.now(), None
    if not (absolute(start) and absolute(end)):
        zone = zone_of(client.get(path_of(schedule_name)).object.get("time_zone"))
    begin = moment(start, zone, now)
    until = moment(end, zone, now, base=begin)
    body = {
        "user": user,
        "starts_at": begin.isoformat(),
        "ends_at": until.isoformat(),
        "note": note,
    }
    answer = client.post(f"{path_of(schedule_name)}/overrides", body)
    if not session.printed(answer):
        click.echo(_outcome(answer, now))


def _outcome(answer: Answer, now: datetime) -> str:
    made = answer.object
    who, where = clean(made.get("user")), clean(made.get("schedule"))
    times = f"from {when(made.get('starts_at'), now)} until {when(made.get('ends_at'), now)}"
    return f"override {clean(made.get('id'))}: {who} is on duty in {where} {times}"


@override.command("list", short_help="List overrides.")
@click.argument("schedule_name", metavar="[SCHEDULE]", required=False)
@page_options
@api_options
@pass_session
def list_overrides(session: Session, /, *, schedule_name: str | None, **page: str | int | None) -> None:
    """List the overrides of SCHEDULE, or of all, newest first; also those that are over or cancelled."""
    path = f"{path_of(schedule_name)}/overrides" if schedule_name is not None else "/api/v1/overrides"
    answer = session.client().get(path, page)
    if session.printed(answer):
        return
    if not answer.items:
        click.echo("no overrides")
        return
    now = session.now()
    columns = {
        "ID": lambda i: i.get("id"),
        "SCHEDULE": lambda i: i.get("schedule"),
        "USER": lambda i: i.get("user"),
        "FROM": lambda i: when(i.get("starts_at"), now),
        "UNTIL": lambda i: when(i.get("ends_at"), now),
        "BY": lambda i: i.get("created_by"),
        "CANCELLED": lambda i: when(i.get("cancelled_at"), now),
        "NOTE": lambda i: i.get("note"),
    }
    output.print_table(output.table_of(answer.items, columns))
    say_more(answer)


@override.command("cancel", short_help="Cancel an override.")
@click.argument("override_id", metavar="ID", type=click.IntRange(1))
@api_options
@pass_session
def cancel(session: Session, /, *, override_id: int) -> None:
    """Cancel the override with this ID; one that has begun ends now."""
    answer = session.client().delete(f"/api/v1/overrides/{override_id}")
    if not session.printed(answer):
        made = answer.object
        who, where = clean(made.get("user")), clean(made.get("schedule"))
        click.echo(f"override {override_id} is cancelled: the layers of {where} count again, not {who}")
