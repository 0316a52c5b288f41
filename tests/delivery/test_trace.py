"""Where a delivery comes from stays with its row, whoever sends it; its lines in the log say what they are about."""

from __future__ import annotations

import io
import json
import logging

from incidentd import log
from incidentd.domain.notification import Message, Outcome
from incidentd.tracing import CURRENT
from tests.delivery.cast import BROKEN, FakeSender, Office
from tests.delivery.players import Probed
from tests.delivery.test_fallback import staffed

TRACE = f"00-{'a' * 32}-{'b' * 16}-01"


async def test_a_fall_back_belongs_to_the_trace_of_its_page(office: Office) -> None:
    staffed(office, pager=Probed(BROKEN), chat=FakeSender())
    token = CURRENT.set(TRACE)
    await office.declare()
    CURRENT.reset(token)
    await office.settled()
    assert [(row.channel, row.trace) for row in await office.rows()] == [("pager", TRACE), ("chat", TRACE)]


async def test_what_nobody_asked_for_has_no_trace(office: Office) -> None:
    staffed(office, pager=FakeSender())
    await office.declare()
    await office.settled()
    assert [row.trace for row in await office.rows()] == [None]


class Talking(FakeSender):
    """Its library complains while it sends."""

    async def send(self, message: Message) -> Outcome:
        logging.getLogger("vendor.library").warning("slow today")
        return await super().send(message)


async def test_a_library_that_complains_while_something_is_sent_says_of_what(office: Office) -> None:
    stream = io.StringIO()
    log.configure("warn", "json", stream)
    staffed(office, pager=Talking())
    with log.bound(request_id="of whoever opened it"):
        number = await office.declare()
    await office.settled()
    (line,) = [json.loads(each) for each in stream.getvalue().splitlines()]
    assert (line["event"], line["incident"], line["channel"]) == ("slow today", number, "pager")
    assert line["delivery"] == (await office.rows())[0].id
    assert "request_id" not in line
