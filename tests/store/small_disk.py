"""Run as a program: fill a database up to the largest file this process may write, then go on with a larger
one.

Prints how many alerts were committed before the limit, and how many there are at the end.
"""

import asyncio
import resource
import sys
from pathlib import Path

import sqlalchemy as sa

from incidentd.store import schema
from incidentd.store.engine import Store, StoreUnavailableError
from incidentd.store.migrate import migrate
from incidentd.workflows.receive import receive
from tests.store.samples import NOW, RULES, alert, post


async def fill(store: Store, rounds: range) -> int:
    """Post a hundred alerts a round until the store refuses; how many were committed."""
    done = 0
    for number in rounds:
        body = post(*[alert(number * 100 + n) for n in range(100)])
        try:
            await store.write(lambda tx, body=body: receive(tx, [body], RULES, NOW))  # type: ignore[misc]
        except StoreUnavailableError:
            break
        done += 100
    return done


async def main(path: Path) -> None:
    """See the module."""
    await migrate(f"sqlite+aiosqlite:///{path}")
    store = Store(f"sqlite+aiosqlite:///{path}")
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    before = await fill(store, range(1000))
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    after = await fill(store, range(1000, 1002))
    stored = await store.read(
        lambda tx: tx.conn.execute(sa.select(sa.func.count()).select_from(schema.alerts)).scalar_one()
    )
    await store.close()
    print(before, after, stored)  # noqa: T201 - this is the answer to the test


asyncio.run(main(Path(sys.argv[1])))
