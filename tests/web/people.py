"""People with accounts, and a browser that keeps cookies and says where a request comes from, as browsers do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp
from argon2 import PasswordHasher
from multidict import CIMultiDictProxy

from incidentd.store.accounts import Account
from incidentd.workflows import accounts
from tests.web.conftest import Daemon

GOOD = "correct horse battery staple"
BETTER = "another four random words"
# What a password costs is measured elsewhere; here it would be most of the time.
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass(frozen=True)
class Shown:
    """What a browser got."""

    status: int
    headers: CIMultiDictProxy[str]
    text: str
    url: str

    @property
    def csrf(self) -> str:
        """What the forms of the page send along."""
        found = re.search(r'name="csrf" value="([0-9a-f]{64})"', self.text)
        assert found is not None, self.text
        return found[1]


@dataclass
class Browser:
    """One browser: its cookies, and what it adds to requests."""

    session: aiohttp.ClientSession
    base: str
    cookies: dict[str, str] = field(default_factory=dict)
    set_cookies: list[str] = field(default_factory=list)
    """As they came."""

    async def open(self, place: str, **headers: str) -> Shown:
        """Follow a link from nowhere; redirects are not followed."""
        return await self._send(
            "GET", place, {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none", **headers}
        )

    async def follow(self, shown: Shown) -> Shown:
        """Go where a redirect leads."""
        return await self.open(urljoin(shown.url, shown.headers["Location"]))

    async def submit(self, place: str, fields: Mapping[str, str], **headers: str) -> Shown:
        """Send a form from a page of the same site."""
        sent = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "same-origin", "Origin": self.base, **headers}
        return await self._send("POST", place, sent, data=dict(fields))

    async def sign_in(self, name: str = "alice", password: str = GOOD, **fields: str) -> Shown:
        """Fill in the form."""
        return await self.submit("/login", {"name": name, "password": password, **fields})

    async def api(self, method: str, place: str, body: object = None, **headers: str) -> Shown:
        """What a script of our own page would send."""
        return await self._send(method, place, {"Sec-Fetch-Site": "same-origin", **headers}, json=body)

    async def _send(self, method: str, place: str, headers: dict[str, str], **rest: Any) -> Shown:
        url = urljoin(self.base, place)
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        async with self.session.request(
            method, url, headers=headers, allow_redirects=False, **rest
        ) as answer:
            for cookie in answer.headers.getall("Set-Cookie", ()):
                self._keep(cookie)
            return Shown(answer.status, answer.headers, await answer.text(), url)

    def _keep(self, cookie: str) -> None:
        self.set_cookies.append(cookie)
        pair, *attributes = [part.strip() for part in cookie.split(";")]
        name, _, value = pair.partition("=")
        if "Max-Age=0" in attributes:
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = value


@asynccontextmanager
async def browser(url: str) -> AsyncIterator[Browser]:
    """A fresh browser."""
    parts = urlsplit(url)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Browser(session, f"{parts.scheme}://{parts.netloc}")


async def account(daemon: Daemon, name: str = "alice", role: str = "responder", **rest: Any) -> None:
    """An account with the password `GOOD`."""
    now = daemon.clock.now()
    made = Account(name, CHEAP.hash(GOOD), role, rest.get("teams"), now, now)
    assert await daemon.store.write(lambda tx: accounts.create(tx, made, "root (command line)"))
    await daemon.desk.auth.refresh()
