"""For all JSON: nothing but NotAWebhookError, nobody lost, and both readings of an alert agree."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from incidentd.domain.alert import Alert
from incidentd.ingest import alertmanager, grafana
from incidentd.ingest.one_alert import Notes, careful, quick
from incidentd.ingest.types import NotAWebhookError
from tests.ingest.bodies import NOW, alert, body

# json.dumps escapes a lone surrogate, and Python reads it back as one.
ANY_TEXT = st.text(st.characters(exclude_categories=()))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["status", "labels", "annotations", "startsAt", "endsAt", "generatorURL", "fingerprint", "valueString"]
)
STRANGE = st.one_of(
    JSON,
    st.dictionaries(st.text(max_size=5), JSON, max_size=3),
    st.datetimes().map(lambda time: time.isoformat() + "-12:00"),
    st.sampled_from(["firing", "resolved", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "x" * 5000]),
)
SPOILT = JSON | st.dictionaries(FIELDS, STRANGE, max_size=4).map(lambda changes: alert() | changes)
TEXTS = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    max_size=5,
)


def texts_of(one: Alert) -> list[str]:
    names = [*one.labels, *one.annotations]
    return [
        *names,
        *one.labels.values(),
        *one.annotations.values(),
        one.generator_url,
        one.fingerprint,
        *one.cut,
    ]


@given(JSON)
def test_arbitrary_json_is_read_or_refused_as_no_webhook(value: object) -> None:
    for module in (alertmanager, grafana):
        with contextlib.suppress(NotAWebhookError):
            module.parse(json.dumps(value).encode(), "main", NOW)


@given(st.binary())
def test_arbitrary_bytes_are_read_or_refused_as_no_webhook(data: bytes) -> None:
    for module in (alertmanager, grafana):
        with contextlib.suppress(NotAWebhookError):
            module.parse(data, "main", NOW)


@given(
    st.lists(SPOILT, max_size=4),
    st.dictionaries(st.sampled_from(["groupKey", "orgId", "truncatedAlerts"]), JSON),
)
def test_every_alert_received_is_read_or_set_aside(alerts: list[Any], fields: dict[str, Any]) -> None:
    for module in (alertmanager, grafana):
        post = module.parse(body(*alerts, **fields), "main", NOW)
        assert post.received == len(alerts) == len(post.alerts) + len(post.quarantined)
        stored = "".join(text for one in post.alerts for text in texts_of(one))
        assert b"\0" not in stored.encode()  # and it can be encoded: no lone surrogates
        assert all(one.starts_at.tzinfo is not None for one in post.alerts)


@given(SPOILT)
def test_neighbours_survive_any_one_alert(spoilt: object) -> None:
    post = alertmanager.parse(
        body(alert(fingerprint="before"), spoilt, alert(fingerprint="after")), "main", NOW
    )
    names = [one.fingerprint for one in post.alerts]
    assert (names[0], names[-1]) == ("before", "after")


@given(TEXTS, TEXTS, st.text("af:. é", max_size=3), st.sampled_from(["firing", "resolved"]), st.datetimes())
def test_what_is_read_quickly_is_read_the_same_carefully(
    labels: dict[str, str], annotations: dict[str, str], fingerprint: str, status: str, starts: Any
) -> None:
    told = alert(
        labels=labels,
        annotations=annotations,
        fingerprint=fingerprint,
        status=status,
        startsAt=starts.isoformat() + "+02:00",
        endsAt="2026-11-20T20:30:00Z",
    )
    read = quick(told, "main")
    assert read is None or read == careful(told, "main", NOW, "alerts[0]", Notes())
