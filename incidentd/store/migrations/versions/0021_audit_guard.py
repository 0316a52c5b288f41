"""The audit log's guards: nothing of it is replaced either, and heads, keys and references are guarded as entries are.

SQLite deletes the row that INSERT OR REPLACE takes the place of without asking any trigger on DELETE, so inserting is
watched as well. Signed heads beyond the chain's end may go: they are in the way of a chain that goes on from a backup.
"""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_REFUSED = "audit entries are never changed"
_END = "(SELECT seq FROM audit_head WHERE id = 1)"
_SQLITE = {
    "audit_events_no_replace": "INSERT ON audit_events WHEN EXISTS (SELECT 1 FROM audit_events WHERE seq = NEW.seq)",
    "audit_head_no_delete": "DELETE ON audit_head",
    "audit_head_no_return": "UPDATE ON audit_head WHEN NEW.seq < OLD.seq OR NEW.id <> OLD.id",
    "audit_head_no_replace": "INSERT ON audit_head WHEN EXISTS (SELECT 1 FROM audit_head WHERE id = NEW.id)",
    "audit_checkpoints_no_update": "UPDATE ON audit_checkpoints",
    "audit_checkpoints_no_delete": f"DELETE ON audit_checkpoints WHEN OLD.seq <= {_END}",
    "audit_checkpoints_no_replace": (
        "INSERT ON audit_checkpoints "
        "WHEN EXISTS (SELECT 1 FROM audit_checkpoints WHERE seq = NEW.seq AND key = NEW.key)"
    ),
    "audit_keys_no_update": "UPDATE ON audit_keys",
    "audit_keys_no_delete": "DELETE ON audit_keys",
    "audit_keys_no_replace": "INSERT ON audit_keys WHEN EXISTS (SELECT 1 FROM audit_keys WHERE key = NEW.key)",
    "audit_private_no_update": "UPDATE ON audit_private",
    "audit_private_no_replace": (
        "INSERT ON audit_private WHEN EXISTS (SELECT 1 FROM audit_private WHERE ref = NEW.ref)"
    ),
}
_POSTGRESQL = {
    "audit_head_append_only": ("DELETE OR TRUNCATE ON audit_head FOR EACH STATEMENT", "audit_append_only"),
    "audit_head_no_return": (
        "UPDATE ON audit_head FOR EACH ROW WHEN (NEW.seq < OLD.seq OR NEW.id <> OLD.id)",
        "audit_append_only",
    ),
    "audit_checkpoints_append_only": (
        "UPDATE OR TRUNCATE ON audit_checkpoints FOR EACH STATEMENT",
        "audit_append_only",
    ),
    "audit_checkpoints_no_delete": ("DELETE ON audit_checkpoints FOR EACH ROW", "audit_keep_heads"),
    "audit_keys_append_only": (
        "UPDATE OR DELETE OR TRUNCATE ON audit_keys FOR EACH STATEMENT",
        "audit_append_only",
    ),
    "audit_private_no_update": ("UPDATE ON audit_private FOR EACH STATEMENT", "audit_append_only"),
}


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION audit_keep_heads() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN IF OLD.seq <= {_END} THEN RAISE EXCEPTION '{_REFUSED}'; END IF; RETURN OLD; END $$"
        )
        for name, (when, function) in _POSTGRESQL.items():
            op.execute(f"CREATE TRIGGER {name} BEFORE {when} EXECUTE FUNCTION {function}()")
        return
    for name, when in _SQLITE.items():
        op.execute(f"CREATE TRIGGER {name} BEFORE {when} BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for name, (when, _) in _POSTGRESQL.items():
            table = when.partition(" ON ")[2].split()[0]
            op.execute(f"DROP TRIGGER {name} ON {table}")
        op.execute("DROP FUNCTION audit_keep_heads()")
        return
    for name in _SQLITE:
        op.execute(f"DROP TRIGGER {name}")
