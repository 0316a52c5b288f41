"""The apprise channel: 170 more services, such as ntfy, Telegram, Teams, Discord or Matrix, by the apprise library.

The library answers yes or no and nothing else: not why, not when to try again, no reference to a message. So nothing is
updated or threaded, and a permanent failure looks like a passing one: good for telling, not for the only page.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import importlib.util
import logging
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from incidentd.channels.base import NOT_PROBED, Channel, ChannelConfig, ChannelEnv, Rate
from incidentd.channels.tasks import LateError, Tasks
from incidentd.channels.words import (
    AlertLine,
    alert_lines,
    body_text,
    cut,
    headline,
    links,
    more_alerts,
    plain,
    state_line,
)
from incidentd.domain.notification import Message, Outcome, Verdict
from incidentd.fields import Secret

EXTRA = "kind apprise needs the extra: pip install 'incidentd[apprise]'"

_SECONDS = 10.0
_THREADS = 8
_ALERTS_SHOWN = 10
_ALERT_WIDTH = 200
_MAX_BODY = 3000
_PING = re.compile(r"@(?=everyone|here|channel|all\b|room\b)|<(?=[@!#])")
_TYPES = {"critical": "failure", "warning": "warning", "info": "info"}


def _library() -> Any:  # noqa: ANN401 - the module itself, which may not be installed
    """The apprise library, imported when a channel of this kind is configured and not before."""
    for name in ("apprise", "urllib3"):  # they log addresses, which hold secrets
        logging.getLogger(name).setLevel(logging.CRITICAL + 10)
    return importlib.import_module("apprise")


@functools.cache
def _asset() -> Any:  # noqa: ANN401 - of a library that may not be installed
    # In memory: nothing about messages and credentials is written to disk beside the database.
    return _library().AppriseAsset(
        app_id="incidentd",
        app_desc="incidentd",
        storage_mode="memory",
        http_redirects=False,
        service_timeout=0,
    )


def _service(address: str) -> Any:  # noqa: ANN401 - of a library that may not be installed
    """The service at `address`, None if apprise knows none.

    Made anew for each message: one that is kept pauses for seconds between two, which the bound of a send cuts off.
    """
    return _library().Apprise.instantiate(address, asset=_asset())


def _known(secret: SecretStr) -> SecretStr:
    if _service(secret.get_secret_value()) is None:
        raise ValueError(
            "is no address that apprise knows; accepted: one of its URLs, such as ntfys://TOPIC, "
            "listed at https://appriseit.com/services/"
        )
    return secret


class AppriseConfig(ChannelConfig):
    """Whom to tell. The addresses are held like secrets: most have tokens in them."""

    kind: Literal["apprise"]
    urls: Annotated[list[Annotated[Secret, AfterValidator(_known)]], Field(min_length=1, max_length=20)]
    """One address for each service, in apprise's own notation; each gets deliveries of its own."""

    @model_validator(mode="before")
    @classmethod
    def _is_installed(cls, data: object) -> object:
        if importlib.util.find_spec("apprise") is None:
            raise ValueError(EXTRA)
        return data


def render(message: Message) -> Mapping[str, str]:
    """Title, body and type as apprise takes them, in plain text."""
    incident = message.incident
    kind = "success" if incident.state == "resolved" else _TYPES[incident.severity]
    if message.minimal:
        return {"title": "", "body": _silent(plain(message)), "notify_type": kind}
    lines = [state_line(message)]
    if "\n" in (body := body_text(message)):
        lines.append(body)
    # Links before alerts: a service with little room cuts the end off.
    found = [_silent("\n".join(lines)), *(f"{link.text}: {link.href}" for link in links(message))]
    shown = alert_lines(message, _ALERTS_SHOWN, _ALERT_WIDTH)
    found += [_silent(_alert(line)) for line in shown]
    if more := more_alerts(message, len(shown)):
        found.append(f"- {more}")
    return {
        "title": _silent(headline(message)),
        "body": cut("\n".join(found), _MAX_BODY),
        "notify_type": kind,
    }


def _alert(line: AlertLine) -> str:
    return f"- {'' if line.firing else 'ended '}{line.text}"


def _silent(text: str) -> str:
    """`text` that calls nobody: chat services read ``@everyone`` in a label as meant for everyone."""
    return _PING.sub(lambda found: found[0] + "\u200b", text)


def judge(accepted: object, error: Exception | None) -> Outcome:
    """What the library's yes or no means; it does not tell failures apart, so all are worth another try."""
    if error is not None:
        return Outcome(Verdict.RETRY, type(error).__name__, "apprise failed")
    if accepted:
        return Outcome(Verdict.OK, "accepted")
    return Outcome(Verdict.RETRY, "refused", "the service did not take it, and apprise does not tell why")


@dataclass(frozen=True, slots=True)
class AppriseSender:
    """Tells the services, each in a thread: the library waits for answers in the calling one."""

    config: AppriseConfig
    targets: tuple[str, ...]
    seconds: float = _SECONDS
    """The longest that a caller waits for a service."""
    _tasks: Tasks = field(default_factory=Tasks, repr=False)
    # Its own: services that hang must not use up the threads of others.
    _threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(_THREADS, "apprise"), repr=False
    )

    async def send(self, message: Message) -> Outcome:
        """Tell the service that `message.target` names."""
        target = message.target or self.targets[0]
        if target not in self.targets:
            return Outcome(Verdict.TARGET_GONE, "no_such_url", f"{target} is not configured any more")
        address = self.config.urls[self.targets.index(target)].get_secret_value()
        said = render(message)
        work = asyncio.get_running_loop().run_in_executor(self._threads, _notify, address, said)
        try:
            accepted = await self._tasks.run(_finish(work), self.seconds, self.seconds)
        except LateError:
            return Outcome(Verdict.AMBIGUOUS, "timeout", "the service did not answer in time")
        except Exception as error:  # noqa: BLE001 - 170 plugins may raise anything
            return judge(None, error)
        return judge(accepted, None)

    async def probe(self) -> Outcome:
        """Always OK: apprise has no request that tells nobody, so the next message is the test."""
        return Outcome(Verdict.OK, NOT_PROBED, "a service of apprise is tested by its next message")

    async def close(self) -> None:
        """Wait for what is under way."""
        await self._tasks.drain(self.seconds)
        self._threads.shutdown(wait=False, cancel_futures=True)


async def _finish(work: asyncio.Future[bool]) -> bool:
    return await work


def _notify(address: str, said: Mapping[str, str]) -> bool:
    library = _library()
    service = _service(address)
    if service.overflow_mode is library.OverflowMode.UPSTREAM:
        # As it is, a text that is too long would be refused, for ever.
        service.overflow_mode = library.OverflowMode.TRUNCATE
    asked = library.Apprise(asset=_asset())
    asked.add(service)
    return bool(asked.notify(**said, body_format=library.NotifyFormat.TEXT, interpret_escapes=False))


def _open(config: AppriseConfig, _name: str, _env: ChannelEnv) -> AppriseSender:
    targets = [
        f"{_scheme(secret.get_secret_value())} #{number}"
        for number, secret in enumerate(config.urls, start=1)
    ]
    return AppriseSender(config, tuple(targets))


def _scheme(address: str) -> str:
    """The scheme under which apprise knows the service, also where its own https address was given."""
    scheme, _, _ = str(_service(address).url(privacy=True)).partition("://")
    return scheme


CHANNEL = Channel(
    kind="apprise",
    description="170 more services, such as ntfy, Telegram, Teams, Discord or Matrix, by the apprise library.",
    config_model=AppriseConfig,
    example={"kind": "apprise", "urls": ["ntfys://ops-alerts"]},
    open=_open,
    rate=Rate(per_second=0.5, burst=5),  # what stricter chat services take: about 30 a minute
)
