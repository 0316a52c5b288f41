"""A world of alerts, incidents and people for the tests of workflows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workflows.world import World, stored


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A world on SQLite, with the rule that one service is one group."""
    with stored(f"sqlite+aiosqlite:///{tmp_path}/incidentd.db") as world:
        yield world
