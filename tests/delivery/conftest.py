"""A store with a fresh schema, once for each kind of database, and an office on it."""

from collections.abc import AsyncIterator

import pytest

from incidentd.store.engine import Store
from tests.audited import WatchedStore
from tests.delivery.cast import Office, create_schema


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = WatchedStore(database_url)
    await store.write(create_schema)
    yield store
    await store.close()
    assert store.silent == []


@pytest.fixture
async def office(store: Store) -> AsyncIterator[Office]:
    office = Office(store)
    yield office
    await office.close()


@pytest.fixture
async def pg_office(pg_url: str) -> AsyncIterator[Office]:
    store = Store(pg_url)
    await store.write(create_schema)
    office = Office(store)
    yield office
    await office.close()
    await store.close()
