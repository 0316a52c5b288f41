"""A stop is bounded as a whole, whoever hangs."""

from __future__ import annotations

import asyncio
from pathlib import Path

from incidentd.clock import FixedClock
from tests.acceptance.bodies import alert, webhook
from tests.acceptance.harness import NOON, World, configuration, vendors, write
from tests.acceptance.waiting import until
from tests.fakes.http import Answer

LIMIT = 3


async def test_hanging_vendors_and_a_client_that_sends_half_a_request_cannot_delay_a_stop(
    tmp_path: Path,
) -> None:
    server = {"port": 0, "shutdown_timeout": f"{LIMIT}s"}
    async with vendors() as told:
        config = configuration(f"sqlite+aiosqlite:///{tmp_path}/incidentd.db", told, server=server)
        world = World(write(tmp_path / "incidentd.yaml", config), FixedClock(NOON), told)
        await world.start()
        for vendor in (told.pager, told.slack, told.hook):
            vendor.script([Answer(hang=True)] * 9)
        assert (await world.client.post(webhook(alert("ShopDown", NOON)))).status == 200
        await until(lambda: bool(told.pager.requests), "the page to be under way")
        host, port = world.daemon.url.removeprefix("http://").split(":")
        _, half = await asyncio.open_connection(host, int(port))
        half.write(b"POST /webhooks/alertmanager HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{")
        await half.drain()
        await world.client.close()
        began = asyncio.get_running_loop().time()
        await world.daemon.stop()
        assert asyncio.get_running_loop().time() - began < LIMIT + 1
        half.close()
