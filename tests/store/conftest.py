"""A store on an empty database of this version's schema, once for each kind of database."""

from collections.abc import AsyncIterator

import pytest

from incidentd.store.engine import Store
from incidentd.store.migrate import migrate


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """A migrated store."""
    await migrate(database_url)
    store = Store(database_url)
    yield store
    await store.close()


@pytest.fixture
async def pg_store(pg_url: str) -> AsyncIterator[Store]:
    """A migrated store on PostgreSQL."""
    await migrate(pg_url)
    store = Store(pg_url)
    yield store
    await store.close()
