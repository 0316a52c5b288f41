"""Text from strangers made fit to be stored: no NUL, no lone surrogates, bounded in size."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

MARK: Final = "… [cut]"
"""Ends every text that was shortened, so that nobody takes the stump for the whole."""
_MARK_BYTES: Final = MARK.encode()
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_NAMED_AT_MOST: Final = 64


@dataclass(frozen=True, slots=True)
class Caps:
    """How much of a set of named texts is kept, in bytes of UTF-8."""

    kind: str
    """``label`` or ``annotation``: the first word of the name under which a cut is reported."""
    name: int
    value: int
    total: int
    first: frozenset[str] = frozenset()
    """Names that take their place before the others when `total` does not suffice."""


def valid(text: str) -> str:
    """`text` with lone surrogates as U+FFFD, as Alertmanager passes them on; UTF-8 cannot carry them."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def clean(text: str) -> str:
    """`text` as databases accept it: valid, without NUL (PostgreSQL refuses it). Other controls stay."""
    return valid(text).replace("\0", "")


def cut(text: str, limit: int) -> str:
    """At most `limit` bytes of UTF-8, ending at a whole character, with a mark if something is gone."""
    data = text.encode()
    if len(data) <= limit:
        return text
    return data[: limit - len(_MARK_BYTES)].decode(errors="ignore") + MARK


def compact(value: object) -> str:
    """One line of JSON. Raises RecursionError if `value` is nested too deeply for it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def plain(value: object, odd: Callable[[], None]) -> str:
    """A JSON value as text: null is empty, what is no text is written as in JSON after telling `odd`.

    Raises RecursionError if it is nested too deeply.
    """
    if isinstance(value, str):
        return valid(value)
    if value is None:
        return ""
    odd()
    return valid(compact(value))


def limited(texts: Iterable[tuple[str, str]], caps: Caps) -> tuple[dict[str, str], list[str]]:
    """The texts cleaned and cut to `caps`, and the names of those that were shortened or left out."""
    kept: dict[str, str] = {}
    short: list[str] = []
    room = caps.total
    for name, value in sorted(texts, key=lambda item: item[0] not in caps.first):
        stored_name, stored = cut(name := clean(name), caps.name), cut(value := clean(value), caps.value)
        size = len(stored_name.encode()) + len(stored.encode())
        fits = size <= room and stored_name not in kept
        if fits:
            kept[stored_name] = stored
            room -= size
        if not fits or (stored_name, stored) != (name, value):
            short.append(f"{caps.kind} {stored_name}")
    return kept, short


def listed(names: list[str]) -> tuple[str, ...]:
    """`names`, or the first of them and how many more there are: a list that is stored has to end."""
    more = len(names) - _NAMED_AT_MOST
    return tuple(names) if more <= 0 else (*names[:_NAMED_AT_MOST], f"and {more} more")


def field(body: Mapping[str, object], key: str, limit: int) -> str:
    """The text under `key`, clean and at most `limit` bytes; empty if there is none or it is no text."""
    value = body.get(key)
    return cut(clean(value), limit) if isinstance(value, str) else ""
