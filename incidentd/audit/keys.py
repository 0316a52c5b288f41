"""Keys that sign checkpoints and bundles: Ed25519, or RSASSA-PSS where a policy asks for RSA."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

Algorithm = Literal["ed25519", "rsa-pss"]
RSA_BITS: Final = 3072
_PSS = padding.PSS(padding.MGF1(hashes.SHA256()), salt_length=hashes.SHA256.digest_size)
_ACCEPTED = f"accepted: an unencrypted PEM (PKCS#8) key, Ed25519 or RSA of at least {RSA_BITS} bits"


class KeyRefusedError(ValueError):
    """No key that can be used; the message says what is accepted, and nothing of the key."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What signatures are checked with."""

    der: bytes
    """SubjectPublicKeyInfo."""
    _key: ed25519.Ed25519PublicKey | rsa.RSAPublicKey = field(repr=False, compare=False)

    @classmethod
    def of_der(cls, der: bytes) -> PublicKey:
        """Raises `KeyRefusedError`, also for one that is spelt in another way than DER allows."""
        try:
            key = serialization.load_der_public_key(der)
        except (ValueError, UnsupportedAlgorithm):
            raise KeyRefusedError("it is no public key") from None
        found = cls._of(key)
        if found.der != der:
            raise KeyRefusedError("it is no canonical DER")
        return found

    @classmethod
    def of_pem(cls, pem: bytes) -> PublicKey:
        """Raises `KeyRefusedError`."""
        try:
            return cls._of(serialization.load_pem_public_key(pem))
        except (ValueError, UnsupportedAlgorithm):
            raise KeyRefusedError("it is no public key in PEM") from None

    @classmethod
    def _of(cls, key: object) -> PublicKey:
        if not isinstance(key, ed25519.Ed25519PublicKey | rsa.RSAPublicKey):
            raise KeyRefusedError(_ACCEPTED)
        if isinstance(key, rsa.RSAPublicKey) and key.key_size < RSA_BITS:
            raise KeyRefusedError(_ACCEPTED)
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return cls(key.public_bytes(serialization.Encoding.DER, form), key)

    @property
    def id(self) -> str:
        """SHA-256 of the DER, hexadecimal: how checkpoints and bundles name the key."""
        return hashlib.sha256(self.der).hexdigest()

    @property
    def algorithm(self) -> Algorithm:
        """How it signs."""
        return "ed25519" if isinstance(self._key, ed25519.Ed25519PublicKey) else "rsa-pss"

    @property
    def pem(self) -> str:
        """The same as text, for `--public-key`."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self._key.public_bytes(serialization.Encoding.PEM, form).decode()

    def verifies(self, signature: bytes, content: bytes) -> bool:
        """True if `signature` is this key's over `content`."""
        try:
            if isinstance(self._key, ed25519.Ed25519PublicKey):
                self._key.verify(signature, content)
            else:
                self._key.verify(signature, content, _PSS, hashes.SHA256())
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The secret half. It never leaves this value, and `repr` does not show it."""

    public: PublicKey
    _key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey = field(repr=False, compare=False)

    @classmethod
    def of_pem(cls, pem: bytes) -> SigningKey:
        """Raises `KeyRefusedError`."""
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise KeyRefusedError(f"it is no key that can be read; {_ACCEPTED}") from None
        if not isinstance(key, ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey):
            raise KeyRefusedError(_ACCEPTED)
        return cls(PublicKey._of(key.public_key()), key)  # noqa: SLF001 - its own half

    @classmethod
    def new(cls, algorithm: Algorithm = "ed25519") -> SigningKey:
        """A new random key."""
        if algorithm == "ed25519":
            key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey = ed25519.Ed25519PrivateKey.generate()
        else:
            key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
        return cls(PublicKey._of(key.public_key()), key)  # noqa: SLF001 - its own half

    def sign(self, content: bytes) -> bytes:
        """The signature over `content`."""
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return self._key.sign(content)
        return self._key.sign(content, _PSS, hashes.SHA256())

    def pem(self) -> bytes:
        """The secret itself, for its file."""
        return self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def kept(path: Path, algorithm: Algorithm) -> tuple[SigningKey, bool]:
    """The key in the file at `path`; one is made (readable by its owner alone) if there is none: then True beside it.

    Raises `KeyRefusedError` if the file holds no key, OSError if it can be neither read nor made.
    """
    try:
        return SigningKey.of_pem(path.read_bytes()), False
    except FileNotFoundError:
        key = SigningKey.new(algorithm)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    unfinished.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key.pem())
            file.flush()
            os.fsync(file.fileno())
        # A link, not a rename: of two that start at once the second finds the first one's key.
        os.link(unfinished, path)
    except FileExistsError:
        return SigningKey.of_pem(path.read_bytes()), False
    finally:
        unfinished.unlink(missing_ok=True)
    return key, True
