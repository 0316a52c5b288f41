"""WHAT THE DAEMON TELLS OF ITSELF: its log, its traces, its errors, and where they go.

Lives here: what knows OpenTelemetry and Sentry, each imported only when the configuration asks for it.
May import: `config`, `log`, `masking`, `tracing`.
Must not: make anything wait for a collector, raise into the work it tells of, or let a secret out.
"""
