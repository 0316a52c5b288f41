"""The history as Atom and RSS: incidents and maintenances together, the newest first."""

from __future__ import annotations

from datetime import datetime
from email.utils import format_datetime
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from incidentd.domain.status_page.page import PublicEvent, PublicPage
from incidentd.public.statuspage import NEWEST, link
from incidentd.public.text import escaped, fragment, label, stamp


def atom(page: PublicPage) -> bytes:
    """`/history.atom`."""
    host, title = urlsplit(page.url).netloc, f"{page.name} Status - Incident History"
    entries = "".join(_entry(page, host, event) for event in page.events[:NEWEST])
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<feed xml:lang="en-US" xmlns="http://www.w3.org/2005/Atom">'
        f"<id>tag:{escaped(host)},2005:/history</id>"
        f'<link rel="alternate" type="text/html" href="{escaped(page.url)}"/>'
        f'<link rel="self" type="application/atom+xml" href="{escaped(page.url)}/history.atom"/>'
        f"<title>{escaped(title)}</title><updated>{stamp(page.updated_at)}</updated>"
        f"<author><name>{escaped(page.name)}</name></author>{entries}</feed>\n"
    ).encode()


def _entry(page: PublicPage, host: str, event: PublicEvent) -> str:
    return (
        f"<entry><id>tag:{escaped(host)},2005:Incident/{event.id}</id>"
        f"<published>{stamp(event.created_at)}</published><updated>{stamp(event.updated_at)}</updated>"
        f'<link rel="alternate" type="text/html" href="{escaped(link(page, event))}"/>'
        f"<title>{escaped(event.name)}</title>"
        f'<content type="html">{escaped(_content(page, event))}</content></entry>'
    )


def rss(page: PublicPage) -> bytes:
    """`/history.rss`."""
    title = f"{page.name} Status - Incident History"
    items = "".join(_item(page, event) for event in page.events[:NEWEST])
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0"><channel>'
        f"<title>{escaped(title)}</title><link>{escaped(page.url)}</link>"
        f"<description>Statuspage</description><pubDate>{_date(page.updated_at)}</pubDate>{items}</channel></rss>\n"
    ).encode()


def _item(page: PublicPage, event: PublicEvent) -> str:
    where = escaped(link(page, event))
    return (
        f"<item><title>{escaped(event.name)}</title>"
        f"<description>{escaped(_content(page, event))}</description>"
        # Of the newest update; the guid stays, so that readers show no second copy.
        f"<pubDate>{_date(event.updates[0].created_at)}</pubDate><link>{where}</link><guid>{where}</guid></item>"
    )


def _date(at: datetime) -> str:
    return format_datetime(at)


def _content(page: PublicPage, event: PublicEvent) -> str:
    """HTML, the newest update first: readers take the first `<strong>` for the present state."""
    return "".join(
        f"<p><small>{_when(page, update.created_at)}</small><br><strong>{label(update.status)}</strong> - "
        f"{fragment(update.body)}</p>"
        for update in event.updates
    )


def _when(page: PublicPage, at: datetime) -> str:
    here = at.astimezone(ZoneInfo(page.time_zone))
    return (
        f"{here:%b} <var data-var='date'>{here.day}</var>, <var data-var='time'>{here:%H:%M}</var> {here:%Z}"
    )
