"""RULES: what an alert, an incident and a notification are, and what follows from what.

Lives here: frozen values in, decisions with their reason out, and the one table of state transitions.
May import: the standard library, `re2`, and other modules of this package.
Must not: wait, do I/O, read a clock, draw a random number or validate input. An instant is an argument.
"""
