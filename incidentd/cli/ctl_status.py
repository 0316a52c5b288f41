"""Commands about the public status page: drafts, publishing, updates; maintenance and overrides beside it."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from incidentd.cli.client import Answer
from incidentd.cli.ctl_common import Duration, Session, api_options, pass_session
from incidentd.cli.ctl_status_plans import maintenance, override
from incidentd.cli.ctl_status_public import import_, subscribers
from incidentd.cli.ctl_status_read import PATH, drafts, listed, quoted, show
from incidentd.cli.output import clean

_PHASES = ("investigating", "identified", "monitoring", "resolved")
_IMPACTS = ("none", "minor", "major", "critical")
_force = click.option("--force", is_flag=True, help="Although the text holds what looks internal; recorded.")
_body = click.option("-m", "--body", metavar="TEXT", help="The text; default: the template's.")
_components = click.option(
    "-c", "--component", "components", metavar="NAME=STATUS", multiple=True, help="How a component fares now."
)


@click.group("status", short_help="Decide what the public status page tells.")
def status() -> None:
    """Decide what the public status page tells.

    ID is that of a publication, or INC-12 for the newest one of an incident.

    \b
    Examples:
      incidentctl status drafts
      incidentctl status publish INC-12
      incidentctl status update INC-12 --status identified -m "A disk is full."
      incidentctl status resolve INC-12
    """


for _command in (drafts, listed, show, maintenance, override, subscribers, import_):
    status.add_command(_command)


@status.command("publish", short_help="Make a draft public.")
@click.argument("code", metavar="ID")
@_body
@_components
@click.option("--title", metavar="TEXT", help="What the public calls it.")
@click.option(
    "--impact", type=click.Choice(_IMPACTS), help="In place of the one that follows from components."
)
@click.option("--next-update", metavar="DURATION", type=Duration(), help="The next update is due after that.")
@click.option("--started-at", metavar="TIME", help="When the impact began.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@_force
@api_options
@pass_session
def publish(session: Session, /, *, code: str, yes: bool, **given: Any) -> None:
    """Make a draft public, after showing what the public will read.

    \b
    Examples:
      incidentctl status publish INC-12
      incidentctl status publish INC-12 -c "API=partial_outage" -m "Payments fail." --yes
    """
    client, path, said = session.client(), f"{PATH}/{quoted(code)}/publish", _said(given)
    if not yes:
        shown = client.post(path, {**said, "preview": True}).object
        click.echo(_difference(shown), err=True)
        click.confirm("publish this?", abort=True, err=True)
    _report(session, client.post(path, said), "published")


@status.command("open", short_help="Open a public incident that no alert told of.")
@click.argument("title", metavar="TITLE")
@_body
@_components
@click.option(
    "--impact", type=click.Choice(_IMPACTS), help="In place of the one that follows from components."
)
@click.option("--next-update", metavar="DURATION", type=Duration(), help="The next update is due after that.")
@click.option("--started-at", metavar="TIME", help="When the impact began.")
@_force
@api_options
@pass_session
def opened(session: Session, /, **given: Any) -> None:
    """Open a public incident by hand. It ends by `incidentctl status resolve`.

    \b
    Example:
      incidentctl status open "Mail is delayed" -c Mail=degraded_performance -m "We are looking into it."
    """
    _report(session, session.client().post(PATH, _said(given)), "published")


@status.command("update", short_help="Say more about a public incident.")
@click.argument("code", metavar="ID")
@_body
@_components
@click.option("--status", "status_", type=click.Choice(_PHASES), help="Where it stands; default: as before.")
@click.option("--title", metavar="TEXT", help="What the public calls it from now on.")
@click.option(
    "--impact", type=click.Choice(_IMPACTS), help="In place of the one that follows from components."
)
@click.option("--next-update", metavar="DURATION", type=Duration(), help="The next update is due after that.")
@click.option("--started-at", metavar="TIME", help="When the impact began, if that is known better now.")
@_force
@api_options
@pass_session
def update(session: Session, /, *, code: str, status_: str | None, **given: Any) -> None:
    """Say more about a public incident.

    \b
    Example:
      incidentctl status update INC-12 --status identified -m "A disk is full." --next-update 30m
    """
    said = _said({**given, "status": status_})
    _report(session, session.client().post(f"{PATH}/{quoted(code)}/update", said), "updated")


@status.command("resolve", short_help="End a public incident.")
@click.argument("code", metavar="ID")
@_body
@_force
@api_options
@pass_session
def resolve(session: Session, /, *, code: str, **given: Any) -> None:
    """End a public incident; all its components are operational again.

    \b
    Example:
      incidentctl status resolve INC-12 -m "The disk is replaced."
    """
    _report(session, session.client().post(f"{PATH}/{quoted(code)}/resolve", _said(given)), "resolved")


@status.command("postmortem", short_help="Tell what it was.")
@click.argument("code", metavar="ID")
@click.argument("body", metavar="TEXT")
@_force
@api_options
@pass_session
def postmortem(session: Session, /, *, code: str, **given: Any) -> None:
    """Tell what a resolved incident was; `-` as TEXT reads it from standard input.

    \b
    Example:
      incidentctl status postmortem INC-12 - < postmortem.txt
    """
    said = _said(_read(given))
    _report(session, session.client().post(f"{PATH}/{quoted(code)}/postmortem", said), "told")


@status.command("correct", short_help="Write another revision of a public text.")
@click.argument("code", metavar="ID")
@click.argument("update", metavar="UPDATE")
@click.argument("body", metavar="TEXT")
@_force
@api_options
@pass_session
def correct(session: Session, /, *, code: str, **given: Any) -> None:
    """Correct a public text; UPDATE is its id in `status show`. Every revision is kept.

    \b
    Example:
      incidentctl status correct INC-12 5f0c2a9b1d3e "Search was down for an hour."
    """
    said = _said(_read(given))
    _report(session, session.client().post(f"{PATH}/{quoted(code)}/correct", said), "corrected")


@status.command("discard", short_help="A draft does not become public.")
@click.argument("code", metavar="ID")
@api_options
@pass_session
def discard(session: Session, /, *, code: str) -> None:
    """Discard a draft: the public is not told of that incident.

    \b
    Example:
      incidentctl status discard INC-12
    """
    _report(session, session.client().post(f"{PATH}/{quoted(code)}/discard", {}), "discarded")


def _read(given: dict[str, Any]) -> dict[str, Any]:
    if given["body"] == "-":
        return {**given, "body": sys.stdin.read().strip()}
    return given


def _said(given: dict[str, Any]) -> dict[str, Any]:
    said = {key: value for key, value in given.items() if value not in (None, False, ())}
    if "components" in said:
        components: tuple[str, ...] = said["components"]
        said["components"] = dict([_component(text) for text in components])
    return said


def _component(text: str) -> tuple[str, str]:
    name, sign, word = text.rpartition("=")
    if not sign or not name or not word:
        raise click.BadParameter(f"{clean(text)!r} is not NAME=STATUS", param_hint="--component")
    return name, word


def _difference(shown: dict[str, Any]) -> str:
    before, after = shown.get("before") or {}, shown.get("after") or {}
    lines = ["now:  " + clean(_headline(before)), "then: " + clean(_headline(after)), ""]
    old = before.get("components") or {}
    for key, word in (after.get("components") or {}).items():
        if old.get(key) != word:
            lines.append(f"component {clean(key)}: {clean(old.get(key))} -> {clean(word)}")
    return "\n".join(
        [*lines, clean(json.dumps(after.get("incident"), indent=2, ensure_ascii=False), lines=True)]
    )


def _headline(side: dict[str, Any]) -> str:
    found = side.get("status") or {}
    return f"{found.get('description')} ({found.get('indicator')})"


def _report(session: Session, answer: Answer, what: str) -> None:
    if not session.printed(answer):
        found = answer.object
        click.echo(
            f"{what}: {clean(found.get('id'))} {clean(found.get('title'))} ({clean(found.get('status'))})"
        )
