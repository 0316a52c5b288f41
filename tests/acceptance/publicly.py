"""A daemon with a public page, and what people outside do with it: forms, links in mails, clicks of mail programs."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
import sqlalchemy as sa

from incidentd.store import announcements, schema_subscribers
from tests.acceptance.client import Answer
from tests.acceptance.harness import World, world
from tests.acceptance.waiting import until
from tests.fakes.smtp import Mail

COMPONENTS = [
    {"name": "API", "group": "Core", "id": "api", "match": ['service="api"']},
    {"name": "Search", "group": "Core", "id": "search", "match": ['service="search"']},
    {"name": "Blog", "id": "blog", "match": ['service="blog"']},
]
PAGE: dict[str, Any] = {
    "name": "Acme",
    "url": "https://status.example.com",
    "components": COMPONENTS,
    "subscribers": {"email": "mail", "private_addresses": True},
}
_LINK = re.compile(r"https://status\.example\.com(/subscriptions/\S+)")


@dataclass
class Public:
    """A daemon, and the public that reads its page."""

    world: World
    session: aiohttp.ClientSession

    async def ask(self, method: str, path: str, **rest: Any) -> Answer:
        """One request of somebody without an account."""
        url = self.world.daemon.url + path
        async with self.session.request(method, url, allow_redirects=False, **rest) as answer:
            return Answer(answer.status, dict(answer.headers), await answer.text())

    async def form(self, path: str, *fields: tuple[str, str]) -> Answer:
        """Send a form, as a browser does."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return await self.ask("POST", path, data=urlencode(fields).encode(), headers=headers)

    async def subscribed(self, email: str, *components: str, endpoint: str = "") -> str:
        """Somebody subscribes and confirms; the path of their link."""
        fields = [("email", email), ("endpoint", endpoint), *[("component", c) for c in components]]
        assert (await self.form("/subscribe", *fields)).status == 200
        await self.leave()
        path = link(self.mails(email)[-1])
        assert (await self.form(path, ("confirm", "yes"))).status == 200
        return path

    def mails(self, to: str) -> list[Mail]:
        """What one mailbox of the public got."""
        return [mail for mail in self.world.vendors.mail.mails if mail.to == (to,)]

    def subjects(self, to: str) -> list[str]:
        """The subjects of those."""
        return [str(mail.content["Subject"]) for mail in self.mails(to)]

    async def leave(self, by: timedelta = timedelta(seconds=1)) -> None:
        """Time passes: what became public is spread, and leaves."""
        self.world.clock.set(self.world.clock.now() + by)
        clockwork = self.world.daemon.clockwork
        await clockwork.pages.look()
        await clockwork.pages.count()
        await clockwork.telling.spread()
        await clockwork.telling.mail()
        await clockwork.telling.post()
        # The daemon's own ticks may be at it too.
        await until(self._settled, "what is on its way to arrive")

    async def _settled(self) -> bool:
        row = schema_subscribers.deliveries.c
        leased = sa.select(sa.func.count()).where(row.state == "leased")
        store = self.world.daemon.store
        waiting = await store.read(announcements.unspread)
        return not waiting and not await store.read(lambda tx: tx.conn.execute(leased).scalar_one())

    async def open(self, title: str, components: Mapping[str, str], **said: Any) -> str:
        """A public incident by hand; its id."""
        found = await self.world.client.act(
            "status/publications", title=title, components=dict(components), **said
        )
        return str(found["id"])

    async def say(self, code: str, verb: str, **said: Any) -> None:
        """More about it."""
        await self.world.client.act(f"status/publications/{code}/{verb}", **said)


@asynccontextmanager
async def public(
    folder: Path, database_url: str = "", given: dict[str, Any] | None = None, **page: Any
) -> AsyncIterator[Public]:
    """A daemon whose page mails and posts to whoever asks; on SQLite unless `database_url` says otherwise.

    `given`: further sections of its configuration.
    """
    url = database_url or f"sqlite+aiosqlite:///{folder}/incidentd.db"
    sections: dict[str, Any] = {"status_page": {**PAGE, **page}, "route": {"notify": ["console", "slack"]}}
    async with aiohttp.ClientSession() as session, world(folder, url, **sections, **(given or {})) as here:
        yield Public(here, session)


def text(mail: Mail) -> str:
    """What a mail says to who reads no HTML."""
    body = mail.content.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def link(mail: Mail, part: str = "") -> str:
    """The path of the first link of a subscription in a mail that holds `part`."""
    return next(str(path) for path in _LINK.findall(text(mail)) if part in path)


def one_click(mail: Mail) -> str:
    """Where a mail program posts when its button is pressed."""
    assert mail.content["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    address = str(mail.content["List-Unsubscribe"])
    assert address.startswith("<https://")
    return urlsplit(address.strip("<>")).path
