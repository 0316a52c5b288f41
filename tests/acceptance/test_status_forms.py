"""The forms of the status page in the look and the language of the page; and every page before the W3C's checker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from incidentd.domain.status_page.page import Look
from incidentd.public import documents
from tests.acceptance.browser import NARROW, browser
from tests.acceptance.nu import complaints
from tests.acceptance.publicly import Public, link, public
from tests.public.scenes import SCENES

WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


def scenes() -> dict[str, bytes]:
    """The first page of each kind of every scene, and the page itself in every language."""
    found: dict[str, bytes] = {}
    for name, scene in SCENES.items():
        tree = documents.render(scene())
        kinds = {path.split("/")[1]: path for path in tree if tree[path].media == documents.HTML}
        found |= {f"{name}: {path}": tree[path].body for path in kinds.values()}
    for language in ("de", "fr", "es", "ar"):
        shown = replace(SCENES["one outage"](), look=Look(language=language, accent="#0b5394"))
        found[language] = documents.render(shown)["/"].body
    return found


async def answered(here: Public) -> tuple[dict[str, bytes], Mapping[str, str]]:
    """What the forms answer, and those of their addresses that can be looked at."""
    asked = await here.form("/subscribe", ("email", "nobody"))
    sent = await here.form("/subscribe", ("email", "carol@example.org"), ("endpoint", "https://c.example/in"))
    await here.leave()
    path = link(here.mails("carol@example.org")[-1])
    begun = await here.form(path, ("confirm", "yes"))
    await here.form("/subscribe", ("email", "bob@example.org"))
    await here.leave()
    waits = link(here.mails("bob@example.org")[-1])
    gone = await here.ask("GET", "/subscriptions/nothing")
    pages = {"refused": asked, "sent": sent, "begun": begun, "gone": gone}
    looked = {
        "/subscribe": "Votre adresse e-mail",
        path: "Votre abonnement",
        waits: "Confirmez votre abonnement",
    }
    looked[f"{path}/unsubscribe"] = "Plus rien de cette page"
    return {name: answer.text.encode() for name, answer in pages.items()}, looked


async def test_every_page_and_form_is_valid_and_the_forms_are_fit_for_everybody_in_their_language(
    tmp_path: Path,
) -> None:
    (read := tmp_path / "read").mkdir()
    async with public(tmp_path, language="fr") as here, browser(tmp_path) as chromium:
        pages, looked = await answered(here)
        assert "Ce n’est pas une adresse e-mail" in pages["refused"].decode()
        await chromium.say("Page.setBypassCSP", enabled=True)
        await chromium.look(NARROW, dark=True)
        for number, (path, said) in enumerate(looked.items()):
            await chromium.open(here.world.daemon.url + path)
            assert chromium.requests == [here.world.daemon.url + path]
            assert await chromium.violations() == [], path
            assert not await chromium.ask(WIDE), path
            await chromium.picture(tmp_path, f"form-{number}")
            shown = await here.ask("GET", path)
            assert said in shown.text
            assert 'lang="fr"' in shown.text
            pages[path] = shown.text.encode()
        assert await complaints({**scenes(), **pages}, read) == []
