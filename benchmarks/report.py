"""What a benchmark hands back, the table it becomes, and the machine it was measured on."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

SYNCS = 200


class BenchError(Exception):
    """The measurement is worthless: an answer or an alert is missing. The message says which."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to measure. `folder` must be on a real disk: in a RAM disk the sync of a commit costs nothing."""

    folder: Path
    quick: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """What is promised of a value: at least or at most this much."""

    bound: float
    at_least: bool = False

    def met(self, value: float) -> bool:
        """Tell whether `value` keeps the promise."""
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {number(self.bound)}"


@dataclass(frozen=True, slots=True)
class Row:
    """One measured value. Without a target it is context for the others."""

    bench: str
    what: str
    value: float
    unit: str
    target: Target | None = None

    @property
    def verdict(self) -> str:
        """``met``, ``missed``, or nothing where nothing was promised."""
        return "" if self.target is None else "met" if self.target.met(self.value) else "missed"


def at_least(bound: float) -> Target:
    return Target(bound, at_least=True)


def at_most(bound: float) -> Target:
    return Target(bound)


def number(value: float) -> str:
    """For people: thousands with separators, small values with three digits that count."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(rows: Sequence[Row]) -> str:
    """Markdown, so that a run can be pasted into README.md as it is."""
    cells = [("measured", "value", "target", "verdict")]
    cells += [(r.what, f"{number(r.value)} {r.unit}", str(r.target or ""), r.verdict) for r in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(4)]
    lines = [
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |"
        for line in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines)


def as_json(rows: Iterable[Row]) -> list[dict[str, object]]:
    return [asdict(row) | {"target": str(row.target or ""), "verdict": row.verdict} for row in rows]


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest rank; nan of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else float("nan")


def machine(folder: Path) -> dict[str, object]:
    """What the figures depend on. No names: a benchmark file may be published."""
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "file_system": _file_system(folder),
        "sync_ms": round(_sync_seconds(folder) * 1000, 3),
        "load_before": round(os.getloadavg()[0], 2),
    }


def _file_system(folder: Path) -> str:
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return "unknown"
    path = str(folder.resolve())
    around = [(mount, kind) for mount, kind in mounts if (path + "/").startswith(mount.rstrip("/") + "/")]
    return max(around, key=lambda found: len(found[0]))[1] if around else "unknown"


def _sync_seconds(folder: Path) -> float:
    """Median of one appended page and its sync: the least that a durable commit can cost here."""
    path, seconds = folder / "sync", []
    with path.open("wb", buffering=0) as file:
        for _ in range(SYNCS):
            file.write(b"x" * 4096)
            began = time.perf_counter()
            os.fsync(file.fileno())
            seconds.append(time.perf_counter() - began)
    path.unlink()
    return statistics.median(seconds)
