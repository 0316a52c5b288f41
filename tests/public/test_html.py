"""The pages for people, as documents: complete in themselves, light, sound, and in four languages."""

from __future__ import annotations

import base64
import hashlib
import re
import string
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from incidentd.domain.status_page.page import Logo, Look, PublicPage
from incidentd.domain.status_page.words import Status
from incidentd.public import documents, html
from incidentd.public.languages import LANGUAGES, en
from tests.public.scenes import NOW, OUTAGE, PARTS, SCENES, SOLVED, incident, outage, page, sixty, twenty

VOID = {"meta", "link", "br", "img", "input", "path", "use", "hr"}


class Sound(HTMLParser):
    """Reads a page as strictly as we can without a browser: what it finds wrong is in `faults`."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.used: list[str] = []
        self.levels: list[int] = []
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.faults += [f"{tag}: {name}" for name in given if name == "style" or name.startswith("on")]
        self.faults += [f"{tag} twice the same"] if len(given) != len(attrs) else []
        self.faults += [tag] if tag in {"script", "iframe", "object", "embed", "base"} else []
        self.ids += [value for name, value in attrs if name == "id" and value]
        target = given.get("href") or given.get("src") or ""
        self.used += [target[1:]] if target.startswith("#") else []
        if tag in {"img", "link"} and target.startswith("http"):
            self.faults.append(f"{tag} asks another host: {target}")
        if tag == "img" and not given.get("alt"):
            self.faults.append("a picture without words")
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> ends nothing")


def faults(document: bytes) -> list[str]:
    """What is wrong with a page."""
    sound = Sound()
    sound.feed(document.decode())
    found = sound.faults + [f"<{tag}> is open" for tag in sound.open]
    found += [f"id {each} twice" for each in set(sound.ids) if sound.ids.count(each) > 1]
    found += [f"#{each} leads nowhere" for each in sound.used if each not in sound.ids]
    steps = zip(sound.levels, sound.levels[1:], strict=False)
    found += ["headings skip a level" for before, after in steps if after > before + 1]
    return found + ([] if sound.levels.count(1) == 1 and sound.levels[0] == 1 else ["not one h1"])


@pytest.mark.parametrize("scene", SCENES)
def test_every_page_of_every_scene_is_sound(scene: str) -> None:
    tree = documents.render(SCENES[scene]())
    pages = [path for path in tree if tree[path].media == documents.HTML]
    assert {path: found for path in pages if (found := faults(tree[path].body))} == {}


def test_twenty_components_over_ninety_days_weigh_less_than_ten_kibibytes() -> None:
    home = documents.render(twenty())["/"]
    assert home.packed is not None
    assert len(home.packed) <= 10 * 1024
    assert len(home.body) <= 64 * 1024
    assert home.body.index(b"<h1>") < 14 * 1024


def test_the_whole_page_is_rendered_within_fifty_milliseconds() -> None:
    shown = twenty()
    documents.render(shown)  # the templates are compiled once
    took = []
    for _ in range(5):
        began = time.process_time()
        documents.render(shown)
        took.append(time.process_time() - began)
    assert min(took) < 0.05


def test_the_policy_allows_this_style_sheet_and_nothing_else() -> None:
    shown = replace(page(), look=Look(accent="#0b5394", accent_dark="#79b8ff"))
    home = documents.render(shown)["/"]
    [style] = re.findall(rb"<style>(.*?)</style>", home.body, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in home.policy
    assert home.policy.startswith("default-src 'none'; ")
    assert b"--link:#0b5394" in style


def test_the_state_stands_in_title_heading_description_and_icon() -> None:
    text = html.home(page(outage())).decode()
    assert "<title>Acme Cloud: Partial System Outage</title>" in text
    assert "<h1>Partial System Outage</h1>" in text
    assert 'content="Acme Cloud: Partial System Outage.' in text
    assert "data:image/svg+xml,%3Csvg" in text
    assert 'role="status"' in text


def test_a_state_is_a_word_a_shape_and_a_colour() -> None:
    text = html.home(page(outage())).decode()
    assert re.search(r'<span class="state x"><svg[^>]*><use href="#x"/></svg>Major outage</span>', text)
    shapes = re.findall(r'<path id="([odpxm])" fill="currentColor" d="([^"]+)"/>', text)
    assert len({drawn for _, drawn in shapes}) == 5


def test_bars_tell_who_does_not_see_them_the_same_and_list_the_bad_days() -> None:
    text = html.home(page(outage())).decode()
    label = r'role="img" aria-label="Last 90 days: 99\.\d\d% uptime, \d+ days with events"'
    assert len(re.findall(label, text)) >= 3
    assert "<summary>" in text
    assert re.search(r"<li>\w{3} \d+: (Major|Partial|Degraded|Under)[^<]+", text)


def test_days_without_data_are_hollow_and_said_to_be_so() -> None:
    text = html.home(page(history=3)).decode()
    assert "100% uptime (data of 3 days)" in text
    assert '<path class="n" stroke-width="34" d="M0 17h347"/>' in text
    assert "No uptime data yet" in html.home(page(history=0)).decode()


def test_an_overdue_update_is_visible() -> None:
    late = incident(
        "inc000000009", "Slow", timedelta(hours=2), OUTAGE, {"api": Status.PARTIAL},
        next_update_at=NOW - timedelta(minutes=5),
    )  # fmt: skip
    assert '<span class="overdue">overdue</span>' in html.home(page(late)).decode()
    assert "overdue</span>" not in html.home(page(outage())).decode()


def test_maintenance_is_told_in_both_zones_and_can_be_put_into_a_calendar() -> None:
    text = html.home(SCENES["maintenance and outage"]()).decode()
    assert "Nov 22, 2026, 15:30 CET</time> (14:30 UTC)" in text
    assert 'href="/maintenance/mnt000000002.ics"' in text


def test_quiet_days_stand_in_one_line() -> None:
    said = incident("inc000000009", "Slow", timedelta(days=5), SOLVED, {"api": Status.PARTIAL})
    text = html.home(page(said)).decode()
    days = re.findall(r'<div class="day"><h3>([^<]+)</h3>', text)
    assert days == [
        "November 16, 2026 to November 20, 2026",
        "November 15, 2026",
        "November 7, 2026 to November 14, 2026",
    ]


def test_a_month_shows_its_incidents_and_leads_to_the_others() -> None:
    tree = documents.render(sixty())
    months = [path for path in tree if path.startswith("/history/")]
    assert months == ["/history/2026-11", "/history/2026-10", "/history/2026-09"]
    november = tree["/history/2026-11"].body.decode()
    assert "<h1>Incident history: November 2026</h1>" in november
    assert '<a href="/history/2026-10">October 2026</a>' in november
    assert 'aria-current="page">November 2026</a>' in november
    assert "Incident 1<" in november
    assert "Incident 59<" not in november


def test_the_end_of_a_day_is_that_of_the_pages_zone() -> None:
    late = incident("inc000000009", "Slow", NOW - datetime(2026, 10, 31, 23, 30, tzinfo=UTC), SOLVED)
    assert "/history/2026-10" not in documents.render(page(late))
    assert "/history/2026-10" in documents.render(page(late, time_zone="Etc/UTC"))


def test_a_postmortem_has_a_section_of_its_own() -> None:
    text = documents.render(SCENES["postmortem"]())["/incidents/inc000000003"].body.decode()
    assert '<section class="postmortem"><h2>Postmortem</h2>' in text
    assert "The disk was full.<br><br>It is watched now." in text


def test_what_only_shows_if_degraded_is_left_out_of_the_page_and_stays_in_the_documents() -> None:
    parts = (replace(PARTS[0], only_show_if_degraded=True), PARTS[3])
    tree = documents.render(page(parts=parts))
    assert b"<h4>API</h4>" not in tree["/"].body
    assert b'"name":"API"' in tree["/api/v2/components.json"].body
    assert b"<h4>API</h4>" in documents.render(page(outage(), parts=parts))["/"].body


def test_a_page_below_a_path_stays_there() -> None:
    text = html.home(page(outage(), url="https://acme.example/status")).decode()
    links = re.findall(r'href="(/[^"]*)"', text)
    assert links
    assert all(link.startswith("/status/") for link in links)


def test_a_private_page_tells_search_engines_to_stay_away() -> None:
    tree = documents.render(replace(page(), look=Look(private=True)))
    assert b'<meta name="robots" content="noindex, nofollow">' in tree["/"].body
    assert b"/feed subscribe" not in tree["/"].body
    assert {tree[path].cache_control for path in tree} == {"private, max-age=10"}


def test_a_logo_is_part_of_the_page() -> None:
    shown = replace(page(), look=Look(logo=Logo("image/png", b"\x89PNG"), home="https://acme.example"))
    text = html.home(shown).decode()
    assert (
        '<a class="brand" href="https://acme.example"><img src="data:image/png;base64,iVBORw==" alt="Acme Cloud">'
        in text
    )
    assert faults(text.encode()) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_text_with_the_same_gaps(language: str) -> None:
    words = LANGUAGES[language]
    assert words.keys() == en.WORDS.keys()
    for key, text in words.items():
        gaps = {name for _, name, _, _ in string.Formatter().parse(text) if name}
        assert gaps <= {name for _, name, _, _ in string.Formatter().parse(en.WORDS[key]) if name}, key
    assert len(words["months_long"].split()) == len(words["months_short"].split()) == 12


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("de", ["Teilausfall", "20. November 2026", "99,", "Schwerer Ausfall", 'lang="de"', "vor 90 Tagen"]),
        ("fr", ["Panne partielle", "20 novembre 2026", "Panne majeure", 'lang="fr"']),
        ("es-MX", ["Interrupción parcial", "20 de noviembre de 2026", 'lang="es-MX"']),
        ("ar", ["Partial System Outage", 'dir="rtl"', 'lang="ar"']),
    ],
)
def test_the_page_speaks_its_language_and_documents_for_machines_english(
    language: str, said: list[str]
) -> None:
    tree = documents.render(spoken(language))
    text = tree["/"].body.decode()
    assert [each for each in said if each not in text] == []
    assert b'"description":"Partial System Outage"' in tree["/api/v2/status.json"].body


def spoken(language: str) -> PublicPage:
    return replace(page(outage()), look=Look(language=language))


def test_words_of_the_configuration_take_the_place_of_the_built_in_ones() -> None:
    shown = replace(page(), look=Look(words={"all_systems_operational": "All good & well"}))
    assert "<h1>All good &amp; well</h1>" in html.home(shown).decode()
