"""Traces: the row of a message knows the request that led to it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # May be null: the version before this one goes on writing rows without it while replicas are replaced.
    comment = "W3C traceparent of what led to it; null: it was not traced"
    op.add_column("deliveries", sa.Column("trace", sa.Text(), comment=comment))


def downgrade() -> None:
    op.drop_column("deliveries", "trace")
