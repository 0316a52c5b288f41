"""The cast of the channel tests: one incident, its messages, hostile texts, and a channel's surroundings."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from incidentd.channels.base import ChannelEnv, Sender, discover
from incidentd.channels.http import HttpClient, HttpLimits
from incidentd.clock import Clock, FixedClock
from incidentd.domain.notification import AlertView, IncidentView, Message, Notice
from incidentd.domain.severity import Severity
from incidentd.fields import SECRETS
from tests.fakes.webhook import SECRET

NOW = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
IMPATIENT = HttpLimits(connect=1, read=0.2, total=0.4, grace=0.2)

HOSTILE = {
    "slack markup": "<!channel> <@U1> <http://evil.example|click> & `code` *bold* &lt;",
    "html": '<script>alert(1)</script><img src=x onerror="x">',
    "line ends": "Checkout\r\nBcc: mallory@example.com\r\n\r\nbody\u2028x\x85y",
    "NUL": "a\x00b\x1b[2Jc\x07",
    "right to left": "\u202egnp.exe\u202c \u0645\u0631\u062d\u0628\u0627",
    "encoded word": "=?utf-8?q?=0D=0ABcc=3A_mallory=40example.com?=",
    "lone surrogates": "\ud83d half \udca9",
    "long": "&" * 20_000,
    "long emoji": "\U0001f525" * 160_000,
    "nothing": "",
}


def alert(number: int = 1, **changes: object) -> AlertView:
    view = AlertView(
        fingerprint=f"{number:016x}",
        source="main",
        status="firing",
        severity=Severity.CRITICAL,
        labels={"alertname": "CheckoutErrors", "service": "checkout", "pod": f"web-{number}"},
        annotations={"summary": "Checkout errors at 42%"},
        starts_at=NOW - timedelta(minutes=2),
        ends_at=None,
        generator_url="http://prometheus.example.com/graph?g0.expr=up",
        last_seen_at=NOW,
    )
    return replace(view, **changes)  # type: ignore[arg-type]


def incident(**changes: object) -> IncidentView:
    view = IncidentView(
        id=12,
        title="Checkout errors at 42%",
        state="triggered",
        severity=Severity.CRITICAL,
        service="checkout",
        group_key="CheckoutErrors/prod/checkout",
        labels={"alertname": "CheckoutErrors", "service": "checkout"},
        opened_at=NOW,
        started_at=NOW - timedelta(minutes=2),
        acknowledged_at=None,
        acknowledged_by=None,
        resolved_at=None,
        resolved_by=None,
        snoozed_until=None,
        alerts_firing=2,
        alerts_total=2,
        reopen_count=0,
        episode=1,
        runbook_url="https://runbooks.example.com/checkout",
        url="http://127.0.0.1:8650/console/incidents/12",
    )
    return replace(view, **changes)  # type: ignore[arg-type]


def message(notice: Notice = Notice.TRIGGERED, **changes: object) -> Message:
    said = Message(
        delivery_id="dlv_0001",
        dedup_key="incidentd-12-1",
        notice=notice,
        at=NOW,
        actor="source",
        comment="",
        incident=incident(),
        alerts=(alert(1), alert(2)),
        reference=None,
    )
    return replace(said, **changes)  # type: ignore[arg-type]


def hostile(text: str, notice: Notice = Notice.TRIGGERED) -> Message:
    """A message that says `text` wherever somebody outside decides on the words."""
    words = {"alertname": text, "service": text, f"name {text}"[:20_000]: text}
    view = incident(
        title=text,
        service=text,
        group_key=text,
        labels=words,
        acknowledged_by=text,
        runbook_url=f"https://x.example/{text}",
        alerts_firing=70,
        alerts_total=80,
        state="acknowledged",
    )
    one = alert(labels=words, annotations={"summary": text, text: text}, generator_url=f"javascript:{text}")
    return message(notice, incident=view, alerts=(one,) * 50, comment=text, actor=text)


class Resolver:
    """Secrets for the examples, which refer to the environment."""

    def environment(self, name: str) -> str:
        return f"value-of-{name}"

    def file(self, path: str) -> str:
        return f"content-of-{path}"


def environment(
    http: HttpClient, *, clock: Clock | None = None, output: io.StringIO | None = None
) -> ChannelEnv:
    return ChannelEnv(
        http=http,
        clock=clock or FixedClock(NOW),
        public_url="https://incidents.example.com/path",
        generated_secret=lambda _name: SECRET,
        output=output or io.StringIO(),
    )


def open_channel(config: dict[str, object], env: ChannelEnv, name: str = "main") -> Sender:
    channel = discover()[str(config["kind"])]
    return channel.open(channel.config_model.model_validate(config, context={SECRETS: Resolver()}), name, env)
