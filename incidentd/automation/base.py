"""What every kind of step is given, and what it gives back."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Protocol

from incidentd.domain.automation import RunState
from incidentd.domain.runbook import Action
from incidentd.masking import MASK, mask_secrets

KEPT_BYTES = 50_000
"""Of what a step says: its end, for there the reason stands."""
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_SUMMARY = 300


@dataclass(frozen=True, slots=True)
class Task:
    """One run, with what it may know of its incident."""

    action: Action
    incident_id: int
    title: str
    service: str
    severity: str
    labels: Mapping[str, str]
    """Of the incident; texts that anybody may have written."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one attempt."""

    state: RunState
    summary: str
    """One line."""
    output: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    """Plain JSON: exit code, status, value, points."""

    @property
    def sha256(self) -> str:
        """Of the output as it is kept."""
        return hashlib.sha256(self.output.encode()).hexdigest()


class Executor(Protocol):
    """One kind of step."""

    async def run(self, task: Task, timeout: timedelta, stop: asyncio.Event) -> Result:  # noqa: ASYNC109 - part of what it is told
        """Do it, within `timeout` and 2 s; sooner if `stop` is set. Raises nothing that could be foreseen."""
        ...

    def plan(self, task: Task) -> Result:
        """What `run` would do, in words, without doing any of it."""
        ...


def masked(result: Result) -> Result:
    """The same without what looks like a secret: labels, answers and arguments may hold one."""
    return replace(result, summary=mask_secrets(result.summary), data=_masked(result.data))


def _masked(value: Any) -> Any:  # noqa: ANN401 - plain JSON
    if isinstance(value, str):
        return mask_secrets(value)
    if isinstance(value, Mapping):
        return {name: _masked(each) for name, each in value.items()}
    return [_masked(each) for each in value] if isinstance(value, list | tuple) else value


def shown(argv: Sequence[str]) -> list[str]:
    """Arguments as they may be written down: without secrets, ``--password=x`` and ``--password x`` alike."""
    return [
        MASK
        if before.startswith("-") and mask_secrets(f"{before}={each}") == f"{before}={MASK}"
        else mask_secrets(each)
        for before, each in zip(("", *argv), argv, strict=False)
    ]


def refused(why: str) -> Result:
    """It was not even tried."""
    return Result(RunState.REFUSED, one_line(why))


def readable(data: bytes, cut: int = 0) -> str:
    """What a stranger said, harmless to print: no control characters but tabs and line ends, nothing like a secret.

    `cut`: how many bytes were left out before it.
    """
    text = data.decode(errors="replace").replace("\r\n", "\n")
    text = mask_secrets(_CONTROL.sub("\ufffd", text))
    # Again: what was one byte may be three now, for it was no UTF-8.
    kept = text.encode()[-KEPT_BYTES:].decode(errors="ignore")
    return f"[{cut} bytes left out]\n{kept}" if cut > 0 else kept


def one_line(text: str) -> str:
    """`text` as one short line."""
    line = " ".join(_CONTROL.sub(" ", text).split())
    return line if len(line) <= _SUMMARY else line[: _SUMMARY - 1] + "\u2026"


def last_line(text: str) -> str:
    """The last line of an output that says something."""
    return one_line(next((line for line in reversed(text.splitlines()) if line.strip()), ""))
