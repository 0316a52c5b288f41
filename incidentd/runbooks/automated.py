"""Steps that name what the configuration does not have: a machine would refuse them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from incidentd.config.automation import Automation
from incidentd.config.explain import nearest
from incidentd.domain.automation import Policy, place_of
from incidentd.domain.runbook import Action, Kind, Runbook
from incidentd.runbooks.problem import RunbookProblem
from incidentd.runbooks.read import step_lines


def unfit(
    book: Runbook, file: str, section: Automation, channels: Collection[str]
) -> Iterator[RunbookProblem]:
    """What of `automation` and of the channels its steps miss, with the line of each step and what to do."""
    # Whoever writes the section before switching it on wants to know as well.
    policy, lines = replace(section.policy, enabled=True), step_lines(book.text, file)
    for step, line in zip(book.steps, lines, strict=True):
        if step.action is None:
            continue
        for what in _missing(step.action, policy, channels):
            yield RunbookProblem(file, line, f"step {step.number}: {what}")


def _missing(action: Action, policy: Policy, channels: Collection[str]) -> Iterator[str]:
    match action.kind:
        case Kind.COMMAND:
            yield from _unknown("automation.commands", [action.attributes["command"]], list(policy.commands))
        case Kind.PROMQL if not policy.prometheus:
            yield "automation.prometheus has no server to ask; add one, such as main: {url: ...}"
        case Kind.PROMQL:
            named = action.attributes.get("source") or policy.prometheus[0]
            yield from _unknown("automation.prometheus", [named], policy.prometheus)
        case Kind.HTTP if not policy.allows(url := str(action.attributes["url"])):
            yield f"automation.http_hosts does not have {place_of(url)}; add it there"
        case Kind.NOTIFY:
            wanted = action.attributes["channels"]
            yield from _unknown("channels", wanted if isinstance(wanted, list) else [], list(channels))


def _unknown(section: str, wanted: Sequence[object], known: Sequence[str]) -> Iterator[str]:
    for name in map(str, wanted):
        if name not in known:
            accepted = ", ".join(known) or "none, for none is configured"
            yield f"{section} has no {name}; add it there; accepted now: {accepted}{nearest(name, known)}"
