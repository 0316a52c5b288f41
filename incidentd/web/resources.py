"""What the process uses, and when that comes near a limit. Nothing here makes the daemon worse than degraded."""

from __future__ import annotations

import os
import resource
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from incidentd.store.vitals import Vitals
from incidentd.web.answers import Answer

_FULL: Final = 0.8
"""The share of a limit from which it is said to be near."""
_LATE_SECONDS: Final = 1.0
_LITTLE_DISK: Final = 256 * 1024**2
_LONG_LOG: Final = 512 * 1024**2
_MB: Final = 1_000_000
_PROC: Final = Path("/proc/self")
_CGROUP: Final = Path("/sys/fs/cgroup/memory.max")


class Resources(Answer):
    """What the process and the database use; null where the system does not tell."""

    memory_bytes: int | None
    memory_limit_bytes: int | None
    """Of the container or unit."""
    cpu_seconds: float
    """Since the start."""
    open_descriptors: int | None
    descriptor_limit: int
    threads: int | None
    event_loop_lag_ms: float
    """The worst of the last minute."""
    disk_free_bytes: int | None
    """Where the SQLite file lies."""
    database_bytes: int | None
    database_log_bytes: int | None
    """SQLite's write-ahead log."""
    database_connections: int | None
    """To the PostgreSQL server, of everybody."""
    database_connection_limit: int | None


@dataclass(frozen=True, slots=True)
class Process:
    """What the system says of this process."""

    memory: int | None
    memory_limit: int | None
    cpu: float
    descriptors: int | None
    descriptor_limit: int
    threads: int | None
    disk_free: int | None


def process(folder: Path | None, proc: Path = _PROC, cgroup: Path = _CGROUP) -> Process:
    """Read it; `folder` holds the SQLite file. Blocks: files of the system, and a disk that may be slow."""
    status = _status(proc / "status")
    times = os.times()
    return Process(
        memory=_kilobytes(status.get("VmRSS")),
        memory_limit=_number(cgroup),
        cpu=round(times.user + times.system, 2),
        descriptors=len(list((proc / "fd").iterdir())) if (proc / "fd").is_dir() else None,
        descriptor_limit=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        threads=int(status["Threads"]) if "Threads" in status else None,
        disk_free=shutil.disk_usage(folder).free if folder is not None and folder.is_dir() else None,
    )


def _status(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}  # no Linux
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _kilobytes(text: str | None) -> int | None:
    return int(text.split()[0]) * 1024 if text else None


def _number(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return int(text) if text.isdecimal() else None


def resources(used: Process, vitals: Vitals | None, lag: float) -> dict[str, Any]:
    """The figures as `Resources`. `lag` in seconds."""
    return {
        "memory_bytes": used.memory,
        "memory_limit_bytes": used.memory_limit,
        "cpu_seconds": used.cpu,
        "open_descriptors": used.descriptors,
        "descriptor_limit": used.descriptor_limit,
        "threads": used.threads,
        "event_loop_lag_ms": round(lag * 1000, 2),
        "disk_free_bytes": used.disk_free,
        "database_bytes": vitals.size if vitals else None,
        "database_log_bytes": vitals.log if vitals else None,
        "database_connections": vitals.connections if vitals else None,
        "database_connection_limit": vitals.connection_limit if vitals else None,
    }


Finding = tuple[str, bool, str, float | None]
"""Name of the check, whether it is well, what it says, milliseconds."""


def findings(used: Process, lag: float) -> list[Finding]:
    """What the figures mean."""
    found: list[Finding] = [
        ("event loop", lag < _LATE_SECONDS, "the worst delay of the last minute", round(lag * 1000, 2))
    ]
    if used.memory is not None:
        found.append(("memory", *_share(used.memory / _MB, used.memory_limit, "MB", _MB), None))
    if used.descriptors is not None:
        found.append(("descriptors", *_share(used.descriptors, used.descriptor_limit, "open"), None))
    if used.disk_free is not None:
        words = f"{used.disk_free / _MB:.0f} MB free"
        found.append(("disk", used.disk_free >= _LITTLE_DISK, words, None))
    return found


def _share(now: float, limit: int | None, unit: str, scale: int = 1) -> tuple[bool, str]:
    if limit is None or limit < 0:
        return True, f"{now:.0f} {unit}"
    return now < _FULL * limit / scale, f"{now:.0f} of {limit / scale:.0f} {unit}"


def database(vitals: Vitals) -> tuple[bool, str]:
    """Whether the database is well by its own figures, and those in words."""
    words, well = [vitals.version, f"{vitals.size / _MB:.1f} MB"], True
    if vitals.log is not None:
        well = vitals.log < _LONG_LOG
        words.append(f"write-ahead log {vitals.log / _MB:.1f} MB")
    if vitals.connections is not None and vitals.connection_limit:
        well = vitals.connections < _FULL * vitals.connection_limit
        words.append(f"{vitals.connections} of {vitals.connection_limit} connections")
    if vitals.standby:
        words.append("a standby, which takes no writes")
    return well and not vitals.standby, ", ".join(words)
