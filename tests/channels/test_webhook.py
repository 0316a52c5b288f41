"""What only webhooks do: signatures, rotation, the 20 KB body, and every HTTP status."""

from __future__ import annotations

import base64
from dataclasses import fields
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from standardwebhooks import Webhook, WebhookVerificationError

from incidentd.channels.base import HttpAnswer
from incidentd.channels.http import HttpClient
from incidentd.channels.webhook import WebhookConfig, judge, render
from incidentd.clock import FixedClock, SystemClock
from incidentd.domain.incident import Incident, State
from incidentd.domain.notification import IncidentView, Message, Notice, Texts, Verdict
from incidentd.web.present import incident_json
from tests.channels.support import (
    IMPATIENT,
    NOW,
    alert,
    environment,
    hostile,
    incident,
    message,
    open_channel,
)
from tests.fakes.http import Answer
from tests.fakes.webhook import SECRET, WebhookFake

OLD = "whsec_" + base64.b64encode(b"an older secret of the fake receiver").decode()
CONFIG = WebhookConfig.model_validate({"kind": "webhook", "url": "https://hooks.example.com/x"})


def _body(said: Message) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(render(CONFIG, said).content)
    return body


@pytest.mark.parametrize("secret", [None, SECRET, [SECRET, OLD], [OLD, SECRET]])
async def test_the_receiver_accepts_generated_configured_and_rotated_secrets(secret: Any) -> None:
    clock, http = FixedClock(NOW), HttpClient(IMPATIENT)
    async with WebhookFake(now=clock.now) as fake:
        sender = open_channel(
            {"kind": "webhook", "url": fake.url, "secret": secret}, environment(http, clock=clock)
        )
        assert (await sender.send(message())).verdict is Verdict.OK
        clock.set(NOW + timedelta(hours=5))
        assert (await sender.send(message())).verdict is Verdict.OK
        stamps = [received.headers["webhook-timestamp"] for received in fake.requests]
        assert fake.violations == []
        assert fake.ids == ["dlv_0001", "dlv_0001"]
        assert int(stamps[1]) - int(stamps[0]) == 5 * 3600
    await http.aclose()


async def test_the_specifications_own_library_verifies_each_secret_during_a_rotation() -> None:
    clock, http = SystemClock(), HttpClient(IMPATIENT)
    async with WebhookFake(now=clock.now) as fake:
        config: dict[str, object] = {"kind": "webhook", "url": fake.url, "secret": [SECRET, OLD]}
        await open_channel(config, environment(http, clock=clock)).send(message())
        (received,) = fake.requests
        for secret in (SECRET, OLD):
            verified = Webhook(secret).verify(received.body, dict(received.headers))
            assert verified["type"] == "incident.triggered"
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(received.body.replace(b"critical", b"info"), dict(received.headers))
    await http.aclose()


async def test_a_wrong_secret_is_seen_by_the_receiver_and_a_redirect_is_not_followed() -> None:
    clock, http = FixedClock(NOW), HttpClient(IMPATIENT)
    async with WebhookFake(now=clock.now) as fake:
        sender = open_channel(
            {"kind": "webhook", "url": fake.url, "secret": OLD}, environment(http, clock=clock)
        )
        assert (await sender.send(message())).verdict is Verdict.CONTENT_REJECTED
        assert fake.violations == ["webhook-signature"]
        fake.script([Answer(307, headers={"Location": fake.url})])
        assert (await sender.send(message())).verdict is Verdict.DESTINATION_BROKEN
        assert len(fake.requests) == 2
    await http.aclose()


def test_the_body_has_the_documented_fields() -> None:
    body = _body(message())
    assert body["type"] == "incident.triggered"
    assert body["timestamp"] == "2026-11-20T10:15:00Z"
    assert " ".join(body["data"]["incident"]) == (
        "id ref title state severity service group_key labels opened_at acknowledged_at acknowledged_by"
        " resolved_at resolved_by snoozed_until resolve_withheld suppressed_by flapping drill assigned_to"
        " alerts_firing alerts_total reopen_count runbook url"
    )
    assert " ".join(body["data"]["alerts"][0]) == (
        "fingerprint source status severity labels annotations starts_at ends_at generator_url last_seen_at"
        " incident_id"
    )
    assert "alerts_truncated" not in body["data"]


@pytest.mark.parametrize("notice", Notice)
def test_every_notice_has_a_type_of_the_contract_and_carries_the_current_state(notice: Notice) -> None:
    body = _body(message(notice, incident=incident(state="resolved")))
    missed = notice is Notice.MISSED
    assert body["type"] == f"incident.{'updated' if missed or notice is Notice.DIGEST else notice}"
    assert body["data"].get("missed_page", False) is missed
    assert body["data"]["incident"]["state"] == "resolved"


def test_an_event_that_stands_in_names_the_other_channel_and_texts_change_nothing() -> None:
    said = message(fallback_of="ops-slack", texts=Texts(title="mine", body="mine"))
    assert _body(said)["data"].pop("fallback_of") == "ops-slack"
    assert b"mine" not in render(CONFIG, said).content


def test_an_event_leads_to_the_form_for_a_silence_if_that_is_known_and_a_web_address() -> None:
    form = "https://am.example.com/#/silences/new?filter=%7Ba%3D%22b%22%7D"
    assert _body(message(incident=incident(silence_url=form)))["data"]["silence_url"] == form
    for known in (None, "javascript:alert(1)", "https://am.example.com/" + "x" * 3000):
        assert "silence_url" not in _body(message(incident=incident(silence_url=known)))["data"]


@pytest.mark.parametrize("runbook", ["https://runbooks.example.com/x", ""])
def test_an_incident_has_the_keys_and_types_of_the_api(runbook: str) -> None:
    told = _body(message(incident=incident(runbook_url=runbook)))["data"]["incident"]
    view = incident(runbook_url=runbook)
    shared = {f.name for f in fields(Incident)} & {f.name for f in fields(IncidentView)}
    values = {name: getattr(view, name) for name in shared} | {"state": State(view.state)}
    kept = Incident(source="main", notify=(), route="route", escalation=None, **values)
    api = orjson.loads(orjson.dumps(incident_json(kept, "http://127.0.0.1:8650")))
    # How far the escalation has gone moves while the message is on its way; receivers ask the API for it.
    assert api.pop("escalation") is None
    assert told.keys() == api.keys()
    assert [type(told[key]) for key in told] == [type(api[key]) for key in told]
    assert (told["runbook"] or {}).get("url") == (runbook or None)
    assert told["runbook"] == api["runbook"]


def test_a_body_over_20_kb_shortens_texts_and_counts_the_alerts_it_leaves_out() -> None:
    said = hostile("x" * 20_000)
    data = _body(said)["data"]
    assert len(render(CONFIG, said).content) <= 20_000
    assert len(data["alerts"]) + data["alerts_truncated"] == said.incident.alerts_total
    assert data["alerts"]


def test_texts_that_fit_are_exact() -> None:
    labels = {"alertname": "a\x00b\nc\u202e<&>"}
    data = _body(message(alerts=(alert(labels=labels), alert(2))))["data"]
    assert data["alerts"][0]["labels"] == labels


@given(st.text(st.characters(codec=None), max_size=400).map(lambda text: text * 30))
def test_whatever_an_alert_says_the_body_stays_below_20_kb(text: str) -> None:
    assert len(render(CONFIG, hostile(text)).content) <= 20_480


@pytest.mark.parametrize(
    ("status", "headers", "verdict", "pause"),
    [
        (204, {}, Verdict.OK, None),
        (301, {}, Verdict.DESTINATION_BROKEN, None),
        (400, {}, Verdict.CONTENT_REJECTED, None),
        (401, {}, Verdict.DESTINATION_BROKEN, None),
        (403, {}, Verdict.DESTINATION_BROKEN, None),
        (404, {}, Verdict.TARGET_GONE, None),
        (408, {}, Verdict.RETRY, None),
        (410, {}, Verdict.DISABLED, None),
        (413, {}, Verdict.CONTENT_REJECTED, None),
        (422, {}, Verdict.CONTENT_REJECTED, None),
        (425, {}, Verdict.RETRY, None),
        (429, {}, Verdict.THROTTLED, None),
        (429, {"retry-after": "120"}, Verdict.THROTTLED, 120),
        (429, {"retry-after": "-5"}, Verdict.THROTTLED, None),
        (429, {"retry-after": "soon"}, Verdict.THROTTLED, None),
        (429, {"retry-after": "999999999"}, Verdict.THROTTLED, 86_400),
        (500, {}, Verdict.RETRY, None),
        (502, {}, Verdict.THROTTLED, None),
        (502, {"retry-after": "30"}, Verdict.THROTTLED, 30),
        (504, {}, Verdict.THROTTLED, None),
        (503, {}, Verdict.RETRY, None),
        (503, {"retry-after": "Fri, 20 Nov 2026 10:16:00 GMT"}, Verdict.THROTTLED, 60),
        (503, {"retry-after": "Fri, 20 Nov 2026 09:00:00 GMT"}, Verdict.THROTTLED, 0),
        (504, {"retry-after": "1"}, Verdict.THROTTLED, 1),
        (599, {}, Verdict.RETRY, None),
    ],
)
def test_every_status_has_its_verdict(
    status: int, headers: dict[str, str], verdict: Verdict, pause: int | None
) -> None:
    outcome = judge(HttpAnswer(status, headers, b""), NOW)
    assert outcome.verdict is verdict
    assert outcome.retry_after == (None if pause is None else timedelta(seconds=pause))


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "ftp://example.com/CANARY"},
        {"url": "http://[CANARY"},
        {"url": "https://x.example", "secret": "CANARY"},
        {"url": "https://x.example", "secret": "whsec_Q0FOQVJZ"},
        {"url": "https://x.example", "secret": []},
    ],
)
def test_bad_settings_are_refused_without_repeating_them(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        WebhookConfig.model_validate({"kind": "webhook", **settings})
    assert "CANARY" not in str(refused.value)


def test_the_target_shows_the_host_alone() -> None:
    sender = open_channel(
        {"kind": "webhook", "url": "https://hooks.example.com:8443/T0KEN?k=v"},
        environment(HttpClient(IMPATIENT)),
    )
    assert sender.targets == ("https://hooks.example.com:8443",)
