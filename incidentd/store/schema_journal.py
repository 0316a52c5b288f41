"""The table of the journal: what senders posted, kept for a while so that it can be replayed."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table

from incidentd.store.schema_base import ID, MICROS, metadata

journal = Table(
    "journal",
    metadata,
    Column("id", ID, primary_key=True),
    Column("first_at", MICROS, nullable=False, comment="when the first body of the frame came"),
    Column("last_at", MICROS, nullable=False, comment="when the last one came"),
    Column("bodies", Integer, nullable=False),
    Column("size", BigInteger, nullable=False, comment="bytes of the frame"),
    Column("frame", LargeBinary, nullable=False, comment="zlib: a line of JSON and the body, for each"),
    comment="webhook bodies, without any header",
    sqlite_autoincrement=True,
)
# Both columns: how much there is, and what is old, are answered without touching a frame.
Index("ix_journal_last_at_size", journal.c.last_at, journal.c.size)
