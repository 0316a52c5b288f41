"""Programs that a test needs and that may be missing on a laptop: skipped by name there, a failure in CI."""

import os
import shutil

import pytest


def missing(what: str, hint: str) -> None:
    """Skip the running test because of a missing `what`, or fail it when INCIDENTD_REQUIRE_ALL=1.

    `hint` says how to get it, for instance `apt-get install prometheus`.
    """
    message = f"{what} is not installed ({hint})"
    if os.environ.get("INCIDENTD_REQUIRE_ALL") == "1":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def require(program: str, hint: str, *also_called: str) -> str:
    """Return the path of `program`, or of the first of `also_called` that is there; else see `missing`."""
    for name in (program, *also_called):
        if path := shutil.which(name):
            return path
    missing(program, hint)
    raise AssertionError  # missing() never returns
