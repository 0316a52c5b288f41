"""What is given bytes by strangers, as functions of bytes: nothing but the documented refusal may come out of them.

`python -m tests.fuzz` searches for inputs that break that, led by coverage; the suite runs each with a few changed
seeds, so that the targets stay true.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from incidentd.audit.judge import BrokenError
from incidentd.audit.verify import verify
from incidentd.config import ConfigError, load
from incidentd.domain import placeholders
from incidentd.domain.matcher import parse_matchers
from incidentd.ingest import alertmanager, deployments, grafana, pagerduty, slack
from incidentd.ingest.types import NotAWebhookError
from incidentd.masking import mask, mask_text
from incidentd.runbooks.html import body_html
from incidentd.runbooks.problem import RunbookError
from incidentd.runbooks.read import read_runbook
from incidentd.web.probes import probes

NOW = datetime(2026, 11, 21, 16, tzinfo=UTC)
ROOT = Path(__file__).parent.parent.parent
DATA = ROOT / "tests" / "data"
_SECRETS = ("8f742231b10e8888abcd99yyyzzz85a5",)
_VALUES: dict[str, placeholders.Value] = {
    "label.service": "shop",
    "incident.opened_at": NOW,
    "alerts": ("a", "b"),
}
_folder = tempfile.TemporaryDirectory(prefix="incidentd-fuzz-")


def webhook(data: bytes) -> None:
    with contextlib.suppress(NotAWebhookError):
        alertmanager.parse(data, "main", NOW)
    with contextlib.suppress(NotAWebhookError):
        grafana.parse(data, "main", NOW)
    with contextlib.suppress(NotAWebhookError):
        deployments.told(data)


def configuration(data: bytes) -> None:
    path = Path(_folder.name) / "incidentd.yaml"
    path.write_bytes(data)
    with contextlib.suppress(ConfigError):
        load(path, {"TOKEN": "t" * 32})


def runbook(data: bytes) -> None:
    with contextlib.suppress(RunbookError):
        read_runbook(data, "shop.md", "shop")
    body_html(data.decode(errors="replace"), {"service": "shop"})


def signature(data: bytes) -> None:
    head, _, body = data.partition(b"\n")
    text = head.decode(errors="surrogateescape")
    stamp, _, given = text.partition(" ")
    slack.in_window(stamp, NOW)
    assert slack.genuine(stamp, body, given, _SECRETS) is None, "a signature that nobody made"
    assert not pagerduty.genuine(body, text, _SECRETS), "as above"
    with contextlib.suppress(NotAWebhookError):
        pagerduty.parse(body)
    with contextlib.suppress(NotAWebhookError):
        fields = slack.form(body)
        slack.commanded(fields)
        slack.clicked(slack.payload_of(fields))


def template(data: bytes) -> None:
    text = data.decode(errors="replace")
    with contextlib.suppress(placeholders.PlaceholderError):
        filled = placeholders.render(placeholders.parse(text), _VALUES)
        assert len(filled.encode()) <= placeholders.MAX_TEXT
    with contextlib.suppress(ValueError):
        parse_matchers(text)


def line(data: bytes) -> None:
    text = data.decode(errors="surrogateescape")
    mask({"event": text, text: [text]})
    mask_text(data.decode(errors="replace"))
    probes(text)


def bundle(data: bytes) -> None:
    with contextlib.suppress(BrokenError):
        verify(io.BytesIO(data))


@dataclass(frozen=True)
class Target:
    """A parser, with inputs to begin from."""

    run: Callable[[bytes], None]
    seeds: Callable[[], Iterator[bytes]]


def _files(*patterns: str) -> Callable[[], Iterator[bytes]]:
    return lambda: (path.read_bytes() for pattern in patterns for path in sorted(ROOT.glob(pattern)))


def _texts(*texts: str) -> Callable[[], Iterator[bytes]]:
    return lambda: (text.encode() for text in texts)


TARGETS = {
    "webhook": Target(
        webhook, _files("tests/data/alertmanager/group_[amo]*.json", "tests/data/grafana/*.json")
    ),
    "configuration": Target(configuration, _files("config/incidentd.yaml", "deploy/incidentd/*.yaml")),
    "runbook": Target(runbook, _files("runbooks/d*.md")),
    "signature": Target(
        signature,
        _texts(
            "1795276800 v0=ab\npayload=%7B%22actions%22%3A%5B%7B%22action_id%22%3A%22incidentd_acknowledge%22%7D%5D%7D",
            '1 v1=ab,v1=cd\n{"event": {"id": "E", "event_type": "incident.acknowledged", "data": {"incident": {}}}}',
            "1 v0=\ncommand=%2Fincident&text=snooze+12+1h+because&user_id=U1&team_id=T1",
        ),
    ),
    "template": Target(
        template,
        _texts(
            "{label.service|upper|truncate:80|default:-} {{x}}",
            'service=~"a.*",b!="c"',
            "{incident.opened_at}",
        ),
    ),
    "line": Target(
        line,
        _texts(
            "token=abc https://u:p@example.com/x?key=1 +49 170 1234567 a.b@example.com",
            "/../%2e%2e%2fetc/passwd?q=<script>' OR 1=1--{{7*7}}$(id)",
        ),
    ),
    "bundle": Target(bundle, _files("tests/data/audit/whole.*", "tests/data/audit/rotated.json")),
}
