"""Cases of HTTP: how a body may arrive, what must be answered, and that an answer means it is kept."""

from __future__ import annotations

from incidentd.conformance import links
from incidentd.conformance.model import (
    Area,
    Case,
    Coding,
    Expect,
    Needs,
    Post,
    Refused,
    Restart,
    Said,
    Told,
)

_A, _A_ENDS = Said("a"), Said("a", resolved=True)
_OPEN = Expect(firing=("a",), told=Told.ONCE)
_OVER = Expect(firing=())
_FEW = tuple(f"k{number:02}" for number in range(20))


def _way(**how: object) -> tuple[Post, Expect, Post, Expect]:
    """Fires and ends, both posted this way."""
    return Post((_A,), **how), _OPEN, Post((_A_ENDS,), **how), _OVER  # type: ignore[arg-type]


CASES = (
    Case(
        "trailing-slash",
        Area.ANSWERS,
        "the address with a slash at its end",
        "301, 302 and 303 are followed as a GET without a body, and its 200 counts as delivered: the alerts are lost "
        "and nobody sees it. Answer on both, never redirect",
        links.REDIRECTS,
        _way(slash=True),
    ),
    Case(
        "put",
        Area.ANSWERS,
        "PUT instead of POST",
        "Grafana's contact point sends either",
        links.GRAFANA,
        _way(method="PUT"),
    ),
    Case(
        "chunked",
        Area.ANSWERS,
        "a chunked body",
        "Alertmanager gives the length; a proxy between may not",
        links.WEBHOOK,
        _way(coding=Coding.CHUNKED),
    ),
    Case(
        "gzip",
        Area.ANSWERS,
        "a compressed body",
        "Alertmanager does not compress; proxies and other senders do",
        links.WEBHOOK,
        _way(coding=Coding.GZIP),
    ),
    Case(
        "garbage",
        Area.ANSWERS,
        "what is no webhook at all is refused",
        "5xx is repeated within the second, for ever; 2xx hides that a sender is misconfigured. 400 it is",
        links.RETRIER,
        (
            Refused("text that is no JSON", b"this is no webhook"),
            Refused("an empty body", b""),
            Refused("a JSON list, as Prometheus posts to Alertmanager", b"[]"),
            Refused("an object without alerts (a custom payload)", b'{"text": "something fires"}'),
            Refused("a body that was cut off", b'{"version":"4","alerts":[{"status":"fir'),
        ),
    ),
    Case(
        "credentials",
        Area.ANSWERS,
        "a post without credentials",
        "whoever can post can close incidents",
        links.WEBHOOK,
        (Refused("a post without the token", b'{"version":"4","alerts":[]}', (401, 403), with_token=False),),
        needs=frozenset({Needs.TOKEN}),
    ),
    Case(
        "burst",
        Area.ANSWERS,
        "thirty posts of one alert, one after the other, without a 429",
        "after 429, as after any 4xx, Alertmanager waits a whole group_interval, five minutes by default, and does "
        "not heed Retry-After. Whoever is busy answers 503",
        links.RETRIER,
        (*(Post((_A,)) for _ in range(30)), _OPEN),
    ),
    Case(
        "kill",
        Area.DURABILITY,
        "killed right after the answer",
        "2xx ends Alertmanager's responsibility: what was only in memory is lost, and a cache of what was seen hides "
        "the repeat too",
        links.RETRIER,
        (
            Post(tuple(Said(key) for key in _FEW), apart=True),
            Restart(),
            Expect(firing=_FEW, told=Told.AGAIN),
            Post(tuple(Said(key) for key in _FEW), apart=True),
            Expect(firing=_FEW, told=Told.NOBODY),
            Post(tuple(Said(key, resolved=True) for key in _FEW), apart=True),
            Restart(),
            _OVER,
        ),
        needs=frozenset({Needs.RESTART}),
    ),
)
