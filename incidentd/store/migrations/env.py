"""Alembic's entry: runs the steps on the connection, and inside the transaction, that `store.migrate` hands
over.

It sets up no logging: the daemon has its own.
"""

from __future__ import annotations

from alembic import context

from incidentd.store import schema


def run() -> None:
    """Upgrade or compare over the given connection."""
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=schema.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
