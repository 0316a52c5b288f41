"""A fake receiver of Standard Webhooks: verifies signatures with the specification's own library."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from standardwebhooks import Webhook

from tests.fakes.http import Answer, HttpFake, Received

SECRET = "whsec_" + "c2VjcmV0IG9mIHRoZSBmYWtlIHJlY2VpdmVyISEhIQ=="
_TOLERANCE = timedelta(minutes=5)


class WebhookFake(HttpFake):
    """`url` takes the posts; `events` holds the verified bodies. `now` is the receiver's clock."""

    def __init__(self, secret: str = SECRET, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        super().__init__()
        self.secret = secret
        self.now = now
        self.events: list[dict[str, Any]] = []
        self.ids: list[str] = []
        """The webhook-id of each event: a repeat of a delivery has the same."""

    async def answer(self, received: Received) -> Answer:
        broken = self._judge(received)
        self.violations += broken
        if broken:
            return Answer(400, {"errors": broken})
        self.events.append(json.loads(received.body))
        self.ids.append(received.headers["webhook-id"])
        return Answer(204, b"")

    def _judge(self, received: Received) -> list[str]:
        headers = received.headers
        names = ("webhook-id", "webhook-timestamp", "webhook-signature")
        if missing := [name for name in names if not headers.get(name)]:
            return missing
        at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
        broken = []
        if abs(at - self.now()) > _TOLERANCE:
            broken.append("webhook-timestamp: more than five minutes off")
        good = Webhook(self.secret).sign(headers["webhook-id"], at, received.body.decode())
        if good not in headers["webhook-signature"].split(" "):
            broken.append("webhook-signature")
        if len(received.body) > 20_480:
            broken.append("over 20 KB")
        if set(json.loads(received.body)) != {"type", "timestamp", "data"}:
            broken.append("body")
        return broken
