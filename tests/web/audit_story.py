"""Every operation of the API that changes something, used once: the story that the audit log must tell."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from incidentd.domain.matcher import parse_matcher
from incidentd.domain.runbook import Runbook, Step
from incidentd.domain.vendor_key import vendor_key
from incidentd.store import schema
from incidentd.web.routes import OPS
from tests.fakes.pagerduty import Subscription
from tests.fakes.slack_socket import SlackSocketFake
from tests.web.conftest import Daemon, Json, alert, webhook
from tests.web.slack_world import Workspace

PAGER = "pager-secret-0123456789"
_BROWSER = "takes a browser: used in test_sign_in.py, where the store watches too"
_PUBLIC = "the public's own coming and going: the log of what our people do holds no addresses of strangers"
EXEMPT = {
    "POST /login": _BROWSER,
    "POST /login/password": _BROWSER,
    "POST /logout": _BROWSER,
    "DELETE /api/v1/sessions/{id}": _BROWSER,
    "POST /subscribe": _PUBLIC,
    "POST /api/v2/subscribers.json": _PUBLIC,
    "POST /subscriptions/{token}": _PUBLIC,
    "POST /subscriptions/{token}/unsubscribe": _PUBLIC,
    "POST /api/v1/heartbeats/{name}": "a sign of life comes every minute and changes nothing; its absence is audited",
}
_I = "/api/v1/incidents/{id}"
_S = "/api/v1/status"
_P = f"{_S}/publications/{{id}}"
_LONG_AGO = "2026-01-02T03:04:05Z"
PAST: Json = {
    "incidents": [
        {
            "id": "abc123", "name": "It was slow", "created_at": _LONG_AGO, "updated_at": _LONG_AGO,
            "status": "resolved", "impact": "minor", "started_at": _LONG_AGO, "resolved_at": _LONG_AGO,
            "updates": [{"id": "abc124", "status": "resolved", "body": "It is over.", "at": _LONG_AGO}],
        }
    ]
}  # fmt: skip
BODIES: dict[str, Json] = {
    "POST /webhooks/alertmanager": webhook(alert("One")),
    "POST /webhooks/grafana": {**webhook(alert("Two", service="x")), "version": "1", "orgId": 1},
    "POST /api/v1/incidents": {"title": "Odd", "severity": "critical"},
    f"POST {_I}/acknowledge": {},
    f"POST {_I}/unacknowledge": {},
    f"POST {_I}/escalate": {},
    f"POST {_I}/snooze": {"for": "1h"},
    f"POST {_I}/notes": {"text": "call me at 0301234"},
    f"POST {_I}/assign": {"user": "alice"},
    f"POST {_I}/runbook/steps/{{n}}": {"state": "done"},
    f"POST {_I}/silence": {"for": "1h"},
    f"DELETE {_I}/silence": {},
    "DELETE /api/v1/silences/{id}": {},
    f"POST {_I}/resolve": {"force": True},
    f"POST {_I}/reopen": {},
    "POST /webhooks/pagerduty": {},
    "POST /webhooks/slack/interactions": {},
    "POST /webhooks/slack/commands": {},
    "POST /ack/{token}": {},
    "POST /api/v1/deliveries/{id}/retry": {},
    "POST /api/v1/deployments": {
        "id": "p-7", "service": "shop", "environment": "production", "version": "1.2",
        "commit_time": "NOW", "started_at": "NOW", "finished_at": "NOW", "status": "success",
    },
    "POST /api/v1/drills": {"severity": "critical"},
    "POST /api/v1/maintenance": {"name": "m", "matchers": ['a="b"'], "duration": "1h"},
    "DELETE /api/v1/maintenance/{id}": {},
    "POST /api/v1/schedules/{name}/overrides": {"user": "bob", "starts_at": "NOW", "ends_at": "LATER"},
    "DELETE /api/v1/schedules/{name}/overrides/{id}": {},
    "DELETE /api/v1/overrides/{id}": {},
    f"POST {_S}/publications": {"title": "Checkout fails", "components": {"Checkout": "partial_outage"}},
    f"POST {_P}/update": {"body": "We look at it."},
    f"POST {_P}/correct": {"update": "UPDATE", "body": "We are looking at it."},
    f"POST {_P}/resolve": {},
    f"POST {_P}/postmortem": {"body": "It was the cache."},
    f"POST {_P}/publish": {},
    f"POST {_P}/discard": {},
    f"POST {_S}/maintenances": {"title": "New disks", "components": ["Search"], "duration": "1h"},
    f"POST {_S}/maintenances/{{id}}/update": {"status": "in_progress"},
    f"POST {_S}/overrides": {"component": "Search", "status": "partial_outage", "reason": "a guess"},
    f"DELETE {_S}/overrides/{{id}}": {},
    f"POST {_S}/subscribers": {"endpoint": "https://93.184.215.14/hook"},
    f"DELETE {_S}/subscribers/{{id}}": {},
    f"POST {_S}/history": PAST,
    f"POST {_I}/actions": {"title": "Larger disks", "owner": "alice"},
    "POST /api/v1/actions/{id}/edit": {"title": "Much larger disks"},
    "POST /api/v1/actions/{id}/done": {},
    "POST /api/v1/actions/{id}/reopen": {},
    "POST /api/v1/actions/{id}/drop": {},
    "POST /api/v1/automation": {"stopped": True},
    "POST /-/reload": {},
    "POST /api/v1/audit/exports": {"format": "json"},
}  # fmt: skip
"""Operation -> what is sent, in the order of the story."""
STORY = tuple(BODIES)
BOOK = Runbook(
    name="one", title="One", match=(parse_matcher('alertname="One"'),), steps=(Step(1, "Look"),), text="1. Look",
    hash="ab" * 32,
)  # fmt: skip
"""The runbook of incident 1."""


def changing() -> set[str]:
    """The operations that change something; a PUT beside a POST is the same one."""
    found = set()
    for op in OPS:
        methods = set(op.methods) - {"GET", "HEAD"}
        found |= {f"{method} {op.path}" for method in methods - ({"PUT"} if "POST" in methods else set())}
    return found


@dataclass
class Acting:
    """Uses operations, and knows what those before have made."""

    daemon: Daemon
    made: dict[str, str] = field(default_factory=dict)
    """Path -> the id that the newest answer to a POST there had."""

    async def use(self, operation: str) -> None:
        """Use it once, so that it does what it is for."""
        method, path = operation.split(" ", 1)
        if path == "/webhooks/pagerduty":
            await self._pager()
        elif path.startswith("/webhooks/slack"):
            async with SlackSocketFake() as slack:
                chat = Workspace(self.daemon, slack)
                await (
                    chat.click("acknowledge", 2)
                    if path.endswith("interactions")
                    else chat.command("resolve INC-2 --force")
                )
        elif path == "/ack/{token}":
            links = self.daemon.context.ack_links
            assert links is not None
            url = links.url(3, 1, "carol@example.com", self.daemon.clock.now(), "a-1")
            answer, data = await self.daemon.call("POST", url.removeprefix(self.daemon.url))
            assert answer.status < 300, data
        else:
            await self._plain(operation, method, path)

    async def _plain(self, operation: str, method: str, path: str) -> None:
        sent = {name: self._value(value) for name, value in BODIES[operation].items()}
        place = path.replace("{name}", "primary").replace("{n}", "1")
        family = path.partition("/{id}")[0]
        place = place.replace("{id}", self.made.get(family, "1"))
        sends = method != "DELETE" or ("overrides" in path and _S not in path)
        rest: dict[str, Any] = {"json": sent} if sends else {}
        answer, data = await self.daemon.call(method, place, token="admin", **rest)
        assert answer.status < 300, (operation, data)
        if _S in path and isinstance(data, dict):
            self.made[family] = str(data.get("id", "1"))
            self.made |= {"UPDATE": data["updates"][-1]["id"]} if data.get("updates") else {}

    def _value(self, value: object) -> object:
        now = self.daemon.clock.now()
        words: dict[str, datetime] = {"NOW": now, "LATER": now + timedelta(hours=8)}
        if value == "UPDATE":
            return self.made["UPDATE"]
        return words[value].isoformat() if isinstance(value, str) and value in words else value

    async def _pager(self) -> None:
        told = Subscription(PAGER).webhook(
            "incident.resolved", vendor_key("ab12cd34", 1, 2), self.daemon.clock.now()
        )
        answer, data = await self.daemon.call(
            "POST", "/webhooks/pagerduty", data=told.body, headers=told.headers
        )
        assert answer.status < 300, data

    async def prepare(self, operation: str) -> None:
        """What must be there before it can do anything."""
        write = self.daemon.store.write
        if operation.endswith("/api/v1/overrides/{id}"):
            again = sa.update(schema.overrides).values(cancelled_at=None, cancelled_by=None)
            await write(lambda tx: tx.conn.execute(again))
        if operation.endswith("/retry"):
            await self.daemon.call("POST", "/api/v1/incidents/1/reopen", token="respond", json={})
            dead = sa.update(schema.deliveries).where(schema.deliveries.c.id == 1)
            await write(lambda tx: tx.conn.execute(dead.values(state="dead", episode=3)))
        if operation == "DELETE /api/v1/silences/{id}":
            await self.daemon.post("/api/v1/incidents/1/silence", {"for": "2h"})
        if operation.endswith(("/publish", "/discard")):
            await self._draft()

    async def _draft(self) -> None:
        table = schema.publications
        draft = sa.update(table).values(state="draft", phase="investigating", published_at=None)
        await self.daemon.store.write(lambda tx: tx.conn.execute(draft))
