"""Marked words for every place of an alert that nobody outside may read, drawn by Hypothesis."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

CANARY = "CaNaRy7"
_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
_LABELS = st.dictionaries(st.from_regex(r"\A[a-z_]{1,8}\Z"), _TEXT, max_size=4)
_HOSTS = st.sampled_from(
    [f"{CANARY}.example:9100", f"db-{CANARY}", f"{CANARY}-0.prod.svc", f"[fd00::7]:{CANARY}"]
)


def marked(values: dict[str, str]) -> dict[str, str]:
    """The same, a canary in each name and value; never a label that decides something."""
    return {f"x_{CANARY}_{key}": f"{CANARY}{value}" for key, value in values.items()}


def examples(count: int) -> list[tuple[dict[str, str], dict[str, str]]]:
    """So many draws of labels and annotations: Hypothesis runs plain functions, and these are awaited."""
    drawn: list[tuple[dict[str, str], dict[str, str]]] = []

    @settings(max_examples=count, deadline=None, database=None)
    @given(_LABELS, _LABELS, _HOSTS)
    def draw(labels: dict[str, str], annotations: dict[str, str], host: str) -> None:
        names = dict.fromkeys(("instance", "host", "node", "pod"), host)
        notes = {
            "summary": CANARY,
            "description": f"{CANARY} on {host}",
            "runbook_url": f"https://{CANARY}/run",
        }
        drawn.append((names | marked(labels), notes | marked(annotations)))

    draw()
    return drawn[:count]


def traces(found: bytes) -> list[bytes]:
    """Where a canary stands, with what stands around it."""
    low, mark = found.lower(), CANARY.lower().encode()
    return [found[max(0, m.start() - 60) : m.end() + 60] for m in re.finditer(re.escape(mark), low)][:5]
