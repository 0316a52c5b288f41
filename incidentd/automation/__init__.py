"""AUTOMATION: what a machine does in a step, one file for each kind that leaves the daemon.

Lives here: asking an HTTP server, asking a Prometheus, running a command under a supervisor.
May import: `sources`, `config`, `channels` (the HTTP client), `domain`.
Must not: decide whether something may run, or touch the store: whoever calls has done the one and will do the other.
"""
