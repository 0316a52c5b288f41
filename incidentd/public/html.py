"""The pages for people: HTML that is complete in itself. It needs no script, no second request and no other site."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Mapping
from datetime import date
from importlib.resources import files
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from incidentd.domain.status_page.page import Look, PublicEvent, PublicPage
from incidentd.public.shown import LEVEL_LETTERS
from incidentd.public.speech import speech_of
from incidentd.public.text import plain
from incidentd.public.views import Views

_SHAPES: Final = {
    "o": "M8 0a8 8 0 1 0 0 16A8 8 0 0 0 8 0Zm3.9 6.4-4.6 5a.9.9 0 0 1-1.3 0L4 9.3l1.3-1.2 1.3 1.4 4-4.3z",
    "m": "M15.6 3.7 13 6.3 9.9 6l-.3-3L12.2.4A4.5 4.5 0 0 0 6.3 6L.9 11.4a2.6 2.6 0 0 0 3.7 3.7L10 9.7a4.5 4.5 0 0 0"
    " 5.6-6z",
    "d": "M8 0a8 8 0 1 0 0 16A8 8 0 0 0 8 0Zm0 2v12A6 6 0 0 1 8 2Z",
    "p": "M8 .8 16 15H0Zm-1 5v4h2v-4Zm0 5v2h2v-2Z",
    "x": "M4.7 0h6.6L16 4.7v6.6L11.3 16H4.7L0 11.3V4.7Zm.6 4L4 5.3 6.7 8 4 10.7 5.3 12 8 9.3 10.7 12l1.3-1.3L9.3 8"
    " 12 5.3 10.7 4 8 6.7Z",
}
"""State -> its shape: check, wrench, half disc, triangle, octagon. Nobody has to tell colours apart."""
_COLOURS: Final = {"o": "#3b7d42", "m": "#273394", "d": "#634300", "p": "#ad5e00", "x": "#770931"}
"""Of the tab's icon, which has no dark side."""
_STYLE: Final = files("incidentd.public").joinpath("templates/style.css").read_text(encoding="utf-8")


def policy(look: Look) -> str:
    """The Content-Security-Policy of the pages: the one style sheet in them, and pictures that are part of them."""
    digest = base64.b64encode(hashlib.sha256(style(look).encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )


@functools.lru_cache(maxsize=32)
def _styled(accent: str, accent_dark: str) -> str:
    own = f":root{{--link:{accent}}}" if accent else ""
    dark = f"@media(prefers-color-scheme:dark){{:root{{--link:{accent_dark}}}}}" if accent_dark else ""
    return re.sub(r"\n\s*", "", _STYLE) + own + dark


def style(look: Look) -> str:
    """The style sheet of a page."""
    return _styled(look.accent, look.accent_dark)


def home(page: PublicPage) -> bytes:
    """The page."""
    views = _views(page)
    speech = views.speech
    sections = views.sections
    return _rendered(
        "home.html",
        views,
        letter=LEVEL_LETTERS[page.indicator],
        open_incidents=[views.event(event) for event in page.incidents if not event.over],
        planned=[views.event(event, newest=3) for event in reversed(page.maintenances) if not event.over],
        sections=sections,
        shows_uptime=any([view.uptime for _, members in sections for view in members]),
        rule=speech.say("rule", partial=speech.percent(100 * page.partial_weight, digits=0)),
        past=views.past,
    )


def event(page: PublicPage, known: PublicEvent) -> bytes:
    """The page of one incident or maintenance, for good."""
    views = _views(page)
    return _rendered("event.html", views, view=views.event(known))


def months(page: PublicPage) -> Mapping[str, tuple[PublicEvent, ...]]:
    """Month -> its events, the newest first."""
    return _views(page).months


def history(page: PublicPage, month: str) -> bytes:
    """The page of one month of `months`."""
    views = _views(page)
    speech = views.speech
    named = {key: speech.month(date.fromisoformat(f"{key}-01")) for key in views.months}
    return _rendered(
        "history.html",
        views,
        title=speech.say("history_title", month=named[month]),
        month=month,
        months=list(named.items()),
        events=[views.event(each, newest=1) for each in views.months[month]],
    )


def frame(page: PublicPage, title: str, body: Markup, home: str) -> bytes:
    """A page that has something else on it, such as a form; `body` is HTML, and `home` where the page itself is."""
    return _rendered("frame.html", _views(page), title=title, body=body, home=home)


def _views(page: PublicPage) -> Views:
    return Views(page, speech_of(page))


def _rendered(template: str, views: Views, **values: Any) -> bytes:  # noqa: ANN401 - whatever it shows
    page, speech = views.page, views.speech
    state = speech.state(page)
    text = _environment().get_template(template).render(
        page=page,
        speech=speech,
        say=speech.say,
        base=views.base,
        state=state,
        description=speech.say("page_description", page=page.name, state=state),
        made=views.moment(page.at),
        favicon=_favicon(LEVEL_LETTERS[page.indicator]),
        logo=_logo(page.look),
        # Ours, or checked as a colour: nothing of it needs escaping, and a style sheet must not be.
        style=Markup(style(page.look)),  # noqa: S704
        shapes=_shapes(),
        **values,
    )  # fmt: skip
    # What XML may not hold has no place in HTML either, whoever wrote it.
    return plain(text).encode()


@functools.cache
def _shapes() -> Markup:
    # Constants of this file.
    drawn = [f'<path id="{letter}" fill="currentColor" d="{shape}"/>' for letter, shape in _SHAPES.items()]
    return Markup("".join(drawn))  # noqa: S704


def _favicon(letter: str) -> str:
    shape = f"<path fill='{_COLOURS[letter]}' d='{_SHAPES[letter]}'/>"
    svg = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>{shape}</svg>"
    # Spaces too: browsers forgive them, the standard does not.
    return "data:image/svg+xml," + quote(svg, safe="=:/'")


def _logo(look: Look) -> str:
    if look.logo is None:
        return ""
    return f"data:{look.logo.media};base64,{base64.b64encode(look.logo.data).decode()}"


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("incidentd.public"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
