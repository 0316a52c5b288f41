"""Commands about the runbook of an incident: runbook, step."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

import click

from incidentd.cli import output
from incidentd.cli.ctl_automation import print_output, run_words
from incidentd.cli.ctl_common import IncidentId, Session, api_options, pass_session
from incidentd.cli.output import clean, when

_Json = dict[str, Any]
_STATES = {"done": "done", "skip": "skipped", "reset": "pending", "run": "running", "stop": "stopped"}
"""What people type, and the state that the API calls so."""
_OUTPUT = "output"
_ENDLESS = 1_000_000
"""Characters of a line that is not for a terminal."""


@click.command("runbook", short_help="Show the runbook of an incident and its steps.")
@click.argument("incident_id", metavar="ID", type=IncidentId())
@api_options
@pass_session
def runbook(session: Session, /, *, incident_id: int) -> None:
    """Print the runbook links of one incident, one on each line, then the steps of its runbook.

    Links come from the incident and from the runbook_url annotation of its alerts. The steps are those of the
    runbook that matched as the incident opened, as it was then.

    \b
    Examples:
      incidentctl runbook INC-12
      incidentctl runbook INC-12 --json | jq -r .text
    """
    path = f"/api/v1/incidents/{incident_id}"
    if session.json:
        session.printed(session.client().get(f"{path}/runbook"))
        return
    incident = session.client().get(path).object
    links = list(runbook_links(incident))
    for link in links:
        click.echo(link)
    if _matched(incident):
        click.echo("\n" if links else "", nl=False)
        _print_steps(session.client().get(f"{path}/runbook").object, session)
    elif not links:
        click.echo(
            f"{output.ref(incident_id)} has no runbook: write one that matches its labels, or add a runbook_url"
            " annotation to its alerts",
            err=True,
        )


@click.command("step", short_help="Mark a step of an incident's runbook, or run it.")
@click.argument("incident_id", metavar="ID", type=IncidentId())
@click.argument("number", metavar="N", type=click.IntRange(1, 9999))
@click.argument("action", metavar="done|skip|reset|run|stop|output", type=click.Choice([*_STATES, _OUTPUT]))
@click.option("-m", "--comment", metavar="TEXT", help="What came of it, or why; kept in the timeline.")
@click.option("--dry-run", is_flag=True, help="With run: say what would be done, and do nothing.")
@api_options
@pass_session
def step(
    session: Session, /, *, incident_id: int, number: int, action: str, comment: str | None, dry_run: bool
) -> None:
    """Mark step N of one incident's runbook: done, skipped, or (reset) to be done after all.

    `run` has a machine take an automated step, or agrees as the second person; `stop` ends that; `output` prints what
    it said.

    \b
    Examples:
      incidentctl step INC-12 3 done -m "two pods restarted"
      incidentctl step INC-12 4 skip
      incidentctl step INC-12 5 run --dry-run
      incidentctl step INC-12 5 output
    """
    if dry_run and action != "run":
        raise click.UsageError("--dry-run goes with run")
    if action == _OUTPUT:
        print_output(session, incident_id, number)
        return
    body: _Json = {"state": _STATES[action], "comment": comment or ""}
    if dry_run:
        body["dry_run"] = True
    answer = session.client().post(f"/api/v1/incidents/{incident_id}/runbook/steps/{number}", body)
    if session.printed(answer):
        return
    book = answer.object
    found: _Json = next((each for each in book.get("steps") or [] if each.get("number") == number), {})
    if action in {"run", "stop"}:
        said = run_words(found.get("run")) or f"{clean(found.get('state'))} already"
        click.echo(f"{output.ref(incident_id)} step {number} {said}: {clean(found.get('text'))}")
        return
    left = f"{book.get('steps_done')} of {book.get('steps_total')} done"
    click.echo(
        f"{output.ref(incident_id)} step {number} {clean(found.get('state'))}: {clean(found.get('text'))} ({left})"
    )


def _print_steps(book: _Json, session: Session) -> None:
    click.echo(
        f"{clean(book.get('title'))} ({clean(book.get('name'))}, {book.get('steps_done')} of"
        f" {book.get('steps_total')} done)"
    )
    # Columns would squeeze the words that matter: what to do has the whole width.
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _ENDLESS
    for step in book.get("steps") or []:
        head = f"{clean(step.get('number')):>2}  {clean(step.get('state')):<7}  "
        for line in (clean(step.get("text")), *_about(step, session)):
            click.echo(textwrap.fill(line, width, initial_indent=head, subsequent_indent=" " * len(head)))
            head = " " * len(head)


def _about(step: _Json, session: Session) -> Iterator[str]:
    """What more is known of a step, line by line: what a machine can do or did, who moved it and what they said."""
    known = [_automated(step.get("action")), run_words(step.get("run"))]
    if any(known):
        yield ": ".join(filter(None, known))
    if step.get("actor"):
        said = f": {clean(step['comment'])}" if step.get("comment") else ""
        yield f"{clean(step['actor'])}, {when(step.get('at'), session.now())}{said}"


def _automated(action: _Json | None) -> str:
    return clean(f"{action.get('kind')}, {action.get('run')}") if action else ""


def _matched(incident: _Json) -> bool:
    found = incident.get("runbook")
    return isinstance(found, dict) and bool(found.get("name"))


def runbook_links(incident: _Json) -> Iterator[str]:
    """Yield each http(s) link once; other schemes are not for clicking."""
    found = incident.get("runbook")
    candidates = [found.get("url")] if isinstance(found, dict) else [found]
    candidates += [
        (alert.get("annotations") or {}).get("runbook_url") for alert in incident.get("alerts") or []
    ]
    for link in dict.fromkeys(clean(candidate).strip() for candidate in candidates):
        if link.lower().startswith(("http://", "https://")):
            yield link


def runbook_words(incident: _Json) -> str:
    """The runbook as `incidentctl show` tells it: its name and how far it is, then the links."""
    found = incident.get("runbook")
    own = (
        [f"{clean(found['name'])}, {found.get('steps_done')} of {found.get('steps_total')} done"]
        if (isinstance(found, dict) and _matched(incident))
        else []
    )
    return "\n".join([*own, *runbook_links(incident)])
