"""What people do to the public page: publish, update, correct, discard; plan maintenance; set a component's status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from incidentd.audit.chain import timestamp
from incidentd.domain.incident import Change
from incidentd.domain.status_page import by_hand
from incidentd.domain.status_page.by_hand import StatusRefusedError, Words
from incidentd.domain.status_page.facts import Override, Publication, Update
from incidentd.domain.status_page.layout import Layout, Part
from incidentd.domain.status_page.lint import Inside, findings
from incidentd.domain.status_page.publishing import Step
from incidentd.domain.status_page.words import Phase, State, Status
from incidentd.store import incidents, public_state, publications
from incidentd.store.engine import Tx
from incidentd.store.maintenance import named
from incidentd.workflows import audit
from incidentd.workflows.ledger import Ledger
from incidentd.workflows.publishing import silent, write
from incidentd.workflows.respond import NotFoundError
from incidentd.workflows.rules import Rules

_HOSTS = ("instance", "host", "hostname", "node", "nodename", "pod")
"""Labels whose values name machines."""
_WELL = (Phase.MONITORING, Phase.RESOLVED)
_MOST_ALERTS = 2000
"""Whose labels one look at a text goes through: it stays short in a storm too."""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it."""

    publication: Publication
    updates: tuple[Update, ...]
    """Every revision of its texts."""
    changes: tuple[Change, ...] = ()


def find(tx: Tx, code: str, incident_id: int | None = None) -> Publication:
    """A publication by its code, or the newest of an incident. Raises `NotFoundError`."""
    found = publications.by_code(tx, code)
    if found is None and incident_id is not None:
        found = publications.newest_of(tx, [incident_id]).get(incident_id)
    if found is None:
        raise NotFoundError(f"there is no publication {code}")
    return found


def shown(tx: Tx, publication: Publication) -> Done:
    """A publication with its texts."""
    return Done(publication, publications.updates_of(tx, [publication.code])[publication.code])


def publish(tx: Tx, rules: Rules, known: Publication, words: Words, now: datetime) -> Done:
    """A draft becomes public. Raises `StatusRefusedError`."""
    return _done(tx, rules, publishing(tx, rules, known, words, now), words, now)


def publishing(tx: Tx, rules: Rules, known: Publication, words: Words, now: datetime) -> Step:
    """The decision of `publish`, to be looked at first. Without words of their author the draft's own count."""
    words = replace(words, body=words.body or known.draft_text)
    return by_hand.publish(rules.layout, known, _linted(tx, rules, known, words), now)


def opened(tx: Tx, rules: Rules, words: Words, code: str, now: datetime) -> Done:
    """A public incident that no alert told of. Raises `StatusRefusedError`."""
    step = by_hand.opened(rules.layout, _linted(tx, rules, None, words), code, now)
    return _done(tx, rules, step, words, now)


def update(tx: Tx, rules: Rules, known: Publication, words: Words, now: datetime) -> Done:
    """Say more. Raises `StatusRefusedError`."""
    behind = [] if known.incident_id is None else incidents.by_ids(tx, [known.incident_id])
    still_open = any(incident.open for incident in behind)
    if known.stale and words.phase in _WELL and any(silent(tx, incident) for incident in behind):
        raise StatusRefusedError(
            "still_silent",
            "its heartbeat is still missing, so the page cannot say that monitoring is back: it will by itself with "
            "the next sign of life, or once the heartbeat is taken out of the configuration",
        )
    checked = _linted(tx, rules, known, words)
    return _done(
        tx, rules, by_hand.update(rules.layout, known, checked, now, incident_open=still_open), words, now
    )


def postmortem(tx: Tx, rules: Rules, known: Publication, words: Words, now: datetime) -> Done:
    """Tell what it was, once it is over. Raises `StatusRefusedError`."""
    return update(tx, rules, known, replace(words, phase=Phase.POSTMORTEM), now)


def correct(tx: Tx, rules: Rules, known: Publication, words: Words, now: datetime) -> Done:
    """Another revision of the update `words.code`. Raises `NotFoundError`, `StatusRefusedError`."""
    revisions = [u for u in shown(tx, known).updates if u.code == words.code]
    if not revisions or known.state is not State.PUBLISHED:
        raise NotFoundError(f"{known.code} has no public update {words.code}")
    step = by_hand.correct(known, revisions[-1], _linted(tx, rules, known, words), now)
    return _done(tx, rules, step, words, now)


def discard(tx: Tx, rules: Rules, known: Publication, author: str, now: datetime) -> Done:
    """A draft does not become public. Raises `StatusRefusedError`."""
    return _done(tx, rules, by_hand.discard(known, now), Words(author, ""), now)


def _done(tx: Tx, rules: Rules, step: Step, words: Words, now: datetime) -> Done:
    ledger = Ledger(rules, now)
    stored = write(tx, ledger, step, words.author)
    ledger.save(tx)
    return replace(shown(tx, stored), changes=tuple(ledger.changes))


def _linted(tx: Tx, rules: Rules, known: Publication | None, words: Words) -> Words:
    """`words` with what was found in them, if their author insists (`forced` is not empty)."""
    inside = inside_of(tx, rules.layout, None if known is None else known.incident_id)
    return replace(words, forced=checked([words.title, words.body], inside, force=bool(words.forced)))


def inside_of(tx: Tx, layout: Layout, incident_id: int | None = None) -> Inside:
    """What no public text should hold: of the alerts of an incident, those that ended too; None: of all that fire."""
    found = named(tx, incident_id, _MOST_ALERTS)
    hosts = [labels[name] for labels, _ in found for name in _HOSTS if labels.get(name)]
    links = [
        text for _, notes in found for text in notes.values() if text.startswith(("http://", "https://"))
    ]
    return Inside(
        layout.internal_domains,
        layout.people,
        hosts=_once([host.rpartition(":")[0] or host for host in hosts]),
        alerts=_once([labels.get("alertname", "") for labels, _ in found]),
        links=_once(links),
    )


def _once(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))


def checked(texts: Sequence[str | None], inside: Inside, *, force: bool = False) -> tuple[str, ...]:
    """What looks internal in a person's words. Raises `StatusRefusedError` for it unless forced."""
    found = findings("\n".join([text for text in texts if text]), inside)
    if found and not force:
        raise StatusRefusedError(
            "internal_words",
            f"the text holds {', '.join(found)}; send it with force if the public may read that",
        )
    return found


def part_of(layout: Layout, wanted: str) -> Part:
    """A component by id or name. Raises `NotFoundError`."""
    found = layout.part(wanted)
    if found is None:
        names = ", ".join(part.full_name for part in layout.parts) or "none, for none is configured"
        raise NotFoundError(f"there is no single component {wanted!r}; there are: {names}")
    return found


def override(tx: Tx, layout: Layout, wanted: Override) -> Override:
    """A person sets a component's status; `wanted.component` is its id. Raises `StatusRefusedError`."""
    if wanted.until is not None and wanted.until <= wanted.created_at:
        raise StatusRefusedError("wrong_time", "it would be over already")
    if wanted.status is Status.OPERATIONAL and wanted.until is None:
        raise StatusRefusedError(
            "no_end",
            "a component that is set to operational needs an end: it would hide every outage to come",
        )
    part_of(layout, wanted.component)
    made = public_state.override(tx, wanted)
    until = None if made.until is None else timestamp(made.until)
    data = {"component": made.component, "status": made.status.value, "until": until}
    what = f"status-override:{made.id}"
    audit.note(tx, made.created_at, made.author, "status.overridden", what, data, {"reason": made.reason})
    return made


def clear(tx: Tx, number: int, actor: str, now: datetime) -> Override:
    """The status follows from incidents and maintenance again. Raises `NotFoundError`."""
    known = public_state.override_by_id(tx, number)
    if known is None:
        raise NotFoundError(f"there is no override {number}")
    public_state.clear_override(tx, number, actor, now)
    if known.cleared_at is None:
        audit.note(tx, now, actor, "status.override_cleared", f"status-override:{number}")
    found = public_state.override_by_id(tx, number)
    assert found is not None  # noqa: S101 - it was there in this very transaction
    return found
