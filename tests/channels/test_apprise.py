"""What only apprise does: one target per address, its own bound, and what it says in plain text."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from pydantic import ValidationError

from incidentd.channels import apprise
from incidentd.channels.apprise import AppriseConfig, render
from incidentd.channels.http import HttpClient
from incidentd.domain.notification import Notice, Texts, Verdict
from incidentd.domain.severity import Severity
from tests.channels.kits import JsonFake
from tests.channels.support import IMPATIENT, NOW, environment, incident, message, open_channel
from tests.fakes.http import Answer


@pytest_asyncio.fixture
async def server() -> AsyncIterator[JsonFake]:
    async with JsonFake() as fake:
        yield fake


@pytest_asyncio.fixture
async def sender(server: JsonFake) -> AsyncIterator[Any]:
    address = server.url.replace("http://", "json://")
    http = HttpClient(IMPATIENT)
    config: dict[str, object] = {"kind": "apprise"}
    config |= {"urls": [f"{address}/one", f"{address}/two", "ntfys://ops"]}
    found = open_channel(config, environment(http))
    yield found
    await found.close()
    await http.aclose()


def _said(server: JsonFake) -> list[tuple[str, dict[str, Any]]]:
    return [(post.path, json.loads(post.body)) for post in server.requests]


async def test_each_address_is_a_target_and_only_the_named_one_is_told(sender: Any, server: JsonFake) -> None:
    assert sender.targets == ("json #1", "json #2", "ntfys #3")
    assert (await sender.send(message(target="json #2"))).verdict is Verdict.OK
    ((path, said),) = _said(server)
    assert path == "/two"
    assert said["title"] == "[INC-12] Checkout errors at 42%"
    assert said["type"] == "failure"
    assert said["message"].split("\n") == [
        "Triggered \u00b7 critical \u00b7 2 firing",
        "Open INC-12: http://127.0.0.1:8650/console/incidents/12",
        "Runbook: https://runbooks.example.com/checkout",
        "Graph: http://prometheus.example.com/graph?g0.expr=up",
        "- CheckoutErrors: Checkout errors at 42% (since 2026-11-20 10:13 UTC)",
        "- CheckoutErrors: Checkout errors at 42% (since 2026-11-20 10:13 UTC)",
    ]


async def test_a_target_that_is_not_configured_any_more_is_gone(sender: Any, server: JsonFake) -> None:
    assert (await sender.send(message(target="json #9"))).verdict is Verdict.TARGET_GONE
    assert server.requests == []


async def test_messages_in_quick_succession_do_not_wait_for_each_other(sender: Any, server: JsonFake) -> None:
    """The library pauses seconds between messages of one of its objects."""
    for _ in range(4):
        assert (await sender.send(message())).verdict is Verdict.OK
    assert len(server.requests) == 4


@pytest.mark.parametrize("status", [301, 400, 401, 404, 429, 500, 503])
async def test_every_refusal_is_worth_a_retry_and_no_redirect_is_followed(
    sender: Any, server: JsonFake, status: int
) -> None:
    server.script([Answer(status, headers={"Location": server.url})])
    assert (await sender.send(message())).verdict is Verdict.RETRY
    assert len(server.requests) == 1


async def test_an_exception_in_the_library_is_worth_a_retry(sender: Any) -> None:
    outcome = apprise.judge(None, RuntimeError("CANARY"))
    assert (outcome.verdict, outcome.code) == (Verdict.RETRY, "RuntimeError")
    assert "CANARY" not in repr(outcome)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"severity": Severity.WARNING}, "warning"),
        ({"severity": Severity.INFO}, "info"),
        ({"severity": Severity.CRITICAL}, "failure"),
        ({"state": "resolved", "resolved_at": NOW}, "success"),
    ],
)
def test_the_type_follows_the_severity(changes: dict[str, Any], kind: str) -> None:
    assert render(message(incident=incident(**changes)))["notify_type"] == kind


def test_the_operators_body_keeps_its_lines() -> None:
    said = render(message(Notice.RESOLVED, actor="bob", texts=Texts(title="Mine", body="one\ntwo")))
    assert said["title"] == "[INC-12] Mine"
    assert said["body"].startswith("Resolved by bob \u00b7 one two\none\ntwo\nOpen INC-12: ")


@pytest.mark.parametrize("ping", ["@everyone", "@here", "@channel", "<@U123>", "<!channel>", "<@&42>"])
def test_no_text_of_an_alert_calls_everybody(ping: str) -> None:
    for minimal in (False, True):
        said = render(message(incident=incident(title=f"a {ping} b"), comment=ping, minimal=minimal))
        assert ping not in said["title"] + said["body"]


def test_a_mail_address_and_links_stay_as_they_are() -> None:
    said = render(message(comment="ask ops@example.com", incident=incident(url="https://x.example/@here")))
    assert "ops@example.com" in said["body"]
    assert "https://x.example/@here" in said["body"]


@pytest.mark.parametrize("urls", [[], ["nonsense://CANARY"], ["CANARY"], ["json://x"] * 21])
def test_bad_addresses_are_refused_without_repeating_them(urls: list[str]) -> None:
    with pytest.raises(ValidationError) as refused:
        AppriseConfig.model_validate({"kind": "apprise", "urls": urls})
    assert "CANARY" not in str(refused.value)


def test_without_the_library_the_configuration_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValidationError, match=r"needs the extra: pip install 'incidentd\[apprise\]'"):
        AppriseConfig.model_validate({"kind": "apprise", "urls": ["json://x"]})


def test_finding_the_channels_does_not_import_the_library() -> None:
    code = "import sys; from incidentd.channels.base import discover; discover(); print('apprise' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
