"""A page by mail can be answered from the mail itself."""

from __future__ import annotations

import re
from pathlib import Path

from tests.acceptance.client import Client
from tests.acceptance.harness import World, world
from tests.acceptance.test_main_job import end, fire

_LINK = re.compile(r"https://incidents\.example\.com(/ack/[A-Za-z0-9_-]+)")


def links(here: World) -> list[str]:
    """The path of the acknowledge link of each mail; empty for one without."""
    texts = [mail.content.get_body(("plain",)) for mail in here.vendors.mail.mails]
    found = [_LINK.search(text.get_content()) if text is not None else None for text in texts]
    return [match[1] if match else "" for match in found]


async def test_the_link_in_a_mailed_page_acknowledges_once_a_person_presses_the_button(
    tmp_path: Path, database_url: str
) -> None:
    async with world(tmp_path, database_url) as here:
        await fire(here)
        [path] = links(here)
        assert path
        anybody = Client(here.daemon.url)
        try:
            for _ in range(3):
                page = await anybody.call("GET", path)
                assert (page.status, "Acknowledge INC-1</button>" in page.text) == (200, True)
            assert (await here.client.incident(1))["state"] == "triggered"
            assert (await anybody.call("POST", path, b"")).status == 200
        finally:
            await anybody.close()
        await here.settle()
        found = await here.client.incident(1)
        assert (found["state"], found["acknowledged_by"]) == (
            "acknowledged",
            "ops@example.com via e-mail link",
        )
        assert [action for action, _ in here.vendors.pages()] == ["trigger", "acknowledge"]
        await end(here)
        # What tells of an acknowledgement or an end has nothing to acknowledge.
        assert links(here) == [path, "", ""]
