"""Passwords: hashed with Argon2id, which takes a tenth of a second and 64 MiB on purpose. Call it in a thread."""

from __future__ import annotations

import functools
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER: Final = PasswordHasher()


def hashed(password: str) -> str:
    """What is stored of a password."""
    return _HASHER.hash(password.encode("utf-8", "surrogateescape"))


def matches(stored: str | None, password: str) -> bool:
    """True if it is the password. Without anything stored it takes as long, and is wrong."""
    try:
        _HASHER.verify(stored or _nobody(), password.encode("utf-8", "surrogateescape"))
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


def outdated(stored: str) -> bool:
    """True if today's parameters are others than when it was hashed."""
    return _HASHER.check_needs_rehash(stored)


@functools.cache
def _nobody() -> str:
    """The hash of no password that anybody knows: whether an account exists must not show in the time it takes."""
    return _HASHER.hash("nobody")
