"""A fake Slack that keeps channels and their messages, and judges every post and update by Slack's rules."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from typing import Any

from tests.fakes.http import Answer, HttpFake, Received
from tests.fakes.slack_rules import judge_hook_post, judge_post, judge_update

Body = dict[str, Any]


class SlackFake(HttpFake):
    """`base_url` is `url`. `messages` holds what was posted, in order, with its `ts`, as updates have left it."""

    def __init__(self, token: str = "xoxb-fake", channels: tuple[str, ...] = ("C012345",)) -> None:
        super().__init__()
        self.token = token
        self.channels = set(channels)
        self.names = {"#ops": "C012345"}
        self.archived: set[str] = set()
        self.messages: list[Body] = []
        self.updates: list[Body] = []
        """What was asked of chat.update and done, in order."""
        self.editable = True
        """Whether the workspace lets messages be edited."""
        self.hook_path = "/services/T012345/B012345/hookhookhookhookhookhook"
        """The path of its one incoming webhook, below `url`."""
        self.hooked: list[Body] = []
        """What came in through that."""
        self._failing: defaultdict[str, deque[Answer]] = defaultdict(deque)

    @property
    def hook_url(self) -> str:
        """The address of the incoming webhook."""
        return self.url + self.hook_path

    @property
    def roots(self) -> list[Body]:
        """The messages that started a thread."""
        return [message for message in self.messages if "thread_ts" not in message]

    @property
    def replies(self) -> list[Body]:
        """The messages within threads."""
        return [message for message in self.messages if "thread_ts" in message]

    def forget(self) -> None:
        """Somebody deleted every message: threads are gone."""
        self.messages.clear()

    def fail(self, method: str, *answers: Answer) -> None:
        """Give these answers to the next calls of `method`, one each, and do nothing of what they ask."""
        self._failing[f"/{method}"].extend(answers)

    async def answer(self, received: Received) -> Answer:
        if received.headers.get("content-type") != "application/json; charset=utf-8":
            self.violations.append("content-type")
        if self._failing[received.path]:
            return self._failing[received.path].popleft()
        if received.path.startswith("/services/"):
            return self._hooked(received)
        if received.headers.get("authorization") != f"Bearer {self.token}":
            return _refused("invalid_auth")
        if received.path == "/auth.test":
            return Answer(body={"ok": True, "user_id": "U0BOT"})
        method = {"/chat.postMessage": self._post, "/chat.update": self._update}.get(received.path)
        return method(json.loads(received.body)) if method is not None else _refused("unknown_method")

    def _post(self, body: Body) -> Answer:
        if broken := self._broken(body, judge_post):
            return Answer(body={"ok": False, "error": "invalid_blocks", "errors": broken})
        channel: str = self.names.get(body["channel"]) or body["channel"]
        if refused := self._closed(channel):
            return refused
        thread = body.get("thread_ts")
        if thread is not None and (refused := self._no_thread(self._find(channel, thread))):
            return refused
        ts = f"1700000000.{len(self.messages) + 1:06d}"
        self.messages.append({**body, "channel": channel, "ts": ts})
        return Answer(body={"ok": True, "channel": channel, "ts": ts})

    def _update(self, body: Body) -> Answer:
        if broken := self._broken(body, judge_update):
            return Answer(body={"ok": False, "error": "invalid_blocks", "errors": broken})
        if refused := self._closed(body["channel"]):  # an ID: an update takes no names
            return refused
        message = self._find(body["channel"], body["ts"])
        if message is None:
            return _refused("message_not_found")
        if not self.editable:
            return _refused("edit_window_closed")
        message |= {"text": body["text"], "blocks": body["blocks"]}
        self.updates.append(body)
        return Answer(body={"ok": True, "channel": body["channel"], "ts": body["ts"], "text": body["text"]})

    def _hooked(self, received: Received) -> Answer:
        if received.path != self.hook_path:
            return Answer(404, b"no_service")
        if "authorization" in received.headers:
            self.violations.append("a token for an incoming webhook")
        body = json.loads(received.body)
        if not body.get("text"):
            return Answer(400, b"no_text")
        if self._broken(body, judge_hook_post):
            return Answer(400, b"invalid_blocks")
        self.hooked.append(body)
        return Answer(body=b"ok")

    def _broken(self, body: Body, judge: Callable[[Body], Iterator[str]]) -> list[str]:
        broken = list(judge(body))
        self.violations += broken
        return broken

    def _closed(self, channel: str) -> Answer | None:
        if channel not in self.channels:
            return _refused("channel_not_found")
        return _refused("is_archived") if channel in self.archived else None

    def _no_thread(self, parent: Body | None) -> Answer | None:
        if parent is not None and "thread_ts" in parent:
            self.violations.append("reply to a reply")
        return None if parent in self.roots else _refused("thread_not_found")

    def _find(self, channel: str, ts: str) -> Body | None:
        found = (message for message in self.messages if (message["channel"], message["ts"]) == (channel, ts))
        return next(found, None)


def _refused(error: str) -> Answer:
    return Answer(body={"ok": False, "error": error})
