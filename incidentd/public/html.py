"""The page for people, and one for each event: plain HTML that needs no script and no style."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from incidentd.domain.status_page.page import PublicComponent, PublicEvent, PublicPage
from incidentd.domain.status_page.words import WORDS, Status
from incidentd.public.text import escaped, fragment, label, stamp

_DELAYED = "<p><strong>Monitoring data is delayed: what is shown here may be out of date.</strong></p>"


def home(page: PublicPage) -> bytes:
    """The page."""
    title = f"{escaped(page.name)}: {page.description}"
    groups = {row.id: row.name for row in page.components if row.members is not None}
    shown = [row for row in page.components if row.members is None and not _hidden(row)]
    rows = "".join(f"<li>{escaped(_named(row, groups))}: <strong>{_word(row)}</strong></li>" for row in shown)
    parts = [f"<h1>{title}</h1>", _DELAYED if page.monitoring_delayed else ""]
    open_ones = [event for event in page.events if not event.over]
    parts += [_article(page, event, "h2") for event in open_ones]
    parts.append(f"<h2>Components</h2><ul>{rows}</ul>" if rows else "")
    over = "".join(
        f'<li><a href="/incidents/{event.id}">{escaped(event.name)}</a>, {_time(page, event.created_at)}</li>'
        for event in page.events
        if event.over
    )
    parts.append(f"<h2>Past incidents</h2><ul>{over}</ul>" if over else "")
    parts.append(
        '<p><a href="/history.atom">Atom</a> <a href="/history.rss">RSS</a> '
        '<a href="/api/v2/summary.json">JSON</a></p>'
    )
    return _document(title, "".join(parts))


def event(page: PublicPage, known: PublicEvent) -> bytes:
    """The page of one incident or maintenance."""
    title = f"{escaped(known.name)} - {escaped(page.name)}"
    return _document(title, f'{_article(page, known, "h1")}<p><a href="/">{escaped(page.name)}</a></p>')


def _article(page: PublicPage, known: PublicEvent, heading: str) -> str:
    said = "".join(
        f"<p>{_time(page, update.created_at)} <strong>{label(update.status)}</strong>: {fragment(update.body)}</p>"
        for update in known.updates
    )
    due = ""
    if known.next_update_at is not None:
        due = f"<p>Next update due: {_time(page, known.next_update_at)}</p>"
    if known.scheduled_for is not None and known.scheduled_until is not None:
        due = f"<p>{_time(page, known.scheduled_for)} to {_time(page, known.scheduled_until)}</p>"
    return f"<section><{heading}>{escaped(known.name)}</{heading}>{due}{said}</section>"


def _time(page: PublicPage, at: datetime) -> str:
    here = at.astimezone(ZoneInfo(page.time_zone))
    return f'<time datetime="{stamp(at)}">{here:%Y-%m-%d %H:%M %Z}</time>'


def _hidden(row: PublicComponent) -> bool:
    return row.only_show_if_degraded and row.status is Status.OPERATIONAL


def _word(row: PublicComponent) -> str:
    return WORDS[row.status].capitalize()


def _named(row: PublicComponent, groups: dict[str, str]) -> str:
    return f"{groups[row.group_id]} - {row.name}" if row.group_id else row.name


def _document(title: str, body: str) -> bytes:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title></head><body><main>{body}</main></body></html>"
    ).encode()
