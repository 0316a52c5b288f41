"""`audit`: the key that signs the audit log, and where its heads are kept beside the database."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from incidentd.config.section import PositiveDuration, Section
from incidentd.fields import Secret, SecretUrl, Slug


def _key(value: SecretStr) -> SecretStr:
    # Only who configures a key pays for loading the library.
    from incidentd.audit.keys import SigningKey  # noqa: PLC0415

    SigningKey.of_pem(value.get_secret_value().encode())
    return value


class Anchor(Section):
    """Places out of the database's reach that keep the newest signed heads of the audit log: whoever rewrites or cuts
    the log cannot change them there.
    """

    file: Path | None = None
    """A file to append each head to, one JSON object a line; best on another machine's or an append-only disk."""
    webhook: SecretUrl | None = None
    """An address to POST the newest head to, as JSON; any answer of 2xx is a receipt. It is held like a secret:
    receivers put their tokens into it."""
    email: Slug | None = None
    """The e-mail channel whose mailboxes get the newest head."""
    every: PositiveDuration = timedelta(hours=1)
    """How often `webhook` and `email` are told at most, if the head has moved; `file` gets every one."""


class Audit(Section):
    """The log of who changed what: a chain of hashes with signed heads, see the audit format."""

    key: Annotated[Secret, AfterValidator(_key)] | None = None
    """The private key that signs, as PEM (PKCS#8, unencrypted): Ed25519, or RSA of at least 3072 bits for RSASSA-PSS.
    Absent: one is made at the first start and kept in `key_file`. Another key than before is noted as a rotation."""
    previous_key: Annotated[Secret, AfterValidator(_key)] | None = None
    """The private key before this one, for the first start after a rotation: it vouches for the new one, so that
    whoever trusts the old one can trust the new one. Take it out again afterwards."""
    key_file: Path | None = None
    """Where the key is kept that was made at the first start. Absent: `audit-key.pem` beside the SQLite file, or in
    `data/` with PostgreSQL."""
    head_file: Path | None = None
    """Where the newest signed head is kept, so that a log which was rewritten or cut is not signed after a restart
    either. Absent: `audit-head.json` beside `key_file`. Replicas may share it or have one each."""
    algorithm: Literal["ed25519", "rsa-pss"] = "ed25519"
    """Of the key that is made at the first start."""
    anchor: Anchor = Field(default=Anchor())
    """Where heads are kept beside the database."""
