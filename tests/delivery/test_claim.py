"""Taking rows of the outbox costs the same whatever their number."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import event

from incidentd.delivery.claim import Taking, claim
from incidentd.store.engine import Tx
from tests.delivery.cast import NOW, Office

TAKING = Taking("chat", pages=True, owner="me", now=NOW, lease_until=NOW + timedelta(seconds=25), limit=1)


async def test_a_claim_takes_the_same_number_of_statements_for_one_row_and_for_many(office: Office) -> None:
    counts = []
    for rows in (1, 8):
        for _ in range(rows):
            number = await office.declare()
            await office.note(number)

        def work(tx: Tx, limit: int = rows) -> int:
            said: list[str] = []

            def listen(*call: Any) -> None:
                said.append(call[2])

            event.listen(tx.conn, "before_cursor_execute", listen)
            try:
                assert len(claim(tx, replace(TAKING, limit=limit)).leased) == limit
            finally:
                event.remove(tx.conn, "before_cursor_execute", listen)
            return len(said)

        counts.append(await office.store.write(work))
    assert counts[0] == counts[1]
