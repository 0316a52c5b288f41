"""Bodies that are wrong: what can be understood is, one bad alert is set aside, and garbage is named."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from incidentd.domain.alert import fingerprint_of
from incidentd.ingest import alertmanager
from incidentd.ingest.body import Body, to_post
from incidentd.ingest.types import NotAWebhookError, Post, Reason
from tests.ingest.bodies import NOW, alert, body

RESOLVED = {"status": "resolved", "endsAt": "2026-11-20T20:10:00Z"}


def parse(*alerts: object, **fields: Any) -> Post:
    return alertmanager.parse(body(*alerts, **fields), "main", NOW)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"payload=%7B%7D", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"alerts":' + b"[" * 200_000, "nested too deeply"),
        (b"[]", "let Prometheus post to Alertmanager"),
        (b"null", "not an object"),
        (b'"alerts"', "not an object"),
        (b"{}", "no keys and no alerts"),
        (
            b'{"text":"hi","a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1}',
            "'text', .*, .* and no alerts.*`payload:`",
        ),
        (b'{"alerts":null}', "alerts is no list"),
        (b'{"alerts":{}}', "alerts is no list.*Alertmanager 0.32"),
    ],
)
def test_what_is_no_webhook_is_refused_with_what_is_expected(data: bytes, said: str) -> None:
    with pytest.raises(NotAWebhookError, match=said) as refused:
        alertmanager.parse(data, "main", NOW)
    assert "Expected is the webhook body of Alertmanager" in refused.value.detail


@pytest.mark.parametrize(
    ("bad", "where", "reason"),
    [
        (None, "", Reason.NOT_AN_OBJECT),
        ("alert", "", Reason.NOT_AN_OBJECT),
        ([], "", Reason.NOT_AN_OBJECT),
        (alert(status=...), ".status", Reason.STATUS),
        (alert(status="pending"), ".status", Reason.STATUS),
        (alert(status=[]), ".status", Reason.STATUS),
        (alert(labels=[]), ".labels", Reason.LABELS),
        (alert(labels="x"), ".labels", Reason.LABELS),
        (alert(annotations=3), ".annotations", Reason.ANNOTATIONS),
        (alert(labels=None, fingerprint=...), "", Reason.NO_IDENTITY),
        (alert(labels={"a": ""}, fingerprint=""), "", Reason.NO_IDENTITY),
        (alert(fingerprint="f" * 129), ".fingerprint", Reason.FINGERPRINT),
        (alert(fingerprint="a b"), ".fingerprint", Reason.FINGERPRINT),
        (alert(fingerprint="ab\n"), ".fingerprint", Reason.FINGERPRINT),
        (alert(fingerprint=5), ".fingerprint", Reason.FINGERPRINT),
        (alert(startsAt="yesterday"), ".startsAt", Reason.TIME),
        (alert(startsAt=1795194270), ".startsAt", Reason.TIME),
        (alert(startsAt="9999-12-31T23:59:59-05:00"), ".startsAt", Reason.TIME_RANGE),
        (alert(status="resolved", endsAt={}), ".endsAt", Reason.TIME),
    ],
)
def test_a_bad_alert_is_set_aside_and_its_neighbours_kept(bad: object, where: str, reason: Reason) -> None:
    post = parse(alert(fingerprint="first"), bad, alert(fingerprint="last"))
    assert [kept.fingerprint for kept in post.alerts] == ["first", "last"]
    (aside,) = post.quarantined
    assert (aside.where, aside.reason, post.received) == (f"alerts[1]{where}", reason, 3)
    assert json.loads(aside.raw) == bad


def test_the_raw_text_of_a_bad_alert_is_bounded_and_storable() -> None:
    (aside,) = parse(alert(status="\0\ud800", annotations={"a": "é" * 50_000})).quarantined
    assert len(aside.raw.encode()) <= 16 * 1024
    assert "\0" not in aside.raw


def test_an_alert_nested_beyond_writing_is_set_aside_without_its_text() -> None:
    deep: list[Any] = []
    for _ in range(200_000):
        deep = [deep]
    told = Body({"version": "4", "alerts": [alert(labels={"a": deep}), alert()]}, tidy=True)
    post = to_post(told, "main", NOW)
    (aside,) = post.quarantined
    assert (aside.where, aside.reason, aside.raw) == ("alerts[0].labels", Reason.NESTED, "")
    assert len(post.alerts) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-20T20:00:00Z", datetime(2026, 11, 20, 20, tzinfo=UTC)),
        ("2026-11-20T20:00:00.1Z", datetime(2026, 11, 20, 20, 0, 0, 100000, tzinfo=UTC)),
        ("2026-11-20T20:00:00.123456999Z", datetime(2026, 11, 20, 20, 0, 0, 123456, tzinfo=UTC)),
        ("2026-11-20T20:00:00.5+05:30", datetime(2026, 11, 20, 14, 30, 0, 500000, tzinfo=UTC)),
        (" 2026-11-20t20:00:00z ", datetime(2026, 11, 20, 20, tzinfo=UTC)),
        ("2026-11-20t20:00:00-04:00", datetime(2026, 11, 21, tzinfo=UTC)),
        ("2026-11-20T20:00:00", datetime(2026, 11, 20, 20, tzinfo=UTC)),
    ],
)
def test_a_time_is_understood_in_utc_cut_to_microseconds(text: str, expected: datetime) -> None:
    (one,) = parse(alert(startsAt=text)).alerts
    assert (one.starts_at, one.starts_at.tzinfo) == (expected, UTC)


@pytest.mark.parametrize(
    "zero", [..., None, "", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+05:30", "0000-12-31T19:04:00-04:56"]
)
def test_a_missing_or_zero_time_is_the_time_of_receipt_with_a_warning(zero: object) -> None:
    firing = parse(alert(startsAt=zero, endsAt="2026-11-20T22:00:00Z"))
    assert (firing.alerts[0].starts_at, firing.alerts[0].ends_at) == (NOW, None)
    assert "alerts[0].startsAt: missing" in firing.warnings[0]
    resolved = parse(alert(status="resolved", endsAt=zero))
    assert resolved.alerts[0].ends_at == NOW
    assert "alerts[0].endsAt: missing" in resolved.warnings[0]
    unborn = parse(alert(**RESOLVED, startsAt=zero)).alerts[0]
    assert unborn.starts_at == unborn.ends_at


def test_a_resolve_without_an_end_does_not_end_before_it_started() -> None:
    (one,) = parse(alert(status="resolved", endsAt=None, startsAt="2027-01-01T00:00:00Z")).alerts
    assert one.ends_at == one.starts_at


def test_warnings_are_told_once_per_kind_with_their_number() -> None:
    post = parse(*[alert(startsAt=None)] * 1000)
    assert len(post.alerts) == 1000
    assert len(post.warnings) == 1
    assert post.warnings[0].endswith("(and 999 more)")


@pytest.mark.parametrize("status", ["FIRING", " Firing"])
def test_the_status_is_read_in_any_case(status: str) -> None:
    assert parse(alert(status=status)).alerts[0].firing


def test_nulls_and_absent_fields_are_empty() -> None:
    post = parse(
        alert(labels=None, annotations=None, generatorURL=None), alert(annotations=..., generatorURL=5)
    )
    assert [(one.annotations, one.generator_url) for one in post.alerts] == [({}, "")] * 2
    assert (post.alerts[0].labels, post.warnings) == ({}, ())


def test_values_that_are_no_text_are_written_as_in_json() -> None:
    labels = {"a": 5, "b": True, "c": 1.5, "d": None, "e": ["x", 1], "f": "", "g": "\0"}
    post = parse(alert(labels=labels, annotations={"n": None, "o": {"k": "v"}}))
    assert post.alerts[0].labels == {"a": "5", "b": "true", "c": "1.5", "e": '["x",1]'}
    assert post.alerts[0].annotations == {"n": "", "o": '{"k":"v"}'}
    assert "alerts[0].labels: a value is no text" in post.warnings[0]


def test_a_missing_fingerprint_covers_the_labels_before_they_are_cut() -> None:
    labels = {"alertname": "x" * 10_000, "job": "node"}
    (one,) = parse(alert(labels=labels, fingerprint=None)).alerts
    assert one.fingerprint == fingerprint_of(labels)
    assert one.cut == ("label alertname",)


def test_control_characters_are_kept_but_nul_is_not() -> None:
    (one,) = parse(
        alert(labels={"a\0b": "x\0\x1b\ty"}, annotations={"s": "\0\x07"}, generatorURL="u\0")
    ).alerts
    assert (one.labels, one.annotations, one.generator_url) == ({"ab": "x\x1b\ty"}, {"s": "\x07"}, "u")


def test_broken_unicode_is_replaced_and_nobody_lost() -> None:
    data = body(alert(labels={"a": "\ud800é", "b": "SPOT"}), alert(), receiver="\udfff")
    post = alertmanager.parse(data.replace(b"SPOT", b"\xff"), "main", NOW)
    assert post.alerts[0].labels == {"a": "\ufffdé", "b": "\ufffd"}
    assert (len(post.alerts), post.receiver) == (2, "\ufffd")
    assert "body: not strictly valid JSON" in post.warnings[0]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_is_no_reason_to_refuse(encoding: str) -> None:
    post = alertmanager.parse(body(alert()).decode().encode(encoding), "main", NOW)
    assert (len(post.alerts), post.received) == (1, 1)


def test_a_number_of_endless_digits_costs_nobody_anything() -> None:
    data = body(alert(labels={"a": "N"}), alert(), x=float("nan")).replace(b'"N"', b"-" + b"9" * 100_000)
    post = alertmanager.parse(data, "main", NOW)
    assert (post.alerts[0].labels, len(post.alerts)) == ({"a": "-Infinity"}, 2)


@pytest.mark.parametrize(("given", "expected"), [(0, 0), (4, 4), (None, 0)])
def test_the_number_of_truncated_alerts_is_told(given: object, expected: int) -> None:
    post = parse(alert(), truncatedAlerts=given)
    assert (post.truncated, post.warnings) == (expected, ())


@pytest.mark.parametrize("given", [-1, "4", True, 1.5, 2**40, []])
def test_a_number_of_truncated_alerts_that_is_none_is_zero_with_a_warning(given: object) -> None:
    post = parse(alert(), truncatedAlerts=given)
    assert (post.truncated, post.warnings) == (0, ("truncatedAlerts: not a count: taken as 0",))


def test_a_body_without_alerts_in_its_list_is_fine() -> None:
    post = parse()
    assert (post.received, post.alerts, post.warnings) == (0, (), ())


def test_newer_fields_are_read_or_ignored() -> None:
    post = parse(alert(new=1), notification_reason="repeat interval elapsed", routeLabels={}, receiver=None)
    assert (post.notification_reason, post.receiver, len(post.alerts)) == ("repeat interval elapsed", "", 1)


def test_a_custom_payload_with_alerts_is_read_and_named() -> None:
    post = alertmanager.parse(json.dumps({"alerts": [alert()]}).encode(), "main", NOW)
    assert len(post.alerts) == 1
    assert "custom payload" in post.warnings[0]


def test_duplicates_in_one_body_are_all_kept() -> None:
    assert len(parse(alert(), alert()).alerts) == 2
