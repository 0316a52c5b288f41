"""What subscribers are told: mails, and posts in Statuspage's envelope. Made of the public page and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from incidentd.domain.status_page.page import PublicEvent, PublicPage, PublicUpdate
from incidentd.domain.status_page.words import Status
from incidentd.public.speech import Speech, speech_of
from incidentd.public.statuspage import bodies, event_of, link
from incidentd.public.text import escaped, fragment, plain, stamp

DOCUMENTATION = "https://support.atlassian.com/statuspage/docs/enable-webhook-notifications/"
"""Who describes the envelope."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail without its headers."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Exits:
    """How a reader leaves."""

    manage: str
    unsubscribe: str
    components: tuple[tuple[str, str], ...] = ()
    """(name, link that ends what is told of this component alone)"""


def event_payload(page: PublicPage, code: str, update: str) -> Mapping[str, Any] | None:
    """What is told of an update; None if the page does not show it. The reader's own links come when it is sent."""
    known = next((event for event in page.events if event.id == code), None)
    shown = None if known is None else _as_of(known, update)
    if shown is None:
        return None
    rows = {row["id"]: row for row in bodies(page)["components"]["components"]}
    said = shown.updates[0]
    letter = _letter(page, shown, said)
    return {
        "concerns": sorted({*shown.components, *[a.code for a in said.affected]}),
        "thread": shown.id,
        "post": {"page": _page(page), "incident": event_of(page, rows, shown)},
        "mail": {"subject": letter.subject, "text": letter.text, "html": letter.html},
    }


def component_payload(
    page: PublicPage, component: str, old: Status, new: Status, at: datetime, code: str
) -> Mapping[str, Any] | None:
    """What is told of a component that fares otherwise than before; None if the page does not show it. No mail:
    whoever reads mails is told of the incident behind it.
    """
    rows = {row["id"]: row for row in bodies(page)["components"]["components"]}
    if component not in rows:
        return None
    change = {
        "created_at": stamp(at),
        "new_status": new.value,
        "old_status": old.value,
        "id": code,
        "component_id": component,
    }
    post = {
        "page": _page(page),
        "component_update": change,
        "component": {**rows[component], "status": new.value},
    }
    return {"concerns": [component], "thread": component, "post": post, "mail": None}


def enveloped(payload: Mapping[str, Any], unsubscribe: str) -> dict[str, Any]:
    """The body of a post to one subscriber."""
    return {"meta": {"unsubscribe": unsubscribe, "documentation": DOCUMENTATION}, **payload["post"]}


def signed_off(payload: Mapping[str, Any], exits: Exits, speech: Speech) -> Letter:
    """The mail to one subscriber: with the ways out."""
    mail = payload["mail"]
    links = [(speech.say("mail_unsubscribe"), exits.unsubscribe), (speech.say("mail_choose"), exits.manage)]
    links += [(speech.say("mail_leave", name=plain(name)), href) for name, href in exits.components]
    lines = ["", "-- ", *[f"{name}: {href}" for name, href in links]]
    foot = " &middot; ".join(f'<a href="{escaped(href)}">{escaped(name)}</a>' for name, href in links)
    html = mail["html"] + f'<p style="color:#57606a;font-size:13px">{foot}</p></body></html>'
    return Letter(mail["subject"], mail["text"] + "\n".join(lines) + "\n", html)


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be confirmed."""

    page: str
    """Its name."""
    url: str
    what: tuple[str, ...]
    """Names of components; none for all."""
    target: str
    """Where posts would go; empty for mails."""
    confirm: str
    """The link that confirms."""


def question(asked: Question, speech: Speech) -> Letter:
    """The mail that asks whether the reader really wants it."""
    name, what = plain(asked.page), ", ".join(map(plain, asked.what)) or speech.say("mail_everything")
    kind = "mail_asked_post" if asked.target else "mail_asked"
    said = speech.say(kind, page=name, what=what, target=plain(asked.target))
    do, otherwise = speech.say("mail_do"), speech.say("mail_else")
    text = f"{said}\n{asked.url}\n\n{do}\n{asked.confirm}\n\n{otherwise}\n"
    page, confirm = escaped(asked.url), escaped(asked.confirm)
    html = (
        f'{_head(speech)}<p>{escaped(said)} <a href="{page}">{page}</a></p>'
        f'<p>{escaped(do)} <a href="{confirm}">{confirm}</a></p><p>{escaped(otherwise)}</p></body></html>'
    )
    return Letter(_subject(speech.say("mail_confirm", page=name)), text, html)


def _as_of(event: PublicEvent, update: str) -> PublicEvent | None:
    """`event` as it was when `update` was its newest: what was said since is told by a notice of its own."""
    codes = [said.id for said in event.updates]
    if update not in codes:
        return None
    since = event.updates[codes.index(update) :]
    if len(since) == len(event.updates):
        return event
    over = since[0].status in {"resolved", "postmortem", "completed"}
    return replace(
        event,
        status=since[0].status,
        updates=since,
        updated_at=since[0].created_at,
        resolved_at=event.resolved_at if over else None,
    )


def _page(page: PublicPage) -> dict[str, Any]:
    return {
        "id": page.id,
        "status_indicator": page.indicator.value,
        "status_description": page.description,
        "url": page.url,
    }


def _head(speech: Speech) -> str:
    return (
        f'<!doctype html><html lang="{escaped(speech.tag)}" dir="{speech.direction}"><head><meta charset="utf-8">'
        '</head><body style="font-family:system-ui,sans-serif;line-height:1.5;max-width:40em">'
    )


def _letter(page: PublicPage, event: PublicEvent, said: PublicUpdate) -> Letter:
    speech = speech_of(page)
    stage, at, where = speech.stage(said.status), speech.time(said.created_at), link(page, event)
    facts = [(plain(a.name), speech.status(a.new)) for a in said.affected]
    if event.scheduled_for is not None and event.scheduled_until is not None:
        begin, end = speech.time(event.scheduled_for), speech.time(event.scheduled_until)
        facts.append((speech.say("scheduled"), speech.say("span", begin=begin, end=end)))
    if event.next_update_at is not None:
        facts.append((speech.say("next_update"), speech.time(event.next_update_at)))
    lines = [plain(event.name), f"{stage}, {at}", "", plain(said.body), ""]
    lines += [*(f"{name}: {word}" for name, word in facts), "", where]
    listed = "".join(f"<li>{escaped(name)}: {escaped(word)}</li>" for name, word in facts)
    html = (
        f'{_head(speech)}<h1 style="font-size:20px"><a href="{escaped(where)}">{escaped(event.name)}</a></h1>'
        f"<p><strong>{escaped(stage)}</strong>, {escaped(at)}</p><p>{fragment(said.body)}</p>"
        + (f"<ul>{listed}</ul>" if listed else "")
    )
    return Letter(_subject(f"[{page.name}] {stage}: {event.name}"), "\n".join(lines) + "\n", html)


def _subject(text: str) -> str:
    # One line, and no "=?": that would start an encoded word, which readers decode.
    return " ".join(plain(text).split()).replace("=?", "= ?")[:200]
