"""CLOCKWORK: what happens because time passes; the only place that knows the scheduler.

Lives here: a table of name, interval and workflow, and the ticking of it.
May import: `workflows`, `delivery`, everything below them, and APScheduler.
Must not: hold state of its own. What is due stands in the database, so any replica can do it after a restart.
"""
