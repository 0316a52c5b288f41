"""A fake subscriber of a status page: judges posts by Statuspage's envelope and Standard Webhooks' signature."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from standardwebhooks import Webhook

from tests.fakes.http import Answer, HttpFake, Received

_SCHEMA = Path(__file__).parent.parent / "data" / "statuspage" / "webhook.json"


class StatusHook(HttpFake):
    """`url` takes the posts, `told` holds their bodies. `secret` is what its owner was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.secret = ""
        self.told: list[dict[str, Any]] = []
        self.ids: list[str] = []
        """The webhook-id of each post: a repeat has the same."""

    async def answer(self, received: Received) -> Answer:
        validator = Draft202012Validator(json.loads(_SCHEMA.read_text(encoding="utf-8")))
        body = json.loads(received.body)
        self.violations += [error.message for error in validator.iter_errors(body)]
        if self.secret:
            headers = received.headers
            at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
            good = Webhook(self.secret).sign(headers["webhook-id"], at, received.body.decode())
            self.violations += [] if good == headers["webhook-signature"] else ["webhook-signature"]
        self.told.append(body)
        self.ids.append(received.headers["webhook-id"])
        return Answer(204, b"")
