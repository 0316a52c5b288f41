"""The steps of the incident's runbook, as a message lists them."""

from __future__ import annotations

from typing import NamedTuple

from incidentd.channels.words.safe import MAX_VALUE, tidy
from incidentd.domain.notification import Message, RunbookView, StepView

_TITLE = 100
_OVER = frozenset({"done", "skipped"})
_MARKS = {"done": "[x]", "skipped": "[-]", "failed": "[!]", "running": "[~]"}


class StepLine(NamedTuple):
    """One step."""

    number: int
    text: str
    state: str

    @property
    def plain(self) -> str:
        """``[x] 2. Look at the error log``; a state that is neither pending nor done is said too."""
        said = f" ({self.state})" if self.state in {"skipped", "failed", "running"} else ""
        return f"{_MARKS.get(self.state, '[ ]')} {self.number}. {self.text}{said}"


def runbook_of(message: Message) -> RunbookView | None:
    """The runbook to tell of; None in a message about many incidents, or about one that is over."""
    incident = message.incident
    return None if message.bundle or incident.state == "resolved" else incident.runbook


def runbook_title(message: Message) -> str:
    """``Runbook: High error rate (2 of 7 done)``; empty if there is none to tell of."""
    book = runbook_of(message)
    if book is None:
        return ""
    return f"Runbook: {tidy(book.title, _TITLE) or book.name} ({book.over} of {len(book.steps)} done)"


def all_steps(message: Message, limit: int, width: int = MAX_VALUE) -> tuple[StepLine, ...]:
    """The first `limit` steps; their texts at most `width` characters."""
    book = runbook_of(message)
    return tuple(_line(step, width) for step in book.steps[:limit]) if book else ()


def next_steps(message: Message, limit: int, width: int = MAX_VALUE) -> tuple[StepLine, ...]:
    """The first `limit` steps that are neither done nor skipped."""
    book = runbook_of(message)
    left = [step for step in book.steps if step.state not in _OVER] if book else []
    return tuple(_line(step, width) for step in left[:limit])


def more_steps(message: Message, shown: int) -> str:
    """``+4 more steps`` when not all are shown, else empty."""
    book = runbook_of(message)
    left = len(book.steps) - shown if book else 0
    return f"+{left} more step{'s' if left > 1 else ''}" if left > 0 else ""


def _line(step: StepView, width: int) -> StepLine:
    return StepLine(step.number, tidy(step.text, width), step.state)
