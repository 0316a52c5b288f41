"""Which Alertmanagers a configuration names, how they are reached, and which sources are reconciled."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from incidentd.clock import SystemClock
from incidentd.config import Config
from incidentd.config.alerts import Source
from incidentd.sources.answers import AlertmanagerError, Reason
from incidentd.sources.members import Members
from incidentd.workflows.rules import rules_of


def source(**section: Any) -> Source:
    return Config.model_validate({"sources": {"main": section}}).sources["main"]


def test_an_alertmanager_is_an_address_or_a_mapping() -> None:
    plain, full = source(
        alertmanagers=["http://am:9093/x/", {"url": "http://b", "token": "t" * 9}]
    ).alertmanagers
    assert (plain.url, plain.token) == ("http://am:9093/x", None)
    assert full.token is not None
    assert "ttt" not in repr(full)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"alertmanagers": [{"url": "http://b", "username": "a"}]}, "give both or neither"),
        (
            {"alertmanagers": [{"url": "http://b", "username": "a", "password": "b", "token": "c"}]},
            "accepted: one of them",
        ),
        ({"alertmanagers": [9093]}, "is not an address"),
        ({"reconcile": {"receiver": "page("}}, "is no regular expression"),
        ({"reconcile": {"rounds": 1}}, "greater than or equal to 2"),
        ({"reconcile": {"every": "0s"}}, "above zero"),
    ],
)
def test_what_cannot_be_meant_is_refused(section: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        source(**section)


def test_only_sources_with_alertmanagers_that_are_not_told_otherwise_are_reconciled() -> None:
    am = ["http://am:9093"]
    config = Config.model_validate(
        {
            "sources": {
                "a": {},
                "b": {"alertmanagers": am},
                "c": {"alertmanagers": am, "reconcile": {"enabled": False}},
                "d": {"alertmanagers": am, "reconcile": {"receiver": "page|chat", "settle": "10m"}},
            }
        }
    )
    found = rules_of(config, {}).reconcile
    assert list(found) == ["b", "d"]
    assert found["d"].settle == timedelta(minutes=10)
    assert found["d"].wants(["chat"], [])


async def test_a_reload_keeps_the_members_about_which_nothing_changed() -> None:
    members = Members(SystemClock())

    def take(*alertmanagers: object) -> None:
        members.take(Config.model_validate({"sources": {"main": {"alertmanagers": alertmanagers}}}))

    take("http://a", "http://b")
    first = members.of["main"]
    take("http://b", {"url": "http://a", "token": "other"})
    assert members.of["main"][0] is first[1]
    assert members.of["main"][1] is not first[0]
    await members.aclose(1)


async def test_an_unreadable_authority_is_told_by_the_rounds_and_stops_nothing_else(tmp_path: Path) -> None:
    members = Members(SystemClock())
    one = {"url": "https://a", "ca_file": str(tmp_path / "missing.pem")}
    members.take(Config.model_validate({"sources": {"main": {"alertmanagers": [one]}}}))
    with pytest.raises(AlertmanagerError) as refused:
        await members.of["main"][0].alerts()
    assert (refused.value.reason, refused.value.detail) == (Reason.UNREACHABLE, "its ca_file cannot be read")
    await members.aclose(1)
