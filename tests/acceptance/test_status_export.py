"""Copies of the page that need no daemon: behind a plain file server, in an object store, and when something fails."""

from __future__ import annotations

import asyncio
import functools
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.acceptance.publicly import Public, public
from tests.acceptance.waiting import until
from tests.fakes.object_store import ACCESS, SECRET, ObjectStoreFake
from tests.statuspage_conformance import failures

MINUTE = timedelta(minutes=1)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def file_server(root: Path) -> Iterator[str]:
    """A plain file server on loopback, as `python -m http.server` is."""
    handler = functools.partial(_Quiet, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def bucket(store: ObjectStoreFake, **more: Any) -> dict[str, Any]:
    return {
        "endpoint": store.url,
        "bucket": store.bucket,
        "access_key": ACCESS,
        "secret_key": SECRET,
        **more,
    }


async def eventful(here: Public) -> None:
    """A page with something of everything."""
    first = await here.open(
        "Search is slow", {"Search": "degraded_performance"}, body="<b>&]]> \u202e\U0001f600"
    )
    await here.say(first, "resolve")
    await here.say(first, "postmortem", body="A disk was full.")
    await here.open("API is down", {"API": "major_outage", "Blog": "partial_outage"}, next_update="30m")
    starts = (here.world.clock.now() + timedelta(hours=1)).isoformat()
    plan = {"title": "Upgrade", "duration": "2h"}
    await here.world.client.act("status/maintenances", **plan, components=["Search"], starts=starts)
    await here.world.client.act("status/maintenances", **plan, components=["API"])
    await here.leave()


async def test_the_live_page_and_its_copy_behind_a_file_server_keep_the_format(tmp_path: Path) -> None:
    pages = {"partner": {"name": "Partners"}, "inside": {"name": "Inside", "token": "t" * 32}}
    async with public(tmp_path, export={"directory": str(tmp_path / "site")}, pages=pages) as here:
        await eventful(here)
        await here.world.daemon.clockwork.exporting.run()
        assert [each.name for each in (tmp_path / "site" / "current" / "pages").iterdir()] == ["partner"]
        with file_server(tmp_path / "site" / "current") as copy:
            live = here.world.daemon.url
            await until(lambda: _same(here, copy), "the live page to be made")
            assert await asyncio.to_thread(failures, live) == []
            await here.world.stop()
            for page in (copy, f"{copy}/pages/partner"):
                assert await asyncio.to_thread(failures, page, static=True) == []
            await here.world.start()


async def _same(here: Public, copy: str) -> bool:
    live = await here.ask("GET", "/api/v2/summary.json")
    async with here.session.get(f"{copy}/api/v2/summary.json") as answer:
        return bool(live.json == await answer.json(content_type=None))


async def test_a_change_is_in_the_copy_at_once_and_the_hour_of_the_last_look_every_minute(
    tmp_path: Path,
) -> None:
    site = tmp_path / "site" / "current"
    async with public(tmp_path, export={"directory": str(tmp_path / "site")}) as here:

        def status() -> str:
            return str(json.loads((site / "api/v2/status.json").read_text())["status"]["indicator"])

        await until((site / "api/v2/status.json").exists, "the first copy")
        checked = (site / "checked.json").read_text()
        assert status() == "none"
        code = await here.open("API is down", {"API": "major_outage"})
        # By the daemon's own clockwork.
        await until(lambda: status() == "major", "the copy to tell of it", 5)
        assert "API is down" in (site / "incidents" / code / "index.html").read_text()
        here.world.clock.set(here.world.clock.now() + MINUTE)
        await until(lambda: (site / "checked.json").read_text() != checked, "another sign of life", 5)


async def test_an_object_store_gets_what_changed_signed_with_its_type_and_siblings(tmp_path: Path) -> None:
    async with ObjectStoreFake() as store:
        export = {"bucket": bucket(store, prefix="acme/status")}
        async with public(tmp_path, export=export) as here:
            await until(lambda: "acme/status/checked.json" in store.objects, "the first copy")
            assert store.puts[-2:] == ["acme/status/index.html.gz", "acme/status/checked.json"]
            headers, body = store.objects["acme/status/api/v2/status.json"]
            assert headers["content-type"] == "application/json; charset=utf-8"
            assert "stale-if-error=86400" in headers["cache-control"]
            assert json.loads(body)["status"]["indicator"] == "none"
            assert store.objects["acme/status/index.html.gz"][0]["content-encoding"] == "gzip"
            before = len(store.puts)
            here.world.clock.set(here.world.clock.now() + MINUTE)
            await until(lambda: len(store.puts) > before, "the sign of life", 5)
            code = await here.open("API is down", {"API": "major_outage"})
            await until(lambda: f"acme/status/incidents/{code}" in store.objects, "the change", 5)
        assert store.violations == []


async def test_a_store_that_refuses_is_asked_again_later_and_told_in_the_log_and_a_metric(
    tmp_path: Path,
) -> None:
    async with ObjectStoreFake() as store:
        store.refuses = True
        export = {"bucket": bucket(store), "directory": str(tmp_path / "site")}
        async with public(tmp_path, export=export) as here:
            name, target = "incidentd_status_export_failures_total", {"target": "bucket"}
            await until(lambda: _counted(here, name, 1, **target), "the failure to be counted")
            assert (tmp_path / "site" / "current" / "index.html").exists()
            store.refuses = False
            here.world.clock.set(here.world.clock.now() + MINUTE)
            await until(lambda: "checked.json" in store.objects, "the copy")
            assert (
                await here.world.client.metric(
                    "incidentd_status_export_last_success_timestamp_seconds", **target
                )
                > 0
            )
        assert store.violations == []


async def _counted(here: Public, name: str, least: float, **labels: str) -> bool:
    return await here.world.client.metric(name, **labels) >= least
