"""FIGURES SHOWN: what the API answers as CSV, Markdown, a stand-alone page, and drawings. Pure, no I/O.

Everything that comes from outside is escaped here; both the daemon and the command line use it.
"""
