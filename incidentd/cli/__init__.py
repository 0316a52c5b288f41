"""COMMANDS: `incidentd`, the daemon and its tools, and `incidentctl`, which talks to the HTTP API only.

Lives here: arguments, exit codes, and output for people (tables) and machines (`--json`).
May import: everything; at module level only click and the standard library, so that `--help` is quick.
Must not: hold a rule or a query. A command calls what the daemon calls.
"""
