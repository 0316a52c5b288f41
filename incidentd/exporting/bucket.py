"""A copy of the page in an object store: what has changed is put there, one signed request for each file.

An object store has no rename over many objects. Each file is whole or not there; pages for people and the short
documents come last, so that nothing points to what is not there yet.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from urllib.parse import quote, urlsplit

from incidentd.channels.base import HttpAnswer, HttpFailure
from incidentd.config.status_export import Bucket
from incidentd.exporting.sigv4 import Signer
from incidentd.exporting.tree import CHECKED, HOME, File

AT_ONCE = 6
"""Requests to the store at once."""
_OK = 200
_CODE = re.compile(rb"<Code>([A-Za-z0-9]{1,64})</Code>")


def _place(name: str) -> int:
    """Where it stands among what comes last, in this order; 0: before all of them."""
    own = name.removesuffix(".gz")
    return 4 if name == CHECKED else 0 if not own.endswith(HOME) else 1 if own != HOME else 2 + (name != own)


class Http(Protocol):
    """The one HTTP client, as far as an object store needs it."""

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes = b""
    ) -> HttpAnswer:
        """The answer, or `HttpFailure`."""
        ...


class BucketRefusedError(Exception):
    """The store did not take a file. Says which and why; no credential, no address."""


@dataclass(slots=True)
class BucketWriter:
    """Writes to one bucket, and remembers what stands there."""

    http: Http
    bucket: Bucket
    now: Callable[[], datetime]
    _there: dict[str, str] = field(default_factory=dict)
    """Name -> digest of what this process has put there."""

    async def publish(self, files: Iterable[File]) -> int:
        """Put what has changed; how many files. Raises `BucketRefusedError`: what was put before stays there."""
        changed = [file for file in files if self._there.get(file.name) != file.digest]
        first = [file for file in changed if not _place(file.name)]
        turns = asyncio.Semaphore(AT_ONCE)

        async def put(file: File) -> None:
            async with turns:
                await self._put(file)

        outcomes = await asyncio.gather(*[put(file) for file in first], return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        for file in sorted([f for f in changed if _place(f.name)], key=lambda f: _place(f.name)):
            await self._put(file)
        return len(changed)

    async def _put(self, file: File) -> None:
        bucket, url = self.bucket, self._url(file.name)
        token = bucket.session_token
        signer = Signer(
            bucket.access_key.get_secret_value(),
            bucket.secret_key.get_secret_value(),
            bucket.region,
            session_token="" if token is None else token.get_secret_value(),
        )
        headers = {"Content-Type": file.media, "Cache-Control": file.cache_control}
        headers |= {"Content-Encoding": file.encoding} if file.encoding else {}
        signed = signer.headers("PUT", url, headers, file.body, self.now())
        try:
            answer = await self.http.request("PUT", url, signed, file.body)
        except HttpFailure as failure:
            raise BucketRefusedError(f"{file.name}: {failure}") from None
        if answer.status != _OK:
            code = _CODE.search(answer.body)
            said = f" {code[1].decode()}" if code else ""
            raise BucketRefusedError(f"{file.name}: HTTP {answer.status}{said}")
        self._there[file.name] = file.digest

    def _url(self, name: str) -> str:
        bucket = self.bucket
        key = quote(f"{bucket.prefix}/{name}" if bucket.prefix else name, safe="/-_.~")
        if bucket.path_style:
            return f"{bucket.endpoint}/{bucket.bucket}/{key}"
        parts = urlsplit(bucket.endpoint)
        return f"{parts.scheme}://{bucket.bucket}.{parts.netloc}{parts.path}/{key}"
