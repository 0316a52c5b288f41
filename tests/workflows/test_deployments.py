"""Deployments as they are kept: one of each, told of together with it, forgotten like incidents."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from incidentd.config.people import Retention
from incidentd.domain.deployment import Deployment, DeploymentStatus, Filing
from incidentd.store import change_events, deployments
from incidentd.store.engine import Store
from incidentd.store.migrate import migrate
from incidentd.workflows.deployments import TOLD_WITHIN, record
from incidentd.workflows.housekeeping import housekeep

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
KEPT = Retention(incidents=100 * DAY)
DONE = Deployment("main", "7", "shop", "production", "1.2", DeploymentStatus.SUCCESS, None, NOW, NOW)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    await migrate(database_url)
    store = Store(database_url)
    yield store
    await store.close()


async def posted(store: Store, deployment: Deployment = DONE, *told: str) -> Filing:
    return (await store.write(lambda tx: record(tx, deployment, told or ("pager",), "ci", NOW))).filing


async def waiting(store: Store) -> int:
    return (await store.read(lambda tx: change_events.backlog(tx, NOW))).waiting


async def test_posts_at_the_same_moment_make_one_deployment_that_is_told_once(store: Store) -> None:
    filings = await asyncio.gather(*[posted(store, DONE, "pager", "other") for _ in range(8)])
    assert sorted(filings) == sorted([Filing.NEW, *[Filing.SAME] * 7])
    assert len(await store.read(lambda tx: deployments.search(tx, limit=10))) == 1
    assert await waiting(store) == 2


async def test_two_senders_may_use_the_same_id(store: Store) -> None:
    assert await posted(store) is Filing.NEW
    assert await posted(store, replace(DONE, source="other", version="9")) is Filing.NEW


async def test_a_deployment_is_forgotten_like_an_incident(store: Store) -> None:
    await posted(store)
    await housekeep(store, KEPT, NOW + 99 * DAY)
    assert len(await store.read(lambda tx: deployments.search(tx, limit=10))) == 1
    await housekeep(store, KEPT, NOW + 101 * DAY)
    assert await store.read(lambda tx: deployments.search(tx, limit=10)) == []


async def test_what_no_channel_has_taken_for_six_hours_is_given_up(store: Store) -> None:
    await posted(store)
    await housekeep(store, KEPT, NOW + TOLD_WITHIN)
    assert await waiting(store) == 1
    late = NOW + TOLD_WITHIN + SECOND
    await housekeep(store, KEPT, late)
    found = await store.read(lambda tx: change_events.backlog(tx, late))
    assert (found.waiting, found.given_up) == (0, 1)
