"""RUNBOOK FILES: Markdown with front matter to `domain.runbook`, and back to harmless HTML.

Lives here: the format, precise errors, the folder that is read again when it changes.
May import: `config` (YAML with lines, field types), `domain`.
Must not: touch the store, or run anything. A broken file never reaches intake: the last good version stays in force.
"""
