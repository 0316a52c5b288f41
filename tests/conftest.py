"""Fixtures that every folder of tests may ask for."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.postgres_server import PostgresServer, running_server
from tests.programs import require

__all__ = ["require"]

# A slow machine is no reason to fail a property. The same examples every time, so that a change that fails has failed
# by itself; INCIDENTD_EXPLORE=1 draws new ones, and prints how to repeat what it finds.
EXPLORE = os.environ.get("INCIDENTD_EXPLORE") == "1"
settings.register_profile("incidentd", deadline=None, print_blob=True, derandomize=not EXPLORE, database=None)
settings.load_profile("incidentd")


@pytest.fixture(scope="session")
def pg_server() -> Iterator[PostgresServer]:
    """One PostgreSQL cluster for each process of the test run."""
    with running_server() as server:
        yield server


@pytest.fixture
def pg_url(pg_server: PostgresServer) -> Iterator[str]:
    """Address of an empty PostgreSQL database that is this test's alone."""
    with pg_server.database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of an empty database; the test runs once for each kind that incidentd supports."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/incidentd.db"
    url: str = request.getfixturevalue("pg_url")
    return url
