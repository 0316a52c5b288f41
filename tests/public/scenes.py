"""Pages as they may stand one day, made through the one door by which facts become public."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from incidentd.domain.status_page.compose import compose
from incidentd.domain.status_page.facts import Affected, Day, Facts, Maintenance, Publication, Update
from incidentd.domain.status_page.layout import Layout, Part
from incidentd.domain.status_page.page import Look, PublicPage
from incidentd.domain.status_page.words import Level, Phase, Policy, Stage, State, Status

NOW: Final = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
HOSTILE: Final = "<script>alert(1)</script> & ]]> \0\x08 \U0001f525 مرحبا \"'\u202e"
PARTS: Final = (
    Part("api", "API", "Core", "Requests of your own programs"),
    Part("web", "Dashboard", "Core"),
    Part("login", "Sign-in", "Core", "Passwords, passkeys and single sign-on"),
    Part("search", "Search"),
    Part("mail", "E-mail delivery", description="Everything we send for you"),
    Part("docs", "Documentation", showcase=False),
)


def layout(parts: Sequence[Part] = PARTS, **more: Any) -> Layout:
    """A page with these components."""
    given = {"url": "https://status.example.com", "time_zone": "Europe/Berlin", **more}
    return Layout("page12345678", "Acme Cloud", parts=tuple(parts), **given)


def update(owner: str, number: int, status: str, body: str, at: datetime, **affected: Status) -> Update:
    """One text, which made these components fare otherwise."""
    listed = tuple([Affected(key, Status.OPERATIONAL, now) for key, now in affected.items()])
    return Update(f"{owner}u{number}", owner, 1, status, body, at, "alice", "", listed)


def incident(
    code: str,
    title: str,
    begun: timedelta,
    said: Sequence[tuple[Phase, str]],
    effects: Mapping[str, Status] | None = None,
    **more: Any,
) -> tuple[Publication, tuple[Update, ...]]:
    """A public incident that began so long ago; its texts came ten minutes after each other."""
    start = NOW - begun
    texts = [
        update(code, n, phase.value, body, start + timedelta(minutes=10 * n), **(effects or {}))
        for n, (phase, body) in enumerate(said)
    ]
    phase, last = said[-1][0], texts[-1].at
    now = dict.fromkeys(effects or {}, Status.OPERATIONAL) if phase.over else dict(effects or {})
    given: dict[str, Any] = {
        "impact": Level.MAJOR,
        "published_at": start,
        "resolved_at": last if phase.over else None,
        **more,
    }
    made = Publication(
        id=1, code=code, state=State.PUBLISHED, title=title, phase=phase, policy=Policy.APPROVE,
        created_at=start, started_at=start, updated_at=last, effects=now, **given,
    )  # fmt: skip
    return made, tuple(texts)


def planned(
    code: str, title: str, begins: timedelta, stage: Stage, *components: str
) -> tuple[Maintenance, tuple[Update, ...]]:
    """A maintenance of two hours that begins so long from now."""
    start = NOW + begins
    told = min(NOW, start) - timedelta(days=3)
    over = stage is Stage.COMPLETED
    made = Maintenance(
        1, code, title, stage, components, start, start + timedelta(hours=2), told, "alice",
        NOW - timedelta(minutes=5), started_at=None if stage is Stage.SCHEDULED else start,
        completed_at=start + timedelta(hours=2) if over else None,
    )  # fmt: skip
    texts = [update(code, 0, "scheduled", "We move to new machines.", told)]
    if stage is not Stage.SCHEDULED:
        texts.append(update(code, 1, stage.value, "It has begun.", start))
    return made, tuple(texts)


def days(parts: Sequence[Part], count: int = 90, seed: int = 1) -> tuple[Day, ...]:
    """So many days of each component, a few of them bad."""
    drawn = random.Random(seed)
    found: list[Day] = []
    for part in parts:
        for ago in range(count):
            bad = (
                drawn.choice(["degraded", "partial", "major", "maintenance"]) if drawn.random() < 0.06 else ""
            )
            lost = float(drawn.randint(200, 9000)) if bad else 0.0
            day = Day(part.id, date(2026, 11, 20) - timedelta(days=ago), operational=86_400.0 - lost)
            found.append(day if not bad else replace(day, **dict[str, Any]({bad: lost})))
    return tuple(found)


Event = tuple[Any, tuple[Update, ...]]


def page(
    *events: Event, parts: Sequence[Part] = PARTS, history: int = 90, look: Look | None = None, **more: Any
) -> PublicPage:
    """The page with these events."""
    facts = Facts(
        publications=tuple([e for e, _ in events if isinstance(e, Publication)]),
        maintenances=tuple([e for e, _ in events if isinstance(e, Maintenance)]),
        updates={e.code: said for e, said in events},
        days=days(parts, history),
        known_since={part.id: NOW - timedelta(days=400) for part in parts},
    )
    return compose(layout(parts, look=look or Look(), **more), facts, NOW)


OUTAGE = (
    (Phase.INVESTIGATING, "Requests to the API fail. We are looking into it."),
    (Phase.IDENTIFIED, "A database node ran out of disk.\nWe are moving traffic away from it."),
)
SOLVED = (*OUTAGE, (Phase.MONITORING, "Traffic is back."), (Phase.RESOLVED, "All requests succeed again."))


def outage() -> Event:
    """An incident that goes on."""
    effects = {"api": Status.MAJOR, "web": Status.PARTIAL}
    due = NOW + timedelta(minutes=20)
    return incident(
        "inc000000001", "API requests fail", timedelta(minutes=47), OUTAGE, effects, next_update_at=due
    )


def solved(code: str = "inc000000002", days_ago: float = 2.2, title: str = "Search was slow") -> Event:
    """An incident of the past."""
    return incident(code, title, timedelta(days=days_ago), SOLVED, {"search": Status.PARTIAL})


def sixty() -> PublicPage:
    """More incidents than a document may hold; the oldest is still open."""
    past = [solved(f"inc{n:09d}", n / 3, f"Incident {n}") for n in range(1, 60)]
    old = incident("inc000000099", "Old and open", timedelta(days=80), OUTAGE, {"api": Status.DEGRADED})
    return page(*past, old)


def hostile() -> PublicPage:
    """Names and texts that want to break out of every format."""
    parts = (Part("a", HOSTILE, HOSTILE, HOSTILE), Part("b", HOSTILE))
    said = ((Phase.INVESTIGATING, HOSTILE), (Phase.IDENTIFIED, f"{HOSTILE}\r\n{HOSTILE}"))
    broken = incident("inc000000001", HOSTILE, timedelta(hours=1), said, {"a": Status.MAJOR})
    work, texts = planned("mnt000000001", HOSTILE, timedelta(hours=3), Stage.SCHEDULED, "b")
    return page(broken, (work, texts), parts=parts)


def postmortem() -> PublicPage:
    """An incident that was told about afterwards."""
    said = (*SOLVED, (Phase.POSTMORTEM, "The disk was full.\n\nIt is watched now."))
    return page(incident("inc000000003", "Sign-in failed", timedelta(days=1), said, {"login": Status.MAJOR}))


SCENES: Final[Mapping[str, Callable[[], PublicPage]]] = {
    "empty": lambda: page(parts=(), history=0),
    "all green": page,
    "new": lambda: page(history=3),
    "one outage": lambda: page(outage(), solved()),
    "overlapping": lambda: page(
        outage(),
        incident(
            "inc000000004",
            "Sign-in is slow",
            timedelta(hours=3),
            OUTAGE[:1],
            {"api": Status.DEGRADED},
            impact=Level.MINOR,
        ),
    ),
    "groups": lambda: page(
        incident("inc000000005", "Slow", timedelta(hours=3), OUTAGE, {"web": Status.DEGRADED})
    ),
    "maintenance and outage": lambda: page(
        outage(),
        planned(
            "mnt000000001", "Database upgrade", timedelta(minutes=-30), Stage.IN_PROGRESS, "search", "api"
        ),
        planned("mnt000000002", "Network upgrade", timedelta(days=2), Stage.SCHEDULED, "mail"),
        planned("mnt000000003", "Certificates", timedelta(days=-4), Stage.COMPLETED, "mail"),
    ),
    "maintenance only": lambda: page(
        planned("mnt000000001", "Database upgrade", timedelta(minutes=-30), Stage.IN_PROGRESS, "search")
    ),
    "postmortem": postmortem,
    "sixty incidents": sixty,
    "hostile": hostile,
}
"""Every case that a reader of the format must get along with."""


def twenty() -> PublicPage:
    """Twenty components over ninety days, with two weeks of incidents."""
    parts = [
        Part(f"c{n:02d}", f"Service {n}", f"Group {n // 5}", f"What service {n} does") for n in range(20)
    ]
    events = [
        incident(
            f"inc{n:09d}",
            f"Service {n - 10} was slow",
            timedelta(days=(n - 10) * 1.1, hours=5),
            SOLVED,
            {f"c{n - 10:02d}": Status.PARTIAL},
        )
        for n in range(10, 22)
    ]
    return page(outage(), *events, parts=parts)
