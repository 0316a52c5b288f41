"""The words of the page for people: one module a language, each with the same keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from incidentd.public.languages import de, en, es, fr

LANGUAGES: Final[Mapping[str, Mapping[str, str]]] = {
    "en": en.WORDS,
    "de": de.WORDS,
    "fr": fr.WORDS,
    "es": es.WORDS,
}
"""Language -> key -> text."""
RIGHT_TO_LEFT: Final = frozenset({"ar", "fa", "he", "ps", "ur", "yi"})
"""Languages that are written from right to left; their words come from the configuration."""
