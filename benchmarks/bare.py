"""The least that aiohttp can do: one handler that answers with constant bytes. Its own process."""

from __future__ import annotations

import asyncio
import gc

from aiohttp import web

PATH = "/api/v2/status.json"
_BODY = (
    b'{"page":{"id":"1b913c941c79","name":"Acme","url":"http://127.0.0.1:8650","time_zone":"Etc/UTC",'
    b'"updated_at":"2026-11-21T08:00:00.000Z"},'
    b'"status":{"indicator":"none","description":"All Systems Operational"}}'
)


async def answer(_: web.Request) -> web.Response:
    return web.Response(body=_BODY, content_type="application/json")


async def serve() -> None:
    """Run until killed."""
    app = web.Application()
    app.router.add_get(PATH, answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    # As the daemon does once it is up.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    print(f"bare aiohttp listens on http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
