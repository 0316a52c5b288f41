"""What a webhook of PagerDuty says, and who says it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.ingest.pagerduty import By, Happened, VendorEvent, genuine, parse
from incidentd.ingest.types import NotAWebhookError
from tests.fakes.pagerduty import AUTOMATION, BOB, INTEGRATION, Agent, Subscription

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ALICE = {"summary": "Alice", "type": "user_reference"}


def read(event_type: str, agent: Agent = BOB, **data: Any) -> VendorEvent:
    return parse(Subscription("secret").webhook(f"incident.{event_type}", "key", NOW, agent, **data).body)


@pytest.mark.parametrize(
    ("agent", "by"),
    [
        (BOB, By.PERSON),
        (INTEGRATION, By.INTEGRATION),
        ({"type": "generic_events_api_inbound_integration_reference"}, By.INTEGRATION),
        ({"type": "service_reference", "summary": "Shop"}, By.AUTOMATION),
        ({"type": "workflow_reference"}, By.AUTOMATION),
        (AUTOMATION, By.AUTOMATION),
    ],
)
def test_people_are_told_from_machines(agent: Agent, by: By) -> None:
    assert read("acknowledged", agent).by is by


def test_an_acknowledgement_is_read_whole() -> None:
    assert read("acknowledged") == VendorEvent(
        id="01E00001",
        type="incident.acknowledged",
        occurred_at=NOW,
        happened=Happened.ACKNOWLEDGED,
        by=By.PERSON,
        name="Bob Builder",
        key="key",
        vendor_id="P-key",
        text="",
    )


@pytest.mark.parametrize(
    ("event_type", "data", "text"),
    [
        ("reassigned", {"assignees": [ALICE, BOB]}, "reassigned to Alice, Bob Builder"),
        (
            "reassigned",
            {"assignees": [ALICE] * 7},
            "reassigned to Alice, Alice, Alice, Alice, Alice and 2 more",
        ),
        ("escalated", {"assignees": None}, "escalated to nobody"),
        (
            "delegated",
            {"escalation_policy": {"summary": "Network"}},
            "delegated to the escalation policy Network",
        ),
        ("delegated", {}, "delegated to the escalation policy unknown"),
        ("priority_updated", {"priority": {"summary": "P1"}}, "priority set to P1"),
        ("priority_updated", {}, "priority set to none"),
        ("responder.replied", {"user": ALICE, "state": "accepted"}, "Alice was asked for help: accepted"),
        ("responder.replied", {}, "a responder was asked for help: answered"),
    ],
)
def test_remarks_are_put_into_words(event_type: str, data: dict[str, Any], text: str) -> None:
    event = read(event_type, **data)
    assert (event.happened, event.text) == (Happened.REMARKABLE, text)


def test_a_note_names_its_incident_by_pagerdutys_id() -> None:
    event = parse(Subscription("secret").note("key", NOW, "rolled back").body)
    assert (event.happened, event.vendor_id, event.key) == (Happened.ANNOTATED, "P-key", "")
    assert event.text == "rolled back"


def test_a_merge_is_told_from_a_resolve() -> None:
    assert read("resolved").happened is Happened.RESOLVED
    assert read("resolved", resolve_reason={"type": "merge_resolve_reason"}).happened is Happened.MERGED


@given(st.binary(max_size=200), st.text(st.characters(codec=None), max_size=200))
def test_no_body_and_no_header_breaks_the_check_of_the_signature(body: bytes, header: str) -> None:
    assert not genuine(body, header, ["secret"])
    assert not genuine(body, f"v1={header}", ["secret"])
    assert genuine(
        body, Subscription("secret").signed_body(body, "").headers["X-PagerDuty-Signature"], ["secret"]
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
FIELDS = (
    "id",
    "event_type",
    "occurred_at",
    "agent",
    "data",
    "incident",
    "assignees",
    "resolve_reason",
    "incident_key",
)


@given(st.dictionaries(st.sampled_from(FIELDS), JSON), st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_whatever_pagerduty_sends_is_read_or_refused(event: dict[str, Any], data: dict[str, Any]) -> None:
    told = {
        "id": "01E",
        "event_type": "incident.reassigned",
        "occurred_at": NOW.isoformat(),
        **event,
        "data": data,
    }
    try:
        found = parse(Subscription("secret").signed(told).body)
    except NotAWebhookError:
        return
    assert "\0" not in found.id + found.name + found.text + found.key + found.vendor_id
