"""Which passwords are good enough: long, and not made of what a guesser tries first. Nothing else is asked of them.

Length is what counts against guessing; rules about kinds of characters only make people write passwords down
(NIST SP 800-63B, section 3.1.1.2).
"""

from __future__ import annotations

import re
from typing import Final

SHORTEST: Final = 15
"""Characters."""
LONGEST: Final = 256
"""Characters. Hashing time grows with the length."""
_DIFFERENT: Final = 6
"""Characters that have to differ from each other."""
_CONTEXT: Final = (
    "incidentd",
    "password",
    "passwort",
    "welcome",
    "changeme",
    "letmein",
    "qwerty",
    "qwertz",
    "admin",
)
_ROWS: Final = (
    "abcdefghijklmnopqrstuvwxyz",
    "0123456789",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
)
_RUN: Final = 4
_WORD: Final = 3
"""Letters of a piece of the name that count."""


def fault(password: str, name: str) -> str | None:
    """What is wrong with a password for the account `name`; None if nothing is."""
    if len(password) < SHORTEST:
        return f"is too short; accepted: at least {SHORTEST} characters, such as four random words"
    if len(password) > LONGEST:
        return f"is too long; accepted: at most {LONGEST} characters"
    bare = password.lower()
    if len(set(bare)) < _DIFFERENT:
        return f"repeats itself; accepted: at least {_DIFFERENT} different characters"
    rest = _without_runs(bare)
    for word in (*_CONTEXT, *[part for part in re.split(r"[^a-z0-9]+", name.lower()) if len(part) >= _WORD]):
        rest = rest.replace(word, "")
    if len(re.sub(r"[^a-z]", "", rest)) + len(set(re.sub(r"[a-z]", "", rest))) < SHORTEST // 2:
        return "is easy to guess: it is made of names, rows of keys and common words; accepted: other words"
    return None


def _without_runs(text: str) -> str:
    """The text without pieces of alphabets and rows of keys, forwards and backwards."""
    for row in (*_ROWS, *[row[::-1] for row in _ROWS]):
        for length in range(len(row), _RUN - 1, -1):
            for start in range(len(row) - length + 1):
                text = text.replace(row[start : start + length], "")
    return text
