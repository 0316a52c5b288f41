"""Speed and memory of incidentd on this machine: python -m benchmarks [--quick] [--json FILE] [NAME...]."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import BenchError, Options, Row, as_json, machine, table

BENCHES = (
    "intake",
    "big_body",
    "stored",
    "footprint",
    "first_page",
    "storm",
    "escalation",
    "replay",
    "reconcile",
    "status_page",
    "audit",
    "authenticate",
)
"""Modules of this folder with a `run(options)`, in the order they run."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}; all without one")
    parser.add_argument("--quick", action="store_true", help="a minute: does it still run, roughly how fast")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there as well")
    parser.add_argument(
        "--folder", type=Path, help="where the databases go; must be a real disk, not a RAM disk"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(BENCHES):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    return arguments


def _warn(facts: dict[str, object]) -> None:
    if facts["file_system"] in {"tmpfs", "ramfs"}:
        print(
            "warning: the databases are on a RAM disk, where a commit costs nothing: use --folder",
            file=sys.stderr,
        )
    if isinstance(load := facts["load_before"], float) and load > 0.5:
        print("warning: the machine is busy with something else: the figures will be low", file=sys.stderr)


def _run(name: str, options: Options) -> tuple[list[Row], str]:
    """The rows of one benchmark, and why there are none if it failed."""
    print(f"\n{name}", flush=True)
    began = time.perf_counter()
    try:
        rows: list[Row] = importlib.import_module(f"benchmarks.{name}").run(options)
    except BenchError as error:
        print(f"  FAILED: {error}", file=sys.stderr)
        return [], str(error)
    print(f"  took {time.perf_counter() - began:.0f} s", flush=True)
    return rows, ""


def main() -> int:
    arguments = _arguments()
    rows: list[Row] = []
    failed: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="incidentd-bench-", dir=arguments.folder) as folder:
        facts = machine(Path(folder))
        print(", ".join(f"{name} {value}" for name, value in facts.items()))
        _warn(facts)
        options = Options(Path(folder), quick=arguments.quick)
        for name in arguments.names or BENCHES:
            found, reason = _run(name, options)
            rows += found
            if reason:
                failed[name] = reason
    print("\n" + table(rows))
    missed = [row.what for row in rows if row.verdict == "missed"]
    print(f"\n{len(missed)} of {sum(row.target is not None for row in rows)} targets missed")
    if arguments.json is not None:
        found_all = {"machine": facts, "quick": arguments.quick, "rows": as_json(rows), "failed": failed}
        arguments.json.write_text(json.dumps(found_all, indent=1))
    # A missed target is a result; only a measurement that failed is an error.
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
