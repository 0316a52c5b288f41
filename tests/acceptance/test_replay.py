"""Bodies that came through the front door, replayed through another route: exactly that route's difference."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from incidentd.cli.offline import rules_for
from incidentd.config import load
from incidentd.replay.difference import compare
from incidentd.replay.file import read, write
from incidentd.replay.run import replay
from incidentd.replay.stored import recorded
from tests.acceptance.bodies import recorded as body_of
from tests.acceptance.harness import World, world
from tests.acceptance.harness import write as write_config

FLAPS = ("flap_1_firing", "flap_2_resolved", "flap_3_firing")
EARLIER = timedelta(days=1)


def changed(file: Path, **sections: Any) -> Path:
    """The running configuration with other sections."""
    config = {**json.loads(file.read_text(encoding="utf-8")), **sections}
    return write_config(file.with_name("new.yaml"), config)


async def difference(here: World, folder: Path, **sections: Any) -> list[tuple[str, str, int, int]]:
    """Whom it tells otherwise, by way of an exported file."""
    now = here.clock.now()
    found = await recorded(here.daemon.store, now - EARLIER, now)
    write(folder / "journal.gz", found)
    new = changed(here.file, **sections)
    old_rules = await asyncio.to_thread(lambda: rules_for(load(here.file).config))
    new_rules = await asyncio.to_thread(lambda: rules_for(load(new).config))
    outcome = replay(read(folder / "journal.gz"), old_rules, new_rules)
    return [(line.who, line.kind.value, len(line.before), len(line.after)) for line in compare(outcome).lines]


async def test_real_bodies_show_exactly_the_route_that_was_changed(tmp_path: Path, database_url: str) -> None:
    async with world(tmp_path, database_url) as here:
        for name in FLAPS:
            await here.post(body_of(name))
            here.clock.set(here.clock.now() + timedelta(seconds=30))
        await here.client.act("incidents/1/acknowledge")
        here.clock.set(here.clock.now() + timedelta(seconds=30))
        await here.daemon.context.journal.write_all(here.daemon.store)
        assert await difference(here, tmp_path) == []
        without = ["console", "slack", "mail", "hook"]
        lost = await difference(here, tmp_path, route={"notify": without})
        assert lost == [("channel:pager", "less", 2, 0)]


async def test_bodies_that_waited_are_written_at_the_end_and_headers_never(
    tmp_path: Path, database_url: str
) -> None:
    async with world(tmp_path, database_url) as here:
        await here.post(body_of(FLAPS[0]))
        await here.restart()
        now = here.clock.now()
        found = await recorded(here.daemon.store, now - EARLIER, now)
        (kept,) = found.bodies
        assert json.loads(kept.body) == json.loads(body_of(FLAPS[0]))
        assert b"uthorization" not in kept.body


async def test_a_journal_that_is_switched_off_keeps_nothing(tmp_path: Path, database_url: str) -> None:
    async with world(tmp_path, database_url, journal={"enabled": False}) as here:
        await here.post(body_of(FLAPS[0]))
        assert here.daemon.context.journal.take() == []
