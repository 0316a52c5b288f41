"""Fixtures that every folder of tests may ask for."""

import asyncio
import gc
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings
from sqlalchemy import make_url

from incidentd.store.migrate import migrate, migrate_file
from tests import memory
from tests.postgres_server import PostgresServer, running_server
from tests.programs import require

__all__ = ["require"]

# pytest's own temporary folders too, unless somebody says where they are to be.
os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", memory.folder())

# A slow machine is no reason to fail a property. The same examples every time, so that a change that fails has failed
# by itself; INCIDENTD_EXPLORE=1 draws new ones, and prints how to repeat what it finds.
EXPLORE = os.environ.get("INCIDENTD_EXPLORE") == "1"
settings.register_profile("incidentd", deadline=None, print_blob=True, derandomize=not EXPLORE, database=None)
settings.load_profile("incidentd")


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """Whatever a test sets up for the process's log is gone after it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    if structlog.is_configured():
        structlog.reset_defaults()
        root.handlers[:] = handlers
        root.setLevel(level)


@pytest.fixture(scope="session")
def pg_server() -> Iterator[PostgresServer]:
    """One PostgreSQL cluster for each process of the test run."""
    with running_server() as server:
        yield server


# Most tests are about something else than migrations: they get a database as an earlier start left it.


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with this version's schema and nothing in it."""
    path = tmp_path_factory.mktemp("migrated") / "incidentd.db"
    migrate_file(f"sqlite+aiosqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_template(pg_server: PostgresServer) -> Iterator[str]:
    """The name of a database with this version's schema and nothing in it."""
    with pg_server.database() as url:
        asyncio.run(migrate(url))
        yield str(make_url(url).database)


@pytest.fixture
def empty_pg_url(pg_server: PostgresServer) -> Iterator[str]:
    """Address of an empty PostgreSQL database that is this test's alone."""
    with pg_server.database() as url:
        yield url


@pytest.fixture
def pg_url(pg_server: PostgresServer, migrated_template: str) -> Iterator[str]:
    """Address of a PostgreSQL database that is this test's alone, with the schema."""
    with pg_server.database(migrated_template) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of a database with the schema; the test runs once for each kind that incidentd supports."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "incidentd.db")
        return f"sqlite+aiosqlite:///{tmp_path}/incidentd.db"
    url: str = request.getfixturevalue("pg_url")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/incidentd.db"
    url: str = request.getfixturevalue("empty_pg_url")
    return url


def pytest_collection_finish() -> None:
    """What thousands of collected tests hold is never garbage: looking through it again and again takes time."""
    gc.collect()
    gc.freeze()
