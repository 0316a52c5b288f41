"""`incidentd conformance`: the hard cases of Alertmanager, run against any receiver."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from incidentd.cli.client import CtlError
from incidentd.cli.output import clean

if TYPE_CHECKING:
    from incidentd.conformance.adapter import Adapter
    from incidentd.conformance.model import Case
    from incidentd.conformance.suite import Result, Suite
    from incidentd.conformance.wire import Wire

T = TypeVar("T")

SOME_FAILED = 1
"""Exit code of check-config and lint-rules too: done, and not all is well."""
_NOT_RUN = 3
"""Exit code: the target, its adapter or --restart-command kept the run from its end."""
_RESTART_SECONDS = 120.0
_OWN = "incidentd"
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


@click.command()
@click.option("--target", metavar="URL", help="incidentd's address; with another --adapter, the webhook's.")
@click.option(
    "--adapter",
    metavar="NAME|URL",
    default=_OWN,
    show_default=True,
    help="How to see what the target made of it: incidentd, or the address of an adapter.",
)
@click.option(
    "--token",
    metavar="TOKEN",
    envvar="INCIDENTD_TOKEN",
    show_envvar=True,
    help="Sent to the target as a bearer token, and to an adapter at the same address. Others on this host can see it.",
)
@click.option(
    "--token-file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with that token.",
)
@click.option(
    "--adapter-token-file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The token for an adapter elsewhere.",
)
@click.option("--only", metavar="NAME", multiple=True, help="Run this case; may be repeated.")
@click.option("--severity", default="info", show_default=True, help="Severity of the alerts.")
@click.option(
    "--label", "labels", metavar="NAME=VALUE", multiple=True, help="A label for all alerts, to route them by."
)
@click.option(
    "--restart-command",
    metavar="CMD",
    help="Kills the target and sees that it is started again; run in a shell.",
)
@click.option(
    "--patience",
    type=click.FloatRange(0, 600),
    metavar="SECONDS",
    default=10.0,
    show_default=True,
    help="How long an expected change may take to be seen.",
)
@click.option(
    "--settle",
    type=click.FloatRange(0, 600),
    metavar="SECONDS",
    help="How long an unwanted change is waited for.  [default: what the adapter says]",
)
@click.option("--list", "only_list", is_flag=True, help="Print the cases and stop.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the score as Markdown, for a README.")
@click.option(
    "--adapter-schema", is_flag=True, help="Print the JSON Schema of an adapter's answers and stop."
)
def conformance(
    *, only_list: bool, as_json: bool, as_markdown: bool, adapter_schema: bool, **options: Any
) -> None:
    """Run the hard cases of Alertmanager against a receiver of its webhooks, and print a score.

    Each case posts what real Alertmanagers post (retries, pairs, stale firings, huge bodies) under names of its
    own, and looks at what the receiver made of it. The alerts are ended afterwards, but they are real: people may be
    told. Route severity info, or a --label, to where nobody minds.

    \b
    Exit codes: 0 all passed; 1 some failed; 2 wrong usage; 3 the target or its adapter
    cannot be reached or understood; 4 not authorised; 5 no webhook there.

    \b
    Examples:
      incidentd conformance --target http://127.0.0.1:8650
      incidentd conformance --target https://pager.example.com/hooks/7 --adapter http://127.0.0.1:9911
      incidentd conformance --target http://127.0.0.1:8650 --only stale-firing --only retry
      incidentd conformance --target http://127.0.0.1:8650 --restart-command 'kill -9 $(pidof incidentd)'
    """
    from incidentd.conformance import report
    from incidentd.conformance.view import schema

    cases = _chosen(options["only"])
    if adapter_schema:
        click.echo(json.dumps(schema(), indent=2))
        return
    if only_list:
        click.echo(report.table(cases) if as_markdown else report.listed(cases))
        return
    suite = _prepared(**options)
    results = _run(suite, cases, partial(_show, machine=as_json or as_markdown))
    if as_json:
        click.echo(json.dumps(report.document(results, suite.capabilities), ensure_ascii=False, indent=2))
    elif as_markdown:
        click.echo(report.markdown(results, suite.capabilities))
    else:
        click.echo(clean(report.summary(results, suite.capabilities)))
    click.get_current_context().exit(SOME_FAILED if any(result.fault for result in results) else 0)


def _chosen(names: tuple[str, ...]) -> list[Case]:
    from incidentd.conformance.catalogue import CATALOGUE

    known = {case.name for case in CATALOGUE}
    for name in names:
        if name not in known:
            raise click.BadParameter(f"{name!r} is no case; --list shows them", param_hint="--only")
    return [case for case in CATALOGUE if not names or case.name in names]


def _prepared(**options: Any) -> Suite:
    from incidentd.clock import random_id
    from incidentd.conformance.suite import Settings, Suite, Target
    from incidentd.conformance.timing import Timing
    from incidentd.conformance.wire import Wire

    base = _address(options["target"], "--target")
    headers = _bearer(_token(options["token_file"], "--token-file") or options["token"])
    elsewhere = _token(options["adapter_token_file"], "--adapter-token-file")
    timing = Timing(lambda: datetime.now(UTC), time.monotonic, time.sleep)
    wire = Wire(timing)
    hook, adapter = _both(base, options["adapter"], headers, elsewhere, wire)
    command = options["restart_command"]
    target = Target(hook, headers, _restarting(command) if command else None)
    labels = dict(map(_pair, options["labels"]))
    waits = (options["patience"], options["settle"])
    settings = Settings(random_id()[:8], options["severity"], labels, *waits)
    _knock(wire, hook, headers)
    return _understood(lambda: Suite(target, adapter, wire, timing, settings))


def _both(
    base: str, adapter: str, headers: dict[str, str], adapter_token: str, wire: Wire
) -> tuple[str, Adapter]:
    """Where it is posted to, and what looks at it."""
    from incidentd.conformance.adapter import HttpAdapter
    from incidentd.conformance.own import WEBHOOK, IncidentdAdapter

    if adapter == _OWN:
        base = base.rstrip("/").removesuffix(WEBHOOK)
        return base + WEBHOOK, IncidentdAdapter(base, _bearer(adapter_token) or headers, wire)
    place = _address(adapter, "--adapter")
    # A token is for whom it was given: an adapter elsewhere has its own.
    shared = headers if _origin(place) == _origin(base) else {}
    return base, HttpAdapter(place, _bearer(adapter_token) or shared, wire)


def _address(url: str | None, option: str) -> str:
    from incidentd.conformance.wire import address

    if not url:
        raise click.UsageError("where to post? name it with --target URL")
    try:
        address(url)
    except ValueError:
        raise click.BadParameter(
            f"{url} is no address; accepted: http://HOST:PORT", param_hint=option
        ) from None
    return url


def _origin(url: str) -> tuple[str, str | None, int | None]:
    from incidentd.conformance.wire import address

    parts = address(url)
    return parts.scheme, parts.hostname, parts.port


def _token(file: Path | None, option: str) -> str:
    token = file.read_text(encoding="utf-8").strip() if file else ""
    if file and not (token and token.isascii() and token.isprintable()):
        raise click.BadParameter(f"{file} holds no token", param_hint=option)
    return token


def _bearer(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not value or not _LABEL_NAME.fullmatch(name):
        raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--label")
    return name, value


def _knock(wire: Wire, hook: str, headers: dict[str, str]) -> None:
    """Stop at once if nothing can be posted there: a run would find out very slowly."""
    from incidentd.conformance.wire import NoAnswerError, Request

    nothing = b'{"version":"4","status":"resolved","alerts":[]}'
    try:
        status = wire.send(
            Request("POST", hook, nothing, {**headers, "Content-Type": "application/json"})
        ).status
    except NoAnswerError as failure:
        raise CtlError(f"cannot reach {hook}: {failure}", "is the receiver running?", code=_NOT_RUN) from None
    if status in (401, 403):
        raise CtlError(
            f"{hook} refuses us: {status}", "give a token that may post alerts: --token-file", code=4
        )
    if status in (404, 405):
        raise CtlError(f"{hook} takes no posts: {status}", "--target is the address of the webhook", code=5)


def _understood(use: Callable[[], T]) -> T:
    """What `use` comes to; a failure to look into the target is one for the user."""
    from incidentd.conformance.adapter import AdapterError

    try:
        return use()
    except AdapterError as error:
        if error.status == 0:
            raise CtlError(str(error), "is the adapter running?", code=_NOT_RUN) from None
        if error.status in (401, 403):
            remedy = "give a token that may read (and respond): --token-file, --adapter-token-file"
            raise CtlError(str(error), remedy, code=4) from None
        raise CtlError(str(error), "docs/conformance.md describes adapters", code=_NOT_RUN) from None


def _restarting(command: str) -> Callable[[], None]:
    def restart() -> None:
        try:
            # A shell, for it is the operator's own line; its output must not get between ours.
            done = subprocess.run(  # noqa: S602
                command,
                shell=True,
                check=False,
                timeout=_RESTART_SECONDS,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            late = f"--restart-command did not end within {_RESTART_SECONDS:g} s"
            raise CtlError(late, "start the receiver in the background", code=_NOT_RUN) from None
        if done.returncode:
            ended = f"--restart-command ended with {done.returncode}"
            raise CtlError(ended, "run it by hand: it must end with 0", code=_NOT_RUN)

    return restart


def _run(suite: Suite, cases: list[Case], watch: Callable[[Result], None]) -> list[Result]:
    return _understood(lambda: suite.run(cases, watch))


def _show(result: Result, *, machine: bool) -> None:
    """One case as it is done; while machines read the output, what failed goes to standard error."""
    from incidentd.conformance import report

    if result.fault or not machine:
        for text in (report.line(result), *report.details(result)):
            click.echo(clean(text), err=machine)
