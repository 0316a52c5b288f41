"""What Alertmanager answers is read as it was recorded; anything else is an error with its reason, never an absence."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.channels.http import HttpClient
from incidentd.domain.alert import fingerprint_of
from incidentd.sources.alertmanager import Alertmanager, credentials
from incidentd.sources.answers import (
    AlertmanagerError,
    Reason,
    Silence,
    SilenceMatcher,
    alerts_of,
    said,
    silence_body,
    silence_id_of,
    silences_of,
    status_of,
)
from tests.fakes.alertmanager import AlertmanagerFake, alert

DATA = Path(__file__).parents[1] / "data" / "alertmanager_api"
NOW = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)


def recorded(name: str, side: str = "response") -> Any:
    return json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))[side]["body"]


def answer(name: str) -> bytes:
    return json.dumps(recorded(name)).encode()


def every(_fingerprint: str) -> bool:
    return True


def none(_fingerprint: str) -> bool:
    return False


def reason_of(body: bytes) -> Reason:
    with pytest.raises(AlertmanagerError) as caught:
        alerts_of(body, every)
    return caught.value.reason


def test_recorded_alerts_are_read_with_what_keeps_them_quiet() -> None:
    noise, load, disk = alerts_of(answer("alerts_with_silenced"), every)
    assert (noise.active, noise.inhibited, noise.silenced_by) == (False, True, ())
    assert (load.active, load.inhibited, load.receivers) == (True, False, ("incidentd",))
    assert disk.silenced_by == ("9571a0de-7d84-4ff3-b3d5-15054ecf3e85",)
    assert all(each.fingerprint == fingerprint_of(each.labels) for each in (noise, load, disk))


def test_what_nobody_wants_is_dropped_and_the_rest_is_kept_whole() -> None:
    body = json.dumps([alert("A", "aa"), alert("B", "bb")]).encode()
    first, second = alerts_of(body, lambda fingerprint: fingerprint == "bb")
    assert first.raw is None
    assert second.raw == alert("B", "bb")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"{}", b"[", b"[{}]", b"[1]", b'[{"labels": {}}]', b"[] []", b"[}", b"[1 2]", b"[,]", b"x",
        b'[{"labels": {"a": 1}, "status": {"state": "active"}}]', b"<html>", b"[" * 100_000, b"\xff[",
        json.dumps([alert("A", "aa")]).encode()[:-1], json.dumps([alert("A", "aa")]).encode()[:-2] + b",]",
    ],
)  # fmt: skip
def test_what_is_no_complete_list_of_alerts_is_a_bad_answer(body: bytes) -> None:
    assert reason_of(body) is Reason.BAD_ANSWER


@given(st.integers(0, 4), st.data())
def test_no_prefix_of_an_answer_is_taken_for_less_alerts(number: int, data: st.DataObject) -> None:
    whole = json.dumps([alert(f"A{n}", f"{n:x}") for n in range(number)], indent=1).encode()
    assert len(alerts_of(whole, none)) == number
    cut = data.draw(st.integers(0, len(whole) - 1))
    assert reason_of(whole[:cut]) is Reason.BAD_ANSWER


def test_uptime_is_counted_by_the_clock_of_the_one_who_answers() -> None:
    date = "Fri, 20 Nov 2026 20:37:59 GMT"
    found = status_of(answer("status"), date, NOW)
    assert (found.version, found.cluster) == ("0.25.0", "disabled")
    assert found.up == timedelta(seconds=59, milliseconds=716)
    assert status_of(answer("status"), "no date", NOW).up > timedelta(minutes=20)
    with pytest.raises(AlertmanagerError):
        status_of(b'{"uptime": "yesterday"}', date, NOW)


def test_silences_are_read_and_written_as_recorded() -> None:
    (new, old) = silences_of(answer("silences_after_matcher_change"))
    assert (new.state, new.created_by) == ("active", "incidentd")
    assert new.matchers == (SilenceMatcher("alertname", "DiskFull"),)
    assert old.state == "expired"
    posted = recorded("silence_create", "request")
    silence = Silence(
        "", "", posted["createdBy"], posted["comment"], NOW, NOW, tuple(
            SilenceMatcher(m["name"], m["value"], m["isRegex"], m["isEqual"]) for m in posted["matchers"]
        ),
    )  # fmt: skip
    assert json.loads(silence_body(silence)) == {
        **posted,
        "startsAt": NOW.isoformat(),
        "endsAt": NOW.isoformat(),
    }
    assert silence_id_of(answer("silence_create")) == "9571a0de-7d84-4ff3-b3d5-15054ecf3e85"


def test_errors_are_read_in_all_three_shapes() -> None:
    assert said(answer("silence_bad_no_comment")) == "comment in body is required"
    assert said(b'"silence not found"') == "silence not found"
    assert said(b"Bad Gateway\n") == "Bad Gateway"


@pytest.fixture
async def fake() -> AsyncIterator[AlertmanagerFake]:
    async with AlertmanagerFake() as opened:
        yield opened


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient()
    yield client
    await client.aclose()


def member(http: HttpClient, fake: AlertmanagerFake, token: str = "") -> Alertmanager:
    return Alertmanager(http, fake.url, credentials(None, None, token or None), lambda: NOW)


async def test_it_is_asked_below_its_path_with_its_credentials(
    http: HttpClient, fake: AlertmanagerFake
) -> None:
    fake.token, fake.alerts = "secret", [alert("A", "aa")]
    assert [each.fingerprint for each in await member(http, fake, "secret").alerts()] == ["aa"]
    with pytest.raises(AlertmanagerError) as refused:
        await member(http, fake).status()
    assert refused.value.reason is Reason.REFUSED
    assert credentials("ops", "pass", None) == {"Authorization": "Basic b3BzOnBhc3M="}


async def test_a_silence_is_made_changed_and_ended(http: HttpClient, fake: AlertmanagerFake) -> None:
    asked = member(http, fake)
    silence = Silence(
        "", "", "alice", "disk swap", NOW, NOW + timedelta(hours=1), (SilenceMatcher("a", "b"),)
    )
    number = await asked.post_silence(silence)
    (made,) = await asked.silences()
    assert (made.id, made.comment, made.ends_at) == (number, "disk swap", silence.ends_at)
    await asked.expire_silence(number)
    assert (await asked.silences())[0].state == "expired"
    await asked.expire_silence("unknown")
    with pytest.raises(AlertmanagerError) as refused:
        await asked.post_silence(Silence("", "", "alice", "", NOW, NOW, ()))
    assert refused.value.reason is Reason.INVALID
    assert "at least 1 items" in refused.value.detail


@pytest.mark.parametrize(
    ("status", "reason"),
    [(500, Reason.FAILED), (302, Reason.FAILED), (404, Reason.UNKNOWN), (410, Reason.FAILED)],
)
async def test_a_refusal_is_an_error_with_its_words(
    http: HttpClient, fake: AlertmanagerFake, status: int, reason: Reason
) -> None:
    fake.broken = (status, b'"no way"')
    with pytest.raises(AlertmanagerError) as caught:
        await member(http, fake).alerts()
    assert caught.value.reason is reason
    assert caught.value.detail == f"HTTP {status} no way"


async def test_one_that_is_not_there_is_unreachable(http: HttpClient, fake: AlertmanagerFake) -> None:
    gone = Alertmanager(http, "http://127.0.0.1:1", {}, lambda: NOW)
    with pytest.raises(AlertmanagerError) as caught:
        await gone.alerts()
    assert caught.value.reason is Reason.UNREACHABLE
