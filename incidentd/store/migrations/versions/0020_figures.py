"""Figures: where an incident begins to count, and look-ups that do not grow with what is stored."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # May be null: the version before this one goes on writing rows without it while replicas are replaced.
    comment = "where figures begin to count; null: at started_at"
    op.add_column("incidents", sa.Column("counted_from", sa.BigInteger(), comment=comment))
    op.create_index("ix_incidents_service", "incidents", ["service", "resolved_at"])
    person = sa.text("person IS NOT NULL")
    op.create_index(
        "ix_deliveries_person", "deliveries", ["sent_at"], sqlite_where=person, postgresql_where=person
    )


def downgrade() -> None:
    op.drop_index("ix_deliveries_person", "deliveries")
    op.drop_index("ix_incidents_service", "incidents")
    op.drop_column("incidents", "counted_from")
