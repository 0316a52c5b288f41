"""Names that are accepted here, made of names that people gave elsewhere."""

from __future__ import annotations

import re
import unicodedata

from incidentd.fields import RESERVED_NAMES

_LENGTH = 63


class Names:
    """Slugs of one section: each given once."""

    def __init__(self, taken: frozenset[str] = RESERVED_NAMES) -> None:
        self._taken = set(taken)

    def slug(self, text: str, otherwise: str) -> str:
        """A slug like `text`, of its own; `otherwise` is taken where nothing of `text` can be kept."""
        plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
        return self._own(_trim(re.sub(r"[^a-z0-9_]+", "-", plain)) or _trim(otherwise.lower()) or "imported")

    def title(self, text: str, otherwise: str) -> str:
        """`text` cut to the length of a title, of its own."""
        return self._own(text.strip()[:_LENGTH].strip() or otherwise)

    def _own(self, name: str) -> str:
        found, number = name, 1
        while found in self._taken:
            number += 1
            found = f"{name[: _LENGTH - len(str(number)) - 1]}-{number}"
        self._taken.add(found)
        return found


def _trim(text: str) -> str:
    return text[:_LENGTH].strip("-_")
