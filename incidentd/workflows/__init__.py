"""USE CASES: one function is one transaction: state, timeline, audit and outbox together.

Lives here: what happens when alerts arrive, when a person acts, when a report is asked for.
May import: `config`, `ingest`, `store`, `channels`, `domain` and the leaves.
Must not: send anything (it writes an outbox row instead), know about HTTP, or repeat a rule of the domain.
"""
