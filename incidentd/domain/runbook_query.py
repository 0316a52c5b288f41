"""Label values in the queries of runbooks: `up{instance="$instance"}` asks about the incident's own instance.

A value comes from whoever writes alert rules, so it must never become syntax: a placeholder stands only inside the
quoted value of a label matcher, and is escaped for the place it stands in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import re2

_NAME = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_MATCHER = re.compile(r'(=~|!~|!=|=)\s*"((?:[^"\\\n]|\\.)*)"')
_GO = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\0": "\\x00"})


def check_query(query: str) -> None:
    """Raise ValueError unless every placeholder stands where it can be filled safely."""
    inside = sum(len(_NAME.findall(found[2])) for found in _MATCHER.finditer(query))
    if len(_NAME.findall(query)) != inside:
        first = next(found[0] for found in _NAME.finditer(_MATCHER.sub("", query)))
        raise ValueError(
            f"has {first} outside of a label matcher; accepted: inside the quotes of one, as in "
            'up{instance="$instance"}'
        )


def placeholders(query: str) -> tuple[str, ...]:
    """The labels that a query asks about, each once, in order."""
    return tuple(dict.fromkeys(_NAME.findall(query)))


def fill_query(query: str, labels: Mapping[str, str]) -> str:
    """`query` with each placeholder replaced by the value of the incident's label of that name.

    A matcher whose whole value is a placeholder for a label that is missing, and a `=~` that has one in it, matches
    everything: the incident does not narrow it. Elsewhere a missing label is empty.
    """
    return _MATCHER.sub(lambda found: _filled(found, labels), query)


def _filled(found: re.Match[str], labels: Mapping[str, str]) -> str:
    operator, value = found[1], found[2]
    narrows = operator == "=~" or (operator == "=" and _NAME.fullmatch(value) is not None)
    if narrows and not all(labels.get(name) for name in _NAME.findall(value)):
        return '=~".*"'
    regex = operator in {"=~", "!~"}
    return f'{operator}"{_NAME.sub(lambda name: _escaped(labels.get(name[1], ""), regex=regex), value)}"'


def _escaped(value: str, *, regex: bool) -> str:
    # JSON can smuggle half a surrogate pair into a label; no query could be sent with it.
    harmless = value.encode(errors="replace").decode()
    quoted = re2.escape(harmless) if regex else harmless
    return str(quoted).translate(_GO)
