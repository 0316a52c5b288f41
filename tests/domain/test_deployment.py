"""What a post about a deployment adds to what is known of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from incidentd.domain.deployment import Announcement, Deployment, DeploymentStatus, Filing, file

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RUNNING = Deployment("main", "7", "shop", "production", "1.2", None, NOON - 9 * MINUTE, NOON, None)


def ended(status: str = "success", minutes: int = 3, **changes: Any) -> Deployment:
    return replace(RUNNING, status=DeploymentStatus(status), finished_at=NOON + minutes * MINUTE, **changes)


@pytest.mark.parametrize(
    ("known", "posted", "filing", "after", "finished_now"),
    [
        (None, RUNNING, Filing.NEW, RUNNING, False),
        (None, ended(), Filing.NEW, ended(), True),
        (RUNNING, RUNNING, Filing.SAME, RUNNING, False),
        (RUNNING, ended(), Filing.UPDATED, ended(), True),
        (ended(), ended(), Filing.SAME, ended(), False),
        (ended(), RUNNING, Filing.LATE, ended(), False),
        (ended(), ended("rolled_back", 9), Filing.UPDATED, ended("rolled_back", 9), False),
        (ended(), ended("rolled_back"), Filing.UPDATED, ended("rolled_back"), False),
        (ended("rolled_back", 9), ended(), Filing.LATE, ended("rolled_back", 9), False),
        (ended("rolled_back"), ended(), Filing.LATE, ended("rolled_back"), False),
        (ended("rolled_back"), ended("rolled_back"), Filing.SAME, ended("rolled_back"), False),
        (ended(), ended("failure"), Filing.UPDATED, ended("failure"), False),
        (ended(commit_time=None), RUNNING, Filing.UPDATED, ended(), False),
        (ended(), ended(commit_time=None), Filing.SAME, ended(), False),
        (RUNNING, ended(version="1.3"), Filing.CONFLICT, RUNNING, False),
        (RUNNING, ended(started_at=NOON + MINUTE), Filing.CONFLICT, RUNNING, False),
        (RUNNING, ended(commit_time=NOON), Filing.CONFLICT, RUNNING, False),
    ],
)
def test_only_the_end_and_an_unknown_commit_time_change_and_never_backwards(
    known: Deployment | None, posted: Deployment, filing: Filing, after: Deployment, finished_now: bool
) -> None:
    filed = file(known, posted)
    assert (filed.filing, filed.deployment, filed.finished_now) == (filing, after, finished_now)


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ("success", "Deployed shop 1.2 to production"),
        ("failure", "Deployment of shop 1.2 to production failed"),
        ("rolled_back", "Deployment of shop 1.2 to production was rolled back"),
    ],
)
def test_every_end_has_its_sentence(status: str, sentence: str) -> None:
    assert Announcement(ended(status), "").sentence == sentence
