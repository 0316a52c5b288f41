"""The DORA figures equal a recomputation by hand of every deployment; classes follow the published bands."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.domain.deployment import Deployment, DeploymentStatus
from incidentd.domain.dora import Band, Blame, FailureType, Outage, dora, lead_time, said
from incidentd.domain.severity import Severity

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
BLAME = Blame()
DONE = Deployment(
    "main",
    "7",
    "shop",
    "production",
    "1.2",
    DeploymentStatus.SUCCESS,
    NOW - 4 * HOUR,
    NOW - 2 * HOUR,
    NOW - HOUR,
)
TROUBLE = Outage(5, "shop", Severity.CRITICAL, "", NOW - HOUR + 4 * MINUTE, NOW - HOUR + 34 * MINUTE)

minutes = st.integers(0, 3000).map(lambda n: NOW - n * MINUTE)


@st.composite
def deployments(draw: st.DrawFn) -> Deployment:
    started = draw(minutes)
    status = draw(st.sampled_from([None, *DeploymentStatus]))
    return Deployment(
        source="main",
        id=str(draw(st.integers(0, 10**9))),
        service=draw(st.sampled_from(["shop", "mail"])),
        environment=draw(st.sampled_from(["production", "staging"])),
        version="1",
        status=status,
        commit_time=draw(st.none() | st.just(started - DAY)),
        started_at=started,
        finished_at=None if status is None else started + draw(st.integers(0, 90)) * MINUTE,
    )


@st.composite
def outages(draw: st.DrawFn) -> Outage:
    opened = draw(minutes)
    ended = draw(st.none() | st.integers(0, 500).map(lambda n: opened + n * MINUTE))
    service = draw(st.sampled_from(["shop", "mail", "other"]))
    where = draw(st.sampled_from(["", "production", "staging"]))
    return Outage(draw(st.integers(1, 99)), service, draw(st.sampled_from(Severity)), where, opened, ended)


def failed_by_hand(d: Deployment, troubles: list[Outage]) -> bool:
    if d.status in {DeploymentStatus.FAILURE, DeploymentStatus.ROLLED_BACK}:
        return True
    assert d.finished_at is not None
    for t in troubles:
        inside = d.started_at <= t.opened_at <= d.finished_at + HOUR
        here = t.service == d.service and t.environment in {"", "production"}
        if inside and here and t.severity is not Severity.INFO:
            return True
    return False


def repaired_by_hand(d: Deployment, posted: list[Deployment], troubles: list[Outage]) -> timedelta | None:
    """How long the failure of a failed deployment lasted."""
    assert d.finished_at is not None
    if d.status is DeploymentStatus.ROLLED_BACK:
        other = replace(d, status=DeploymentStatus.SUCCESS)
        seen = [t for t in troubles if failed_by_hand(other, [t]) and t.opened_at <= d.finished_at]
        seen.sort(key=lambda t: t.opened_at)
        still = [t for t in seen if not (t.ended_at and t.ended_at < d.finished_at)]
        return d.finished_at - (still[0].opened_at if still else seen[-1].opened_at if seen else d.started_at)
    if d.status is DeploymentStatus.FAILURE:
        later = sorted(
            x.finished_at for x in posted
            if (x.service, x.environment) == (d.service, d.environment)
            and x.status is DeploymentStatus.SUCCESS and x.finished_at and x.finished_at > d.finished_at
        )  # fmt: skip
        return later[0] - d.finished_at if later else None
    mine = [t for t in troubles if failed_by_hand(d, [t])]
    ends = [t.ended_at for t in mine]
    return None if None in ends else max(filter(None, ends)) - min(t.opened_at for t in mine)


@given(st.lists(deployments(), max_size=12), st.lists(outages(), max_size=8))
def test_recoveries_equal_those_looked_up_one_by_one(
    posted: list[Deployment], troubles: list[Outage]
) -> None:
    made = dora(posted, troubles, NOW, 10 * DAY, BLAME).total
    ended = [d for d in posted if d.environment == "production" and d.finished_at and d.finished_at <= NOW]
    spans = [repaired_by_hand(d, posted, troubles) for d in ended if failed_by_hand(d, troubles)]
    known = sorted(span.total_seconds() for span in spans if span is not None)
    assert (made.recovery.count, made.unrecovered) == (len(known), len(spans) - len(known))
    if known:
        assert made.recovery.mean_seconds == pytest.approx(sum(known) / len(known))


@given(st.lists(deployments(), max_size=12), st.lists(outages(), max_size=8), st.integers(1, 3000))
def test_counts_and_rates_equal_those_counted_one_by_one(
    posted: list[Deployment], troubles: list[Outage], window: int
) -> None:
    made = dora(posted, troubles, NOW, window * MINUTE, BLAME).total
    since = NOW - window * MINUTE
    ended = [
        d for d in posted if d.environment == "production" and d.finished_at and since < d.finished_at <= NOW
    ]
    good = [d for d in ended if d.status is DeploymentStatus.SUCCESS]
    failed = [d for d in ended if failed_by_hand(d, troubles)]
    assert (made.deployments, made.successful, sum(made.failed.values())) == (
        len(ended),
        len(good),
        len(failed),
    )
    assert made.failure_rate == (len(failed) / len(ended) if ended else None)
    assert made.lead_time.count == sum(d.commit_time is not None for d in good)
    assert made.recovery.count + made.unrecovered == len(failed)


@given(st.lists(deployments(), max_size=12), st.lists(outages(), max_size=8))
def test_the_services_add_up_to_the_total(posted: list[Deployment], troubles: list[Outage]) -> None:
    made = dora(posted, troubles, NOW, 10 * DAY, BLAME)
    assert sum(each.deployments for each in made.by_service.values()) == made.total.deployments
    for kind in FailureType:
        assert sum(each.failed[kind] for each in made.by_service.values()) == made.total.failed[kind]


def test_an_incident_soon_after_makes_a_deployment_a_failed_one_until_it_ends() -> None:
    made = dora([DONE], [TROUBLE], NOW, DAY, BLAME).total
    assert made.failed[FailureType.INCIDENT] == 1
    assert made.recovery.mean_seconds == 30 * 60
    still = dora([DONE], [replace(TROUBLE, ended_at=None)], NOW, DAY, BLAME).total
    assert (still.recovery.count, still.unrecovered) == (0, 1)


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"service": "mail"},
        {"environment": "staging"},
        {"severity": Severity.INFO},
        {"opened_at": NOW + MINUTE},
        {"opened_at": NOW - 3 * HOUR},
    ],
    ids=str,
)
def test_an_incident_of_something_else_or_too_late_blames_nothing(elsewhere: dict[str, object]) -> None:
    assert not BLAME.blames(DONE, replace(TROUBLE, **elsewhere))  # type: ignore[arg-type]


def test_a_failed_deployment_is_mended_by_the_next_good_one_of_its_place() -> None:
    bad = replace(DONE, status=DeploymentStatus.FAILURE)
    elsewhere = replace(DONE, id="8", environment="prod", finished_at=NOW - 50 * MINUTE)
    mend = replace(DONE, id="9", finished_at=NOW - 20 * MINUTE)
    made = dora([bad, elsewhere, mend], [], NOW, DAY, BLAME).total
    assert made.recovery.mean_seconds == 40 * 60


def test_a_roll_back_is_its_own_repair() -> None:
    back = replace(DONE, status=DeploymentStatus.ROLLED_BACK)
    assert dora([back], [], NOW, DAY, BLAME).total.recovery.mean_seconds == 3600
    late = replace(back, finished_at=NOW)
    assert (
        dora([late], [TROUBLE], NOW, DAY, BLAME).total.recovery.mean_seconds
        == (NOW - TROUBLE.opened_at).total_seconds()
    )


@pytest.mark.parametrize(
    ("count", "band"), [(30, Band.ELITE), (29, Band.HIGH), (5, Band.HIGH), (4, Band.MEDIUM), (0, Band.LOW)]
)
def test_the_class_of_a_frequency_follows_the_bands(count: int, band: Band) -> None:
    good = [replace(DONE, id=str(n)) for n in range(count)]
    bad = replace(DONE, id="bad", status=DeploymentStatus.FAILURE)
    assert dora([*good, bad], [], NOW, 30 * DAY, BLAME).total.frequency is band


@pytest.mark.parametrize(
    ("failed", "band"), [(1, Band.ELITE), (2, Band.HIGH), (3, Band.MEDIUM), (4, Band.LOW)]
)
def test_the_class_of_a_failure_rate_follows_the_bands(failed: int, band: Band) -> None:
    line = [
        replace(DONE, id=str(n), status=DeploymentStatus.FAILURE if n < failed else DeploymentStatus.SUCCESS)
        for n in range(20)
    ]
    assert dora(line, [], NOW, DAY, BLAME).total.failure_band is band


@pytest.mark.parametrize(
    ("took", "band"),
    [(23 * HOUR, Band.ELITE), (DAY, Band.HIGH), (8 * DAY, Band.MEDIUM), (31 * DAY, Band.LOW)],
)
def test_the_class_of_a_lead_time_follows_the_bands(took: timedelta, band: Band) -> None:
    line = [replace(DONE, commit_time=NOW - HOUR - took)]
    made = dora(line, [], NOW, DAY, BLAME).total
    assert made.lead_time_band is band
    assert made.overall is max(band, Band.ELITE, key=list(Band).index)


def test_nothing_deployed_has_no_class() -> None:
    made = dora([], [], NOW, DAY, BLAME).total
    assert (made.frequency, made.failure_band, made.recovery_band, made.overall) == (None,) * 4


def test_a_lead_time_needs_both_ends_and_is_never_negative() -> None:
    assert lead_time(DONE) == 3 * HOUR
    assert lead_time(replace(DONE, commit_time=None)) is None
    assert lead_time(replace(DONE, status=DeploymentStatus.FAILURE)) is None
    assert lead_time(replace(DONE, commit_time=NOW)) == timedelta()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, "shop 1.2 to production: deployed 4 min before"),
        ({"status": DeploymentStatus.FAILURE}, "shop 1.2 to production: deployment failed 4 min before"),
        ({"status": DeploymentStatus.ROLLED_BACK}, "shop 1.2 to production: rolled back 4 min before"),
        (
            {"status": None, "finished_at": None, "started_at": NOW - 3 * HOUR - 1 * MINUTE},
            "shop 1.2 to production: deployment begun 2 h 5 min before",
        ),
        (
            {"finished_at": TROUBLE.opened_at - timedelta(seconds=9)},
            "shop 1.2 to production: deployed 9 s before",
        ),
    ],
    ids=str,
)
def test_a_timeline_says_how_long_before_it_was_deployed(changed: dict[str, object], words: str) -> None:
    assert said(replace(DONE, **changed), TROUBLE.opened_at) == words  # type: ignore[arg-type]
