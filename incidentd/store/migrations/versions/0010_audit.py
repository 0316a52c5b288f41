"""The audit log: a chain of entries that nobody changes, its head, its signatures, and what can be erased."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_REFUSED = "audit entries are never changed"


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "audit_events",
        sa.Column("seq", number, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("entry", sa.Text(), nullable=False, comment="RFC 8785; what is hashed"),
        sa.Column("hash", sa.Text(), nullable=False),
        comment="appended to, never changed",
    )
    op.create_index("ix_audit_events_at", "audit_events", ["at", "seq"])
    head = op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        comment="one row: who appends locks it",
    )
    op.bulk_insert(head, [{"id": 1, "seq": 0, "hash": "0" * 64}])
    _signatures()
    _private()
    _guard()


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER audit_events_append_only ON audit_events")
        op.execute("DROP FUNCTION audit_append_only()")
    for table in ("exports", "private", "keys", "checkpoints", "head", "events"):
        op.drop_table(f"audit_{table}")


def _signatures() -> None:
    op.create_table(
        "audit_checkpoints",
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("ts", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", "key"),
    )
    op.create_table(
        "audit_keys",
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("public", sa.Text(), nullable=False, comment="DER, hexadecimal"),
        sa.Column("seq", sa.BigInteger(), nullable=False, comment="the entry that introduced it"),
    )


def _private() -> None:
    op.create_table(
        "audit_private",
        sa.Column("ref", sa.Text(), primary_key=True),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("salt", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, comment="the entry that needed it first"),
        comment="what references of the chain mean: may be erased at any time",
    )
    actors = sa.text("field = 'actor'")
    op.create_index(
        "ix_audit_private_actor", "audit_private", ["value"], sqlite_where=actors, postgresql_where=actors
    )
    op.create_index("ix_audit_private_seq", "audit_private", ["seq"])
    op.create_table(
        "audit_exports",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), comment="as asked for; null: from the first entry"),
        sa.Column("until", sa.BigInteger(), comment="as asked for; null: to the end"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sqlite_autoincrement=True,
    )


def _guard() -> None:
    """Mistakes, and statements smuggled in, are refused by the database itself; its owner can still lift that."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{_REFUSED}'; END $$"
        )
        op.execute(
            "CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_events_no_{verb.lower()} BEFORE {verb} ON audit_events "
            f"BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END"
        )
