"""Goes through the cases, one after the other, each with alerts of its own."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias

from incidentd.conformance.adapter import Adapter, AdapterError
from incidentd.conformance.bodies import Stage
from incidentd.conformance.judge import Fault, judge, pages_of
from incidentd.conformance.model import Acknowledge, Case, Expect, Needs, Post, Refused, Restart, Step
from incidentd.conformance.timing import Timing
from incidentd.conformance.view import Capabilities, View
from incidentd.conformance.wire import LIMIT_SECONDS, Answer, NoAnswerError, Request, Wire

_AGO = timedelta(hours=1)
_LOOK_EVERY_SECONDS = 0.1
_BACK_SECONDS = 60.0
_OK = range(200, 300)
Watch: TypeAlias = "Callable[[Result], None]"
"""Told of every case when it is done."""
_MEANING: Mapping[int, str] = {
    3: "a redirect: 301, 302 and 303 are followed as a GET without a body, and the alerts are lost",
    4: "after 4xx Alertmanager waits a whole group_interval and then posts the same again, for ever",
    5: "5xx, again and again: Alertmanager repeats it, and it does not get through",
}


class Outcome(enum.StrEnum):
    """What became of a case."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Result:
    """One case and what became of it."""

    case: Case
    outcome: Outcome
    seconds: float = 0.0
    reason: str = ""
    """Why it was skipped."""
    fault: Fault | None = None
    step: int = 0
    """The step that failed, from 1."""
    left: str = ""
    """Why what it fired may be open still; empty if its end was posted."""


@dataclass(frozen=True)
class Target:
    """The receiver: where it is posted to, with what, and how to end it at once."""

    url: str
    headers: Mapping[str, str]
    """Credentials, if any."""
    restart: Callable[[], None] | None = None
    """Ends it without warning and has it started again; raises OSError if it cannot."""


@dataclass(frozen=True)
class Settings:
    """How a run goes."""

    run: str
    """Its name, unlike any other's; letters and digits."""
    severity: str = "info"
    labels: Mapping[str, str] = field(default_factory=dict)
    """What all alerts carry, so that they can be routed away from people."""
    patience: float = 10.0
    """Seconds in which an expected change must be seen."""
    settle: float | None = None
    """Seconds in which an unwanted change would be seen; None: what the adapter says."""


class _Failed(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault


class Suite:
    """Runs cases against one target."""

    def __init__(
        self, target: Target, adapter: Adapter, wire: Wire, timing: Timing, settings: Settings
    ) -> None:
        self._target = target
        self._adapter = adapter
        self._wire = wire
        self._timing = timing
        self._settings = settings
        self.capabilities: Capabilities = adapter.capabilities()

    def run(self, cases: Iterable[Case], watch: Watch) -> list[Result]:
        """What became of each. Raises AdapterError if the receiver cannot be looked into any more."""
        results = []
        for number, case in enumerate(cases):
            results.append(self._run(case, number))
            watch(results[-1])
        return results

    def _run(self, case: Case, number: int) -> Result:
        missing = case.needs - self._has()
        if missing:
            return Result(case, Outcome.SKIPPED, reason=", ".join(sorted(need.value for need in missing)))
        first = self._timing.now() - _AGO
        stage = Stage(
            case.name,
            f"cf{self._settings.run}x{number:02}",
            first.replace(microsecond=first.microsecond // 1000 * 1000),
            self._settings.severity,
            case.labels,
            self._settings.labels,
        )
        started = self._timing.monotonic()
        try:
            fault, step = _Attempt(self, stage).go(case.steps)
            seconds = self._timing.monotonic() - started
        finally:
            # Whatever stops the run: nobody should be left with alerts that do not exist.
            left = self.end(stage)
        return Result(case, Outcome.FAILED if fault else Outcome.PASSED, seconds, "", fault, step, left)

    def _has(self) -> set[Needs]:
        can = self.capabilities
        has = {
            Needs.ACKNOWLEDGE: can.acknowledge,
            Needs.TRUNCATED: can.truncated,
            Needs.TOKEN: bool(self._target.headers),
            Needs.RESTART: self._target.restart is not None,
        }
        return {need for need, there in has.items() if there}

    def deliver(self, bodies: list[bytes], post: Post) -> list[Answer]:
        """Post as Alertmanager would. Raises NoAnswerError."""
        parts = self._target.url.partition("?")
        url = parts[0].rstrip("/") + "/" + parts[1] + parts[2] if post.slash else self._target.url
        headers = {**self._target.headers, "Content-Type": "application/json"}
        return self._wire.together([Request(post.method, url, body, headers, post.coding) for body in bodies])

    def refused(self, step: Refused) -> Answer:
        """Send what is to be refused, once. Raises NoAnswerError."""
        headers = dict(self._target.headers) if step.with_token else {}
        headers["Content-Type"] = "application/json"
        return self._wire.send(Request("POST", self._target.url, step.body, headers))

    def view(self, stage: Stage) -> View:
        """What the receiver made of the case."""
        return self._adapter.view(stage.token)

    def look(self, expect: Expect, stage: Stage, told: int | None) -> tuple[Fault | None, int | None]:
        """The fault that remains, and how often people have been told by now."""
        deadline = self._timing.monotonic() + self._settings.patience
        while True:
            view = self.view(stage)
            fault = judge(expect, view, stage, told)
            if fault is None or self._timing.monotonic() >= deadline:
                break
            self._timing.sleep(_LOOK_EVERY_SECONDS)
        if fault is None:
            settle = self._settings.settle
            self._timing.sleep(self.capabilities.settle_seconds if settle is None else settle)
            view = self.view(stage)
            fault = judge(expect, view, stage, told)
        return fault, pages_of(view) if self.capabilities.pages else None

    def acknowledge(self, stage: Stage) -> None:
        """As a person would, everything of the case that is open."""
        for incident in self.view(stage).incidents:
            if incident.open:
                self._adapter.acknowledge(incident.id)

    def restart(self, stage: Stage) -> None:
        """End the receiver at once, and wait until it can be looked into again."""
        if self._target.restart is None:
            return
        self._target.restart()
        deadline = self._timing.monotonic() + _BACK_SECONDS
        while True:
            try:
                self.view(stage)
            except AdapterError:
                if self._timing.monotonic() >= deadline:
                    raise
                self._timing.sleep(_LOOK_EVERY_SECONDS)
            else:
                return

    @property
    def counts_pages(self) -> bool:
        """The adapter shows how often people are told."""
        return self.capabilities.pages

    def end(self, stage: Stage) -> str:
        """Post the end of what the case has left firing, once; why that did not work, or nothing."""
        body = stage.ends(self._timing.now())
        if body is None:
            return ""
        headers = {**self._target.headers, "Content-Type": "application/json"}
        try:
            status = self._wire.send(Request("POST", self._target.url, body, headers)).status
        except NoAnswerError as failure:
            return str(failure)
        return "" if status in _OK else f"answered {status}"


class _Attempt:
    """One case under way."""

    def __init__(self, suite: Suite, stage: Stage) -> None:
        self._suite = suite
        self._stage = stage
        self._told: int | None = 0 if suite.counts_pages else None

    def go(self, steps: tuple[Step, ...]) -> tuple[Fault | None, int]:
        """The first fault, and the step it was found in."""
        for number, step in enumerate(steps, start=1):
            try:
                self._step(step)
            except _Failed as failed:
                return failed.fault, number
        return None, 0

    def _step(self, step: Step) -> None:
        match step:
            case Post():
                self._post(step)
            case Refused():
                self._refused(step)
            case Expect():
                fault, self._told = self._suite.look(step, self._stage, self._told)
                if fault:
                    raise _Failed(fault)
            case Acknowledge():
                self._suite.acknowledge(self._stage)
            case Restart():
                self._suite.restart(self._stage)

    def _post(self, post: Post) -> None:
        bodies = self._stage.bodies(post) * post.copies
        expected = f"{post.method} answered 2xx within {LIMIT_SECONDS:g} s"
        try:
            answers = self._suite.deliver(bodies, post)
        except NoAnswerError as failure:
            raise _Failed(Fault(expected, str(failure))) from None
        for answer in answers:
            if answer.status not in _OK:
                meaning = _MEANING.get(answer.status // 100, "no answer of a webhook")
                raise _Failed(Fault(expected, f"{answer.status}: {meaning}"))
            if answer.seconds > LIMIT_SECONDS:
                raise _Failed(Fault(expected, f"{answer.status} after {answer.seconds:.1f} s"))

    def _refused(self, step: Refused) -> None:
        expected = f"{step.what}: answered {' or '.join(str(status) for status in step.statuses)}"
        try:
            answer = self._suite.refused(step)
        except NoAnswerError as failure:
            raise _Failed(Fault(expected, str(failure))) from None
        if answer.status not in step.statuses:
            raise _Failed(Fault(expected, str(answer.status)))
