"""Passwords: hashed with Argon2id, which takes a tenth of a second and 64 MiB on purpose. Call it in a thread."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError


class Passwords:
    """Makes and checks what is stored of passwords."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._nobodys = ""

    def hashed(self, password: str) -> str:
        """What is stored of a password."""
        return self._hasher.hash(_bytes(password))

    def matches(self, stored: str | None, password: str) -> bool:
        """True if it is the password. Without anything stored as much is done, and it is wrong."""
        # Made by whoever comes first, known or not: else the first stranger would take longer than the others.
        nobodys = self._nobodys = self._nobodys or self._hasher.hash("nobody")
        try:
            self._hasher.verify(stored or nobodys, _bytes(password))
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None

    def outdated(self, stored: str) -> bool:
        """True if today's parameters are others than when it was hashed."""
        return self._hasher.check_needs_rehash(stored)


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogateescape")
