"""Commands that show figures: report, slo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from incidentd.cli import output
from incidentd.cli.ctl_common import Duration, Session, api_options, pass_session
from incidentd.cli.output import clean, span, when

if TYPE_CHECKING:
    from incidentd.rendering.sections import Section

_Json = dict[str, Any]
_FORMATS = ("table", "json", "csv", "md", "html")


@click.command("report", short_help="Show the figures of a window, DORA's too.")
@click.option("--window", type=Duration(), default="30d", show_default=True, help="How far to look back.")
@click.option("--service", metavar="NAME", help="Only this service.")
@click.option("--dora", is_flag=True, help="Only how deployments go, with the class of each figure.")
@click.option("--runbooks", is_flag=True, help="Only which runbooks were used, and whether they help.")
@click.option("--format", "form", type=click.Choice(_FORMATS), default="table", help="As what.")
@api_options
@pass_session
def report(session: Session, /, *, dora: bool, runbooks: bool, form: str, **query: str | int | None) -> None:
    """Show how many incidents there were, how long it took to notice (MTTD), acknowledge (MTTA) and resolve (MTTR)
    them, who was paged, which alerts are noise, what runbooks were good for, and how deployments go.

    The HTML form is one file with drawings, which needs nothing else.

    \b
    Examples:
      incidentctl report
      incidentctl report --window 7d --service checkout
      incidentctl report --dora --window 90d
      incidentctl report --runbooks
      incidentctl report --format html > report.html
    """
    if form == "json":
        session.json = True
    if (dora or runbooks) and form not in {"table", "json"}:
        raise click.UsageError("--dora and --runbooks are for the table; the other forms have all figures")
    answer = session.client().get("/api/v1/report", query)
    if session.printed(answer):
        return
    figures = answer.object
    if form != "table":
        from incidentd.rendering.formats import Format, rendered

        click.echo(rendered(figures, Format(form)), nl=False)
        return
    now = session.now()
    click.echo(f"{when(figures.get('from'), now)} to {when(figures.get('to'), now)}")
    if not (dora or runbooks):
        _print_times(figures)
    _print_sections(figures, only_dora=dora, only_runbooks=runbooks)


def _print_times(figures: _Json) -> None:
    table = output.Table(
        (
            "",
            "OPENED",
            "RESOLVED",
            "MTTD MEAN",
            "MTTA MEAN",
            "P50",
            "P90",
            "P95",
            "MTTR MEAN",
            "P50",
            "P90",
            "P95",
        )
    )
    _add_figures(table, "all", figures.get("total") or {})
    for kind in ("severity", "service"):
        for row in figures.get(f"by_{kind}") or []:
            _add_figures(table, row.get(kind) or f"(no {kind})", row)
    output.print_table(table)


def _add_figures(table: output.Table, name: object, row: _Json) -> None:
    mtta, mttr = row.get("mtta") or {}, row.get("mttr") or {}
    acknowledged = (span(mtta.get(f"{key}_seconds")) for key in ("mean", "p50", "p90", "p95"))
    resolved = (span(mttr.get(f"{key}_seconds")) for key in ("mean", "p50", "p90", "p95"))
    detected = span((row.get("mttd") or {}).get("mean_seconds"))
    table.add(name, row.get("opened"), row.get("resolved"), detected, *acknowledged, *resolved)


def _print_sections(figures: _Json, *, only_dora: bool, only_runbooks: bool) -> None:
    from incidentd.rendering.sections import dora_sections, runbook_sections, sections

    if "dora" not in figures:
        return  # a daemon of an earlier version
    if only_runbooks:
        words = "no incident in this window, and no runbook to tell of"
        if "runbooks" not in figures:
            words = "this daemon is of an earlier version and has no figures about runbooks"
        _print_those(runbook_sections(figures), words)
    if only_dora:
        words = "no deployment to the counted environments ended in this window (figures.environments)"
        _print_those(dora_sections(figures["dora"]), words)
    if not (only_dora or only_runbooks):
        # What the table of times has shown already.
        known = {"All incidents", "Incidents by severity", "Incidents by service"}
        _print_those([section for section in sections(figures) if section.title not in known], "")


def _print_those(found: list[Section], otherwise: str) -> None:
    shown = [section for section in found if section.rows]
    for section in shown:
        _print_section(section)
    if not shown and otherwise:
        click.echo(otherwise)


def _print_section(section: Section) -> None:
    click.echo(f"\n{output.clean(section.title)}")
    table = output.Table([column.upper() for column in section.columns])
    for row in section.rows:
        table.add(*row)
    output.print_table(table)


@click.command("slo", short_help="Show how the objectives stand.")
@click.argument("name", required=False, metavar="[NAME]")
@click.option(
    "--svg", type=click.Path(dir_okay=False, path_type=Path), help="Write the burn-down to this file."
)
@api_options
@pass_session
def slo(session: Session, /, *, name: str | None, svg: Path | None) -> None:
    """Show each objective: the error budget left, how fast it is spent, its state. With NAME: who spent it.

    \b
    Examples:
      incidentctl slo
      incidentctl slo checkout-availability --svg burn-down.svg
    """
    if name is None:
        if svg is not None:
            raise click.UsageError("--svg needs the NAME of an objective")
        answer = session.client().get("/api/v1/slo")
        if session.printed(answer):
            return
        if not answer.items:
            click.echo("no objectives are configured (slo)")
            return
        output.print_table(_budget_table(answer.items))
        return
    from urllib.parse import quote

    answer = session.client().get(f"/api/v1/slo/{quote(name, safe='')}")
    if svg is not None:
        _write_drawing(svg, answer.object)
    if session.printed(answer):
        return
    _print_budget(answer.object)


def _budget_table(items: list[_Json]) -> output.Table:
    return output.table_of(
        items,
        {
            "NAME": lambda s: s.get("name"),
            "SERVICE": lambda s: s.get("service"),
            "TARGET": lambda s: f"{s.get('target')}%",
            "WINDOW": lambda s: s.get("window"),
            "STATE": lambda s: s.get("state") or f"unknown: {s.get('error') or 'not measured yet'}",
            "BUDGET LEFT": lambda s: _percent(s.get("budget_left")),
            "BURN 1H": lambda s: _rate(s, 0),
            "6H": lambda s: _rate(s, 1),
            "3D": lambda s: _rate(s, 2),
        },
    )


def _rate(item: _Json, place: int) -> str:
    rates = item.get("burn_rates") or []
    return f"{rates[place]['rate']:.2f}" if place < len(rates) else "-"


def _percent(ratio: object) -> str:
    return f"{ratio:.1%}" if isinstance(ratio, int | float) else "-"


def _print_budget(budget: _Json) -> None:
    output.print_table(_budget_table([budget]))
    debits = budget.get("debits") or []
    if not debits:
        return
    click.echo("\nspent by:")
    columns = {
        "INCIDENT": lambda d: d.get("ref"),
        "TIME": lambda d: span(d.get("seconds")),
        "OF THE BUDGET": lambda d: _percent(d.get("share")),
    }
    output.print_table(output.table_of(debits, columns))


def budget_words(incident: _Json) -> str:
    """What an incident took from error budgets, as `incidentctl show` tells it: one objective a line."""
    found = incident.get("budget_debits") or []
    return "\n".join(
        f"{span(debit.get('seconds'))} of {clean(debit.get('slo'))}, {_percent(debit.get('share'))} of its budget"
        for debit in found
    )


def _write_drawing(path: Path, budget: _Json) -> None:
    from datetime import datetime

    from incidentd.rendering.svg import burn_down

    course = [(datetime.fromisoformat(point["at"]), point["left"]) for point in budget.get("burn_down") or []]
    title = f"Error budget of {budget.get('name')}"
    path.write_text(burn_down(title, course, str(budget.get("state") or "")), encoding="utf-8")
