"""The configured Alertmanagers, open. A reload keeps those about which nothing has changed."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path

from incidentd.channels.base import Http, HttpAnswer, HttpFailure
from incidentd.channels.http import HttpClient, HttpLimits
from incidentd.clock import Clock
from incidentd.config import Config
from incidentd.config.alertmanagers import Alertmanager as Section
from incidentd.domain.notification import Verdict
from incidentd.sources.alertmanager import ANSWER_BYTES, Alertmanager, credentials

_LIMITS = HttpLimits(connect=5, read=20, total=30, grace=5, per_host=4, body=ANSWER_BYTES)


class Members:
    """Opens the API of every configured Alertmanager."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._clients: dict[Path | None, HttpClient] = {}
        """By the certificates that are trusted beside the machine's."""
        self._open: dict[Section, Alertmanager] = {}
        self.of: Mapping[str, tuple[Alertmanager, ...]] = {}
        """Source -> its Alertmanagers."""

    def take(self, config: Config) -> None:
        """Open what `config` names and is not open yet. Reads certificates, does no other I/O."""
        sections = {name: source.alertmanagers for name, source in config.sources.items()}
        named = {each for members in sections.values() for each in members}
        kept = {section: member for section, member in self._open.items() if section in named}
        self._open = {section: kept.get(section) or self._opened(section) for section in named}
        self.of = {
            name: tuple([self._open[each] for each in members])
            for name, members in sections.items()
            if members
        }

    def _opened(self, section: Section) -> Alertmanager:
        password, token = section.password, section.token
        headers = credentials(
            section.username,
            None if password is None else password.get_secret_value(),
            None if token is None else token.get_secret_value(),
        )
        return Alertmanager(self._http(section.ca_file), section.url, headers, self._clock.now)

    def _http(self, ca_file: Path | None) -> Http:
        if ca_file not in self._clients:
            try:
                tls = None if ca_file is None else ssl.create_default_context(cafile=ca_file)
            except OSError:
                return _Unreadable()
            self._clients[ca_file] = HttpClient(_LIMITS, tls=tls)
        return self._clients[ca_file]

    async def aclose(self, seconds: float) -> None:
        """Wait at most that long for what is under way, and let go of all connections."""
        for client in self._clients.values():
            await client.aclose(seconds)


class _Unreadable:
    """Stands in for a client whose certificates cannot be read: every round says so, and the rest works."""

    async def request(
        self,
        method: str,  # noqa: ARG002 - the port's signature
        url: str,  # noqa: ARG002
        headers: Mapping[str, str],  # noqa: ARG002
        content: bytes = b"",  # noqa: ARG002
        *,
        guarded: bool = False,  # noqa: ARG002
    ) -> HttpAnswer:
        """Refuse."""
        raise HttpFailure(Verdict.DESTINATION_BROKEN, "ca_file", "its ca_file cannot be read")
