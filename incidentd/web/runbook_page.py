"""Runbooks as pages for people: nothing on them runs, and nothing is loaded from elsewhere."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Final

from aiohttp import web
from jinja2 import Environment, PackageLoader, Template
from markupsafe import Markup

from incidentd.channels.words import tidy, web_link, when
from incidentd.domain.automation import StepRun
from incidentd.domain.incident import Incident
from incidentd.domain.runbook import Runbook
from incidentd.domain.runbook_steps import Progress
from incidentd.runbooks.html import body_html
from incidentd.web.automation_answers import drawing
from incidentd.web.op import Call

_HTML: Final = "text/html; charset=utf-8"
_CSP: Final = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def named_page(call: Call, runbook: Runbook) -> web.Response:
    """A runbook of the folder."""
    about = {
        "For": ", ".join([str(matcher) for matcher in runbook.match]),
        "Service": runbook.service,
        "Severity": ", ".join(runbook.severities),
        "Owner": runbook.owner,
        "Version": runbook.version,
        "Last tested": runbook.tested,
    }
    return _answer(call, runbook.title, {name: value for name, value in about.items() if value}, runbook.text)


def incident_page(
    call: Call, incident: Incident, progress: Progress, text: str, runs: Sequence[StepRun] = ()
) -> web.Response:
    """The runbook of an incident, as it was when that opened, under the states of its steps."""
    about = {
        "Incident": f"INC-{incident.id} {tidy(incident.title)}",
        "State": f"{incident.state}, {incident.severity}",
        "Runbook": f"{progress.name}, as it was at {when(progress.attached_at)}",
    }
    latest = {run.number: run for run in runs}
    steps = [(step, progress.standing(step.number), _run(latest.get(step.number))) for step in progress.steps]
    link = web_link("the alert's own runbook", incident.runbook_url or "")
    return _answer(
        call,
        progress.title,
        about,
        text,
        incident.labels,
        steps=steps,
        link=link,
        ref=f"INC-{incident.id}",
        severity=incident.severity.value,
    )


def _run(run: StepRun | None) -> Mapping[str, object] | None:
    """What a machine did of a step: drawn by us from numbers alone, everything else is text."""
    if run is None:
        return None
    drawn = drawing(run)
    return {
        "state": run.state.value.replace("_", " "),
        "dry": run.dry_run,
        "summary": tidy(run.summary),
        # Made by rendering.svg of numbers and one name that it escapes.
        "chart": Markup(drawn) if drawn else None,  # noqa: S704 - see above
    }


def _answer(
    call: Call,
    title: str,
    about: Mapping[str, object],
    text: str,
    labels: Mapping[str, str] | None = None,
    **more: object,
) -> web.Response:
    headers = call.desk.headers(call.request_id, _HTML)
    headers["Content-Security-Policy"] = _CSP
    headers["X-Robots-Tag"] = "noindex, nofollow"
    # Behind a proxy the daemon may stand below a path: the way up is counted, not assumed.
    style = "../" * (call.request.path.count("/") - 1) + "ack.css"
    body = _template().render(
        title=title,
        about=about,
        # Made harmless by nh3 in body_html; everything else on the page is escaped by the template.
        body=Markup(body_html(text, labels)),  # noqa: S704 - see above
        style=style,
        when=when,
        **more,
    )
    return web.Response(text=body, headers=headers)


@functools.cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("incidentd.web"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("runbook.html")
