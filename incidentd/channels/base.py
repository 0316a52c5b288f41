"""What every channel is made of: configuration, environment, answers; and how channels are found."""

from __future__ import annotations

import functools
import importlib
import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, Protocol, TextIO
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

import incidentd.channels
from incidentd.clock import Clock
from incidentd.domain.notification import Message, Outcome, Verdict
from incidentd.fields import PlaceholderText, Slug

NOT_PROBED = "not_probed"
"""Code of a probe that cannot tell whether anything works: the next message will."""
_LONGEST_PAUSE = timedelta(days=1)
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]*)?")
_SHOWN = 200
"""Characters of a remote answer that an outcome may repeat."""


class TextsConfig(BaseModel):
    """Words of your own in a channel's messages, with placeholders such as `{label.cluster|upper}`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    title: PlaceholderText | None = None
    """Takes the place of the incident's title."""
    body: PlaceholderText | None = None
    """Follows what happened, in the place of severity and counts."""


class RateConfig(BaseModel):
    """How many messages each target of a channel takes: one mailbox, one conversation, one address."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    per_second: Annotated[float, Field(gt=0, le=10_000)]
    """Messages a second in the long run."""
    burst: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Messages at once after a rest."""


class ChannelConfig(BaseModel):
    """The settings of one configured channel; each kind adds its own. `kind` is its file name."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )

    kind: str
    fallback: tuple[Slug, ...] = ()
    """Channels that a page goes to, one after the other, when this one cannot deliver it in time."""
    texts: TextsConfig | None = None
    """Words of your own in its messages, with placeholders such as `{label.cluster|upper}`."""
    rate: RateConfig | None = None
    """Takes the place of the vendor's rate: a relay of your own takes more, a busy workspace less."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast a vendor takes messages: `per_second` for long, `burst` at once."""

    per_second: float
    burst: int


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, ready to be sent. Its repr shows the host alone: the rest may hold secrets."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What a server answered."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case."""
    body: bytes = field(repr=False)
    """No more of it than was asked for."""


class HttpFailure(Exception):
    """There is no answer to judge. Names the host only, never the address: addresses may hold secrets."""

    def __init__(self, verdict: Verdict, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.verdict = verdict
        self.code = code
        self.detail = detail

    @property
    def outcome(self) -> Outcome:
        """The same as the outcome of an attempt."""
        return Outcome(self.verdict, self.code, self.detail)


class Http(Protocol):
    """The HTTP client as channels see it."""

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes, *, guarded: bool = False
    ) -> HttpAnswer:
        """The server's answer, or `HttpFailure`. Redirects are answers, not followed.

        `guarded`: the address arrived at run time, so it may lead to the public internet only.
        """
        ...


@dataclass(frozen=True, slots=True)
class ChannelEnv:
    """What a channel may use of the world."""

    http: Http
    clock: Clock
    public_url: str
    """`server.public_url`; its host is the right-hand side of Message-IDs."""
    generated_secret: Callable[[str], str]
    """The lasting secret generated for the channel of that name: ``whsec_`` and base64."""
    output: TextIO
    """Where the console channel writes."""

    @property
    def domain(self) -> str:
        """Host of `public_url` as mail writes it; ``localhost`` if there is none."""
        host = urlsplit(self.public_url).hostname or "localhost"
        try:
            host = host if host.isascii() else host.encode("idna").decode()
        except UnicodeError:
            host = "localhost"
        return f"[IPv6:{host}]" if ":" in host else host


class Sender(Protocol):
    """One configured channel, open. Everything it raises is a bug: failures are outcomes."""

    @property
    def targets(self) -> tuple[str, ...]:
        """Whom it reaches, at least one: each gets deliveries of its own, such as ``#C012345`` or one mailbox.

        Never a secret; deliveries show it, and `Message.target` names it.
        """
        ...

    async def send(self, message: Message) -> Outcome:
        """Say `message` once. Cancelling the caller leaves a request that has begun running to its end."""
        ...

    async def probe(self) -> Outcome:
        """Whether this destination would work now, telling nobody anything; OK with `NOT_PROBED` if that is unknown."""
        ...

    async def close(self) -> None:
        """Wait, within bounds, for what is under way and let go of resources."""
        ...


@dataclass(frozen=True, slots=True)
class Channel:
    """One kind of channel. Every channel module defines one, named ``CHANNEL``."""

    kind: str
    description: str
    """One line for the documentation."""
    config_model: type[ChannelConfig]
    example: Mapping[str, Any]
    """A configuration that validates and holds no secret of anybody."""
    open: Callable[[Any, str, ChannelEnv], Sender]
    """Of a `config_model`, the configured channel's name, and the environment. Does no I/O."""
    people: bool = True
    """People read it: what is over may be told in one message, and many incidents in one. False for machines,
    which need each transition of each incident."""
    keyed: bool = False
    """The vendor keeps an alert for each key: an end without a beginning is nothing to it."""
    personal: bool = False
    """Each target is one person, who may be given a link of their own to acknowledge with."""
    rate: Rate | None = None
    """Messages to one target; None where the vendor names no limit."""


@functools.cache
def discover() -> dict[str, Channel]:
    """Every channel by kind: the modules of this package that define ``CHANNEL``."""
    found = {}
    for module in pkgutil.iter_modules(incidentd.channels.__path__):
        # The HTTP client is no channel, and checking a configuration need not wait for its import.
        if module.name in {"base", "http"}:
            continue
        channel = getattr(importlib.import_module(f"incidentd.channels.{module.name}"), "CHANNEL", None)
        if channel is not None:
            found[module.name] = _named_as_its_file(channel, module.name)
    return found


def _named_as_its_file(channel: Channel, module: str) -> Channel:
    if channel.kind != module:
        raise TypeError(f"channels/{module}.py defines {channel.kind!r}: the kind must be the file name")
    return channel


async def exchange(http: Http, request: Request, judge: Callable[[HttpAnswer], Outcome]) -> Outcome:
    """Send `request` and judge the answer; no answer is an outcome too."""
    try:
        answer = await http.request(request.method, request.url, request.headers, request.content)
    except HttpFailure as failure:
        return failure.outcome
    return judge(answer)


def judge_status(answer: HttpAnswer, now: datetime) -> Outcome:
    """What an HTTP status means where the vendor defines nothing else. `now` is for dates in Retry-After."""
    status, code = answer.status, f"http_{answer.status}"
    pause = retry_after(answer, now)
    if status in _OK:
        return Outcome(Verdict.OK, str(status))
    if status in _REDIRECT:
        return Outcome(Verdict.DESTINATION_BROKEN, code, "redirects are not followed: use the final address")
    if status == _TOO_MANY or (status in _OVERLOADED and pause is not None):
        return Outcome(Verdict.THROTTLED, code, "the receiver asks to slow down", pause)
    if status in _STATUS:
        return Outcome(_STATUS[status], code, _REMEDY[_STATUS[status]])
    if status in _SERVER_ERROR or status not in _CLIENT_ERROR:
        return Outcome(Verdict.RETRY, code, "the receiver failed", pause)
    return Outcome(Verdict.CONTENT_REJECTED, code, _REMEDY[Verdict.CONTENT_REJECTED])


def retry_after(answer: HttpAnswer, now: datetime) -> timedelta | None:
    """The pause that ``Retry-After`` asks for, as seconds or date: 0 to a day. None if unreadable."""
    text = answer.headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(text):
        return _bounded(timedelta(seconds=float(text)))
    return _until(text, now)


def _until(text: str, now: datetime) -> timedelta | None:
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return _bounded((at if at.tzinfo else at.replace(tzinfo=UTC)) - now)


def _bounded(pause: timedelta) -> timedelta:
    return min(max(pause, timedelta()), _LONGEST_PAUSE)


def scrubbed(outcome: Outcome, *secrets: str) -> Outcome:
    """`outcome` without the given secrets: a remote side may echo what it was sent."""
    detail = outcome.detail
    for secret in secrets:
        detail = detail.replace(secret, "***") if secret else detail
    return replace(outcome, detail=detail[:_SHOWN])


_OK = range(200, 300)
_REDIRECT = range(300, 400)
_CLIENT_ERROR = range(400, 500)
_SERVER_ERROR = range(500, 600)
_TOO_MANY = 429
_OVERLOADED = frozenset({502, 503, 504})
_STATUS = {
    401: Verdict.DESTINATION_BROKEN,
    403: Verdict.DESTINATION_BROKEN,
    404: Verdict.TARGET_GONE,
    405: Verdict.DESTINATION_BROKEN,
    407: Verdict.DESTINATION_BROKEN,
    408: Verdict.RETRY,
    410: Verdict.DISABLED,
    421: Verdict.RETRY,
    425: Verdict.RETRY,
}
_REMEDY = {
    Verdict.CONTENT_REJECTED: "the receiver refuses this content",
    Verdict.DESTINATION_BROKEN: "the receiver refuses us: check address and credentials",
    Verdict.DISABLED: "the receiver wants no more messages: remove the channel or its address",
    Verdict.RETRY: "the receiver was not ready",
    Verdict.TARGET_GONE: "nothing is at that address: check it",
}
