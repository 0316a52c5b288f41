"""One Alertmanager's API v2: what fires, what is silenced; making and ending silences. Every failure is typed."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping
from datetime import datetime
from urllib.parse import quote

from incidentd.channels.base import Http, HttpAnswer, HttpFailure
from incidentd.sources.answers import (
    AlertmanagerError,
    Reason,
    Silence,
    SourceAlert,
    Status,
    alerts_of,
    said,
    silence_body,
    silence_id_of,
    silences_of,
    status_of,
)

ANSWER_BYTES = 64 * 1024**2
"""The largest answer that is read: about 100,000 alerts."""
_OK = range(200, 300)
_REASONS: Mapping[int, Reason] = {
    400: Reason.INVALID,
    401: Reason.REFUSED,
    403: Reason.REFUSED,
    404: Reason.UNKNOWN,
    422: Reason.INVALID,
}
_JSON: Mapping[str, str] = {"Content-Type": "application/json"}


def _everything(_fingerprint: str) -> bool:
    return True


class Alertmanager:
    """One member of a source. Every method raises `AlertmanagerError` and nothing else."""

    def __init__(self, http: Http, url: str, headers: Mapping[str, str], now: Callable[[], datetime]) -> None:
        """`url` may have a path prefix; `headers` carry the credentials; `now` stands in for a missing Date."""
        self.url = url
        self._http = http
        self._headers = headers
        self._now = now

    async def alerts(self, wanted: Callable[[str], bool] = _everything) -> list[SourceAlert]:
        """Every alert that fires, silenced and inhibited ones included; `raw` of the `wanted` fingerprints."""
        answer = await self._call("GET", "/alerts")
        return await asyncio.to_thread(alerts_of, answer.body, wanted)

    async def status(self) -> Status:
        """How long it has been up, and whether its cluster has settled."""
        answer = await self._call("GET", "/status")
        return status_of(answer.body, answer.headers.get("date", ""), self._now())

    async def silences(self) -> list[Silence]:
        """Every silence it remembers, expired ones included."""
        answer = await self._call("GET", "/silences")
        return await asyncio.to_thread(silences_of, answer.body)

    async def post_silence(self, silence: Silence) -> str:
        """Make a silence (with an empty id), or change one; the id that it has now, which may be a new one.

        Reason `UNKNOWN` if there is none of that id, `INVALID` with its words if it is not accepted.
        """
        answer = await self._call("POST", "/silences", silence_body(silence))
        return silence_id_of(answer.body)

    async def expire_silence(self, silence_id: str) -> None:
        """End a silence now; one that is over already, or that nobody knows, is no error."""
        try:
            await self._call("DELETE", f"/silence/{quote(silence_id, safe='')}")
        except AlertmanagerError as error:
            # 0.25 answers 500 "silence not found" where newer versions have 404.
            if error.reason is not Reason.UNKNOWN and "not found" not in error.detail:
                raise

    async def _call(self, method: str, path: str, content: bytes = b"") -> HttpAnswer:
        headers = {**self._headers, **(_JSON if content else {})}
        try:
            answer = await self._http.request(method, f"{self.url}/api/v2{path}", headers, content)
        except HttpFailure as failure:
            raise AlertmanagerError(Reason.UNREACHABLE, failure.detail) from None
        if answer.status not in _OK:
            reason = _REASONS.get(answer.status, Reason.FAILED)
            raise AlertmanagerError(reason, f"HTTP {answer.status} {said(answer.body)}".strip())
        if len(answer.body) >= ANSWER_BYTES:
            raise AlertmanagerError(Reason.TOO_LARGE, f"{path} has {ANSWER_BYTES} bytes or more")
        return answer


def credentials(username: str | None, password: str | None, token: str | None) -> dict[str, str]:
    """The header of basic or bearer authentication; none without either."""
    if token is not None:
        return {"Authorization": f"Bearer {token}"}
    if username is None:
        return {}
    pair = base64.b64encode(f"{username}:{password or ''}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}
