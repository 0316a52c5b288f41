"""The operator's own words, filled in from a message."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from incidentd.channels.base import TextsConfig
from incidentd.delivery.texts import texts_for
from incidentd.domain.notification import IncidentView, Notice, Texts
from incidentd.domain.placeholders import FIELDS
from tests.channels.support import HOSTILE, NOW, alert, hostile, incident, message


def _body(text: str, **changes: Any) -> str | None:
    found = texts_for(TextsConfig(body=text), message(**changes))
    return None if found is None else found.body


def test_every_field_has_a_value() -> None:
    view = incident(acknowledged_by="alice", labels={"cluster": "eu", "team": "web"})
    text = "\n".join(
        f"{name}={{{name}}}" for name in [*FIELDS, "label.pod", "label.team", "annotation.summary"]
    )
    found = _body(text, incident=view, actor="alice", comment="on it", notice=Notice.ACKNOWLEDGED)
    assert (found or "").split("\n") == [
        "incident.ref=INC-12",
        "incident.title=Checkout errors at 42%",
        "severity=critical",
        "state=triggered",
        "service=checkout",
        "alerts_firing=2",
        "alerts_total=2",
        "alerts=Checkout errors at 42%, Checkout errors at 42%",
        "labels=cluster=eu, team=web",
        "since=2026-11-20 10:13 UTC",
        "duration=2m",
        "url=http://127.0.0.1:8650/console/incidents/12",
        "runbook_url=https://runbooks.example.com/checkout",
        "notice=acknowledged",
        "actor=alice",
        "comment=on it",
        "label.pod=web-1",
        "label.team=web",
        "annotation.summary=Checkout errors at 42%",
    ]


def test_without_alerts_the_labels_are_those_of_the_incident() -> None:
    assert _body("{label.service} {label.pod|default:-} {annotation.summary}", alerts=()) == "checkout -"


def test_the_duration_of_what_is_over_ends_with_it() -> None:
    over = incident(resolved_at=NOW + timedelta(hours=1))
    assert _body("{duration}", incident=over) == "1h 2m"


def test_an_address_that_is_no_web_address_is_left_out() -> None:
    assert _body("x{url}x", incident=incident(url="javascript:alert(1)")) == "xx"


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_an_alert_carries_adds_no_line_and_is_not_parsed(text: str) -> None:
    fields = "{incident.title}{label.service}{annotation.summary}{alerts}{labels}{comment}{actor}"
    found = texts_for(TextsConfig(title="t", body=fields), hostile(text + "{severity}"))
    assert found is not None
    assert "\n" not in (found.body or "")
    assert len((found.body or "").encode()) <= 4096


def test_the_built_in_words_are_said_of_a_storm_in_the_minimal_form_and_without_texts() -> None:
    texts = TextsConfig(title="{severity}")
    assert texts_for(texts, message()) == Texts(title="critical")
    assert texts_for(texts, message(minimal=True)) is None
    assert texts_for(texts, message(bundle=(incident(),))) is None
    assert texts_for(None, message()) is None


def test_what_comes_out_empty_gives_way_to_the_built_in_words() -> None:
    assert texts_for(TextsConfig(title="{comment}", body=" {comment} "), message()) is None


def test_a_text_that_cannot_be_filled_in_is_logged_and_the_built_in_words_are_said() -> None:
    class Odd(IncidentView):
        @property
        def ref(self) -> str:
            raise RuntimeError("odd")

    odd = Odd(**{name: getattr(incident(), name) for name in IncidentView.__slots__})
    with capture_logs() as logs:
        assert texts_for(TextsConfig(title="{severity}"), replace(message(), incident=odd)) is None
    assert [line["event"] for line in logs] == ["texts_failed"]
    assert texts_for(TextsConfig(title="{severity}"), message(alerts=(alert(),))) == Texts(title="critical")
