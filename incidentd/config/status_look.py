"""`status_page.brand` and `status_page.pages`: how pages look, and several of them from one daemon."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema

from incidentd.config.access import LongSecret
from incidentd.config.section import Section
from incidentd.domain.status_page import page
from incidentd.domain.status_page.layout import MAIN, Site, check_text, public_id
from incidentd.fields import BaseUrl, HttpUrl, Slug
from incidentd.public.languages import en

_MOST_LOGO: Final = 16 * 1024
_LEAST_CONTRAST: Final = 4.5
"""WCAG 2.2 AA for text."""
_DIM: Final = 0.04045
"""sRGB is linear below it."""
_LIGHT: Final = ("#ffffff", "#f6f8fa")
_DARK: Final = ("#0f1419", "#161b22")
"""What stands behind links, in `public/templates/style.css`."""
_PICTURES: Final = (
    (rb"\x89PNG\r\n\x1a\n", "image/png"),
    (rb"\xff\xd8\xff", "image/jpeg"),
    (rb"RIFF....WEBP", "image/webp"),
    (rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<svg[\s>]", "image/svg+xml"),
)


@dataclass(frozen=True, slots=True)
class Picture:
    """A file that was read."""

    path: str
    logo: page.Logo


def _picture(value: object) -> Picture:
    if isinstance(value, Picture):
        return value
    if not isinstance(value, str) or not value:
        raise ValueError("is not a file; accepted: the path of an SVG, PNG, JPEG or WebP picture")
    try:
        with Path(value).open("rb") as file:
            data = file.read(_MOST_LOGO + 1)
    except OSError as refused:
        raise ValueError(f"{value} cannot be read: {refused.strerror}") from None
    if len(data) > _MOST_LOGO:
        raise ValueError(f"{value} is larger than 16 KiB; it is part of every page, so make it smaller")
    media = next((kind for start, kind in _PICTURES if re.match(start, data, re.DOTALL)), None)
    if media is None:
        raise ValueError(f"{value} is no picture; accepted: SVG, PNG, JPEG or WebP")
    return Picture(value, page.Logo(media, data))


def contrast(first: str, second: str) -> float:
    """The contrast of two colours by WCAG 2.2, from 1 to 21."""
    lighter, darker = sorted([_luminance(first), _luminance(second)], reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = [c / 12.92 if c <= _DIM else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _readable(colour: str, behind: tuple[str, ...], where: str) -> str:
    if not re.fullmatch("#[0-9a-fA-F]{6}", colour):
        raise ValueError("is not a colour; accepted: # and six hexadecimal digits, such as #0b5394")
    found = min([contrast(colour, each) for each in behind])
    if found < _LEAST_CONTRAST:
        raise ValueError(
            f"has a contrast of {found:.1f} on the page's {where} background; accepted: "
            f"{_LEAST_CONTRAST} or more, so that everybody can read it"
        )
    return colour.lower()


_Colour = Annotated[str, AfterValidator(lambda colour: _readable(colour, _LIGHT, "light"))]
_DarkColour = Annotated[str, AfterValidator(lambda colour: _readable(colour, _DARK, "dark"))]
_Picture = Annotated[
    Picture,
    PlainValidator(_picture),
    PlainSerializer(lambda picture: picture.path, return_type=str),
    WithJsonSchema({"type": "string", "minLength": 1}),
]


class Brand(Section):
    """What makes a page yours; not the colours of states, which are chosen so that everybody can tell them apart."""

    logo: _Picture | None = None
    """A picture in the place of the name: SVG, PNG, JPEG or WebP, at most 16 KiB, relative to the working directory.
    It becomes part of the page."""
    home: HttpUrl | None = None
    """Where the logo or name leads, such as your own site; without one, to the page."""
    accent: _Colour | None = None
    """Colour of links and buttons, such as `#0b5394`; refused if it is hard to read."""
    accent_dark: _DarkColour | None = None
    """The same for those whose screen is dark."""

    def look(self, language: str, words: Mapping[str, str]) -> page.Look:
        """The same for the domain."""
        return page.Look(
            language=language,
            words=words,
            accent=self.accent or "",
            accent_dark=self.accent_dark or "",
            logo=None if self.logo is None else self.logo.logo,
            home=self.home or "",
        )


def _language(tag: str) -> str:
    if not re.fullmatch("[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", tag):
        raise ValueError("is not a language; accepted: a tag such as en, de, fr, es or pt-BR")
    return tag


def _words(given: Mapping[str, str]) -> Mapping[str, str]:
    for key, text in given.items():
        known = en.WORDS.get(key)
        if known is None:
            near = get_close_matches(key, en.WORDS, 1)
            hint = f"; did you mean {near[0]!r}?" if near else "; accepted: see docs/status-page.md"
            raise ValueError(f"{key} is not known{hint}")
        try:
            check_text(text, {name for _, name, _, _ in string.Formatter().parse(known) if name})
        except ValueError as wrong:
            raise ValueError(f"{key}: {wrong}") from None
    return given


PageWords = Annotated[Mapping[str, str], AfterValidator(_words)]
"""Key -> text of the pages for people."""
Language = Annotated[str, AfterValidator(_language)]
"""A BCP 47 tag."""


class Page(Section):
    """Another page, at `/pages/KEY` of the first one's address."""

    name: str = Field(min_length=1)
    """Title of the page."""
    token: LongSecret | None = None
    """Who wants to read it must give this, as Bearer token or as the password of a browser's question, or a token with
    scope `read`. Without one everybody can."""
    url: BaseUrl | None = None
    """Its own address: requests for that host are answered with this page, below `/`."""
    language: Language | None = None
    """As on the first page."""
    words: PageWords = {}  # noqa: RUF012 - pydantic copies it
    """As on the first page, which this adds to."""
    brand: Brand | None = None
    """Without one, the first page's."""

    def site(self, key: str, url: str, base: page.Look) -> Site:
        """The same for the domain; `url` and `base` are the first page's."""
        brand = self.brand
        own = base if brand is None else brand.look(base.language, base.words)
        look = page.Look(
            language=self.language or base.language,
            words={**base.words, **self.words},
            accent=own.accent,
            accent_dark=own.accent_dark,
            logo=own.logo,
            home=own.home,
            private=self.token is not None,
        )
        return Site(public_id("page", key, self.name), self.name, self.url or f"{url}/pages/{key}", look)


def _unreserved(pages: Mapping[str, Page]) -> Mapping[str, Page]:
    if MAIN in pages:
        raise ValueError(f"{MAIN} is the first page itself; accepted: any other name")
    return pages


Pages = Annotated[Mapping[Slug, Page], AfterValidator(_unreserved)]
"""Key -> page."""
