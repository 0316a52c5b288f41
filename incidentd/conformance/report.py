"""The results as text for people, JSON for machines, and Markdown for a README."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from incidentd.conformance.model import AREAS, Case
from incidentd.conformance.suite import Outcome, Result
from incidentd.conformance.view import Capabilities


def score(results: Sequence[Result]) -> str:
    """`42 of 43`: passed of those that were run."""
    run = [result for result in results if result.outcome is not Outcome.SKIPPED]
    return f"{sum(result.outcome is Outcome.PASSED for result in run)} of {len(run)}"


def line(result: Result) -> str:
    """One line of a case."""
    took = "" if result.outcome is Outcome.SKIPPED else f" ({result.seconds:.1f} s)"
    return f"{result.outcome.value:<8} {result.case.name:<22} {result.case.title}{took}"


def details(result: Result) -> list[str]:
    """What to know beside its line: why it failed or was skipped, and what it left behind."""
    found = []
    if result.fault:
        found += [
            f"expected  {result.fault.expected} (step {result.step} of {len(result.case.steps)})",
            f"seen      {result.fault.seen}",
            f"matters   {result.case.why}",
            f"see       {result.case.link}",
        ]
    if result.reason:
        found.append(f"because   {result.reason}")
    if result.left:
        found.append(f"left      alerts of this case may be open still: {result.left}")
    return [f"         {text}" for text in found]


def summary(results: Sequence[Result], who: Capabilities) -> str:
    """The last line."""
    skipped = sum(result.outcome is Outcome.SKIPPED for result in results)
    parts = [f"{_named(who)}: {score(results)} passed"]
    parts += [f"{skipped} skipped"] if skipped else []
    parts += [] if who.pages else ["who is told was not judged: the adapter does not count pages"]
    return ", ".join(parts)


def document(results: Sequence[Result], who: Capabilities) -> dict[str, Any]:
    """What `--json` prints."""
    counts = {outcome.value: sum(r.outcome is outcome for r in results) for outcome in Outcome}
    return {
        "receiver": {"name": who.name, "version": who.version, "counts_pages": who.pages},
        **counts,
        "cases": [_as_object(result) for result in results],
    }


def _as_object(result: Result) -> dict[str, Any]:
    return {
        "name": result.case.name,
        "area": result.case.area.value,
        "title": result.case.title,
        "outcome": result.outcome.value,
        "seconds": round(result.seconds, 3),
        "expected": result.fault.expected if result.fault else None,
        "seen": result.fault.seen if result.fault else None,
        "step": result.step or None,
        "why": result.case.why,
        "link": result.case.link,
        "skipped_because": result.reason or None,
        "left_open": result.left or None,
    }


def markdown(results: Sequence[Result], who: Capabilities) -> str:
    """The score and a table of it, as a README shows them; equal for equal results."""
    lines = [f"{who.name} passes **{score(results)}** hard cases of Alertmanager.", ""]
    lines += ["| cases of | passed | |", "|---|---|---|"]
    for area, meaning in AREAS.items():
        here = [result for result in results if result.case.area is area]
        run = any(result.outcome is not Outcome.SKIPPED for result in here)
        if here:
            lines.append(f"| {area.value} | {score(here) if run else 'not run'} | {meaning} |")
    return "\n".join(lines)


def listed(cases: Sequence[Case]) -> str:
    """The cases as lines of text."""
    return "\n".join(f"{case.name:<22} {case.area.value:<11} {case.title}" for case in cases)


def table(cases: Sequence[Case]) -> str:
    """The cases as a table in Markdown."""
    rows = [f"| [`{case.name}`]({case.link}) | {_cell(case.title)} | {_cell(case.why)} |" for case in cases]
    return "\n".join(["| case | what is posted | why it matters |", "|---|---|---|", *rows])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _named(who: Capabilities) -> str:
    return f"{who.name} {who.version}".strip()
