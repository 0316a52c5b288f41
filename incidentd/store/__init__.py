"""PERSISTENCE: the only place that knows SQL; the same behaviour on SQLite and on PostgreSQL.

Lives here: tables, migrations, units of work, and the mapping between rows and the domain's frozen values.
May import: `domain`, the leaves, SQLAlchemy, Alembic and the database drivers.
Must not: decide anything, hold a transaction open over I/O, or let a row object leave this package.
"""
