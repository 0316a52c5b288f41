"""What can be wrong with a bundle, and the parts of it that stand elsewhere too."""

from __future__ import annotations

import enum
import re
from typing import Final

from incidentd.audit.chain import VERSION
from incidentd.audit.checkpoint import Checkpoint

_HASH: Final = re.compile(r"[0-9a-f]{64}")
_HEX: Final = re.compile(r"(?:[0-9a-f]{2}){1,1024}")
_CHECKPOINT: Final = {"v", "seq", "hash", "ts", "key", "signature"}


class Fault(enum.StrEnum):
    """What is wrong with a bundle."""

    MALFORMED = "malformed"
    """A line is not as the format has it."""
    ALTERED = "altered"
    """An entry, or what is told beside it, is not what was hashed."""
    MISSING = "missing"
    """Entries are not there: removed, or in another place."""
    REPEATED = "repeated"
    """An entry comes again or too late: inserted, or moved."""
    FORKED = "forked"
    """The chain goes on from another entry than the one before, or a signed head says another hash."""
    TRUNCATED = "truncated"
    """The file ends before its end, or the chain ends before an outside head."""
    BAD_SIGNATURE = "bad_signature"
    WRONG_KEY = "wrong_key"
    """Signed by another key than the one that was asked for."""


class BrokenError(Exception):
    """The bundle proves nothing from here on."""

    def __init__(self, fault: Fault, seq: int | None, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault
        self.seq = seq
        """The first entry that is broken; None if that is said of the file as a whole."""
        self.detail = detail


def checkpoint_of(content: object, behind: int) -> Checkpoint:
    """A checkpoint's document, checked for its form. Raises `BrokenError`; `behind` is the entry before it."""
    try:
        if not isinstance(content, dict) or content.keys() != _CHECKPOINT or content["v"] != VERSION:
            raise TypeError  # noqa: TRY301 - told like every other way to be wrong
        found = Checkpoint(
            content["seq"],
            hash_text(content["hash"]),
            content["ts"],
            hash_text(content["key"]),
            content["signature"],
        )
        unhex(found.signature)
        if type(found.seq) is not int or type(found.ts) is not str:
            raise TypeError  # noqa: TRY301 - as above
    except (KeyError, TypeError, ValueError):
        text = f"the checkpoint behind entry {behind} is not as the format has it"
        raise BrokenError(Fault.MALFORMED, behind + 1, text) from None
    return found


def hash_text(text: str) -> str:
    """`text`, if it is a hash. Raises ValueError or TypeError."""
    if not _HASH.fullmatch(text):
        raise ValueError("a hash is 64 hexadecimal digits in lower case")
    return text


def unhex(text: str) -> bytes:
    """The bytes. Raises ValueError or TypeError."""
    if not _HEX.fullmatch(text):
        raise ValueError("bytes are written in hexadecimal digits in lower case")
    return bytes.fromhex(text)
