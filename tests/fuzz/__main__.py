"""Search for inputs that break a parser: `python -m tests.fuzz TARGET [-runs=1000000]`; options are libFuzzer's.

An input may take a second and 512 MiB. What is found stays in the working folder as `crash-...`; make it a test.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris  # type: ignore[import-untyped]  # for this alone, and not in the lock

with atheris.instrument_imports(include=["incidentd"], enable_loader_override=False):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Fuzz one target."""
    name, *options = sys.argv[1:]
    target = TARGETS[name]
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(target.seeds()):
            (Path(folder) / str(number)).write_bytes(seed[:20_000])
        limits = ["-timeout=1", "-rss_limit_mb=512", "-max_len=20000", "-print_final_stats=1", "-verbosity=1"]
        atheris.Setup([sys.argv[0], *limits, *options, folder], target.run)
        atheris.Fuzz()


main()
