"""How pages look, as the configuration says it: pictures, colours that can be read, other pages."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from pydantic import ValidationError

from incidentd.config.status_look import Brand, contrast
from incidentd.config.status_page import StatusPage

STYLE = Path(__file__).parents[2] / "incidentd" / "public" / "templates" / "style.css"
SVG = b'<?xml version="1.0"?>\n<!-- ours -->\n<svg xmlns="http://www.w3.org/2000/svg"/>'


@pytest.mark.parametrize(
    ("data", "media"),
    [
        (SVG, "image/svg+xml"),
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF1234WEBPVP8 ", "image/webp"),
    ],
)
def test_a_logo_is_read_once_and_known_by_what_is_in_it(tmp_path: Path, data: bytes, media: str) -> None:
    (tmp_path / "logo").write_bytes(data)
    page = StatusPage.model_validate({"brand": {"logo": str(tmp_path / "logo")}})
    logo = page.layout("http://x").look.logo
    assert logo is not None
    assert (logo.media, logo.data) == (media, data)
    assert page.model_dump(mode="json")["brand"]["logo"] == str(tmp_path / "logo")


@pytest.mark.parametrize(
    ("data", "why"), [(b"<html><svg>", "is no picture"), (SVG + b" " * 17_000, "is larger than 16 KiB")]
)
def test_what_is_no_small_picture_is_refused(tmp_path: Path, data: bytes, why: str) -> None:
    (tmp_path / "logo").write_bytes(data)
    with pytest.raises(ValidationError, match=why):
        Brand.model_validate({"logo": str(tmp_path / "logo")})


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def palettes() -> tuple[dict[str, str], dict[str, str]]:
    """Our colours on light and on dark screens, as the style sheet has them."""
    light, dark = re.findall(r":root\{(--bg[^}]*)\}", STYLE.read_text(encoding="utf-8"))
    found = [dict(re.findall(r"--(\w+):(#[0-9a-f]{3,6})\b", each)) for each in (light, dark)]
    whole = [
        {k: v if len(v) == 7 else "#" + "".join(c * 2 for c in v[1:]) for k, v in each.items()}
        for each in found
    ]
    return whole[0], whole[1]


@pytest.mark.parametrize("palette", palettes(), ids=["light", "dark"])
def test_every_colour_of_ours_can_be_read_on_everything_that_is_behind_it(palette: dict[str, str]) -> None:
    for behind, text in itertools.product(("bg", "card"), ("ink", "soft", "link", "o", "d", "p", "x", "m")):
        assert contrast(palette[text], palette[behind]) >= 4.5, (text, behind)
    for state in "odpxm":
        assert contrast(palette[state], palette["on"]) >= 4.5, state
    assert contrast(palette["n"], palette["card"]) >= 3


EYES = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
"""What eyes make of linear red, green and blue: Machado, Oliveira and Fernandes 2009, at full severity."""
XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
WHITE = (0.9505, 1.0, 1.089)
Triple = Sequence[float]


def times(matrix: Sequence[Triple], vector: Triple) -> list[float]:
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def lab(colour: str, eye: str) -> list[float]:
    """The colour in CIE L*a*b* as this eye sees it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    seen = [min(1.0, max(0.0, c)) for c in times(EYES[eye], linear)]
    x, y, z = [v / w for v, w in zip(times(XYZ, seen), WHITE, strict=True)]
    fx, fy, fz = [v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z)]
    return [116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)]


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("palette", palettes(), ids=["light", "dark"])
def test_whoever_is_blind_to_some_colours_still_tells_the_states_apart(
    palette: dict[str, str], eye: str
) -> None:
    for first, second in itertools.combinations("odpxm", 2):
        apart = math.dist(lab(palette[first], eye), lab(palette[second], eye))
        assert apart >= 10, (first, second, apart)


def test_another_page_takes_from_the_first_what_it_does_not_say_itself() -> None:
    page = StatusPage.model_validate(
        {
            "url": "https://status.example.com",
            "language": "de",
            "words": {"subscribe": "Folgen"},
            "brand": {"accent": "#0b5394", "home": "https://example.com"},
            "pages": {
                "inside": {"name": "Inside", "token": "t" * 20, "words": {"today": "jetzt"}},
                "partner": {
                    "name": "Partner",
                    "url": "https://p.example.com/",
                    "brand": {},
                    "language": "fr",
                },
            },
        }
    )
    sites = page.layout("http://127.0.0.1:8650").sites
    inside, partner = sites["inside"], sites["partner"]
    assert (inside.url, inside.look.private) == ("https://status.example.com/pages/inside", True)
    assert (inside.look.language, inside.look.accent) == ("de", "#0b5394")
    assert inside.look.words == {"subscribe": "Folgen", "today": "jetzt"}
    assert (partner.url, partner.look.private) == ("https://p.example.com", False)
    assert (partner.look.language, partner.look.accent, partner.look.home) == ("fr", "", "")


def test_the_texts_of_the_page_are_in_its_language_unless_they_are_given() -> None:
    page = StatusPage.model_validate({"language": "de", "texts": {"resolved": "Fertig."}})
    texts = page.layout("http://x").texts
    assert texts["investigating"].startswith("Wir untersuchen")
    assert texts["resolved"] == "Fertig."
