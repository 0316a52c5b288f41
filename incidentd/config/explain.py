"""pydantic's errors in the operator's words: the path in the file, what is wrong, what is accepted."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from incidentd.config.document import Document
from incidentd.config.problems import KeyPath, Problem, dotted
from incidentd.config.schema import known_keys
from incidentd.fields import EnvReference

_NOISE = frozenset({"default_factory_not_called"})
"""What always follows from another error."""
_FOLLOWS = frozenset({"too_short", "tuple_type", "list_type"})
"""What may follow from another error at the same place, of which pydantic tells too."""
_HINTS = {
    ("route", "receiver"): 'channels are named under "notify"',
    ("route", "match"): """write matchers: ['label="value"']""",
    ("route", "match_re"): """write matchers: ['label=~"regex"']""",
    ("route", "group_by"): 'labels are named once, under "grouping.by"',
}
"""What people who know Alertmanager, or read of a later version, write: section and key to what is right."""
_ROOT_ONLY = "the root route catches everything; put matchers into one of its routes"

_Context = Mapping[str, Any]
_WORDS: Mapping[str, Callable[[_Context], str]] = {
    "missing": lambda _: "is missing; it has no default",
    "value_error": lambda ctx: str(ctx["error"]),
    "literal_error": lambda ctx: f"is not known; accepted: {_plain(ctx['expected'])}",
    "enum": lambda ctx: f"is not known; accepted: {_plain(ctx['expected'])}",
    "bool_parsing": lambda _: "must be true or false",
    "bool_type": lambda _: "must be true or false",
    "int_parsing": lambda _: "must be a whole number",
    "int_type": lambda _: "must be a whole number",
    "int_from_float": lambda _: "must be a whole number",
    "tuple_type": lambda _: "must be a list, such as [a, b]",
    "list_type": lambda _: "must be a list, such as [a, b]",
    "frozen_set_type": lambda _: "must be a list, such as [a, b]",
    "dict_type": lambda _: "must be a mapping of keys to values",
    "mapping_type": lambda _: "must be a mapping of keys to values",
    "model_type": lambda _: "must be a mapping of keys to values",
    "model_attributes_type": lambda _: "must be a mapping of keys to values",
    "union_tag_not_found": lambda _: "is missing; it has no default",
    "string_type": lambda _: "must be text; put it in quotes",
    "string_too_short": lambda ctx: _at_least(ctx, "character"),
    "too_short": lambda ctx: _at_least(ctx, "item"),
    "greater_than": lambda ctx: f"must be above {_limit(ctx['gt'])}",
    "greater_than_equal": lambda ctx: f"must be at least {_limit(ctx['ge'])}",
    "less_than_equal": lambda ctx: f"must be at most {_limit(ctx['le'])}",
    "less_than": lambda ctx: f"must be below {_limit(ctx['lt'])}",
    "string_pattern_mismatch": lambda ctx: f"does not look right; accepted: what matches {ctx['pattern']}",
    "timezone_aware": lambda _: "has no time zone; accepted: a time such as 2027-01-31T00:00:00Z",
    "datetime_from_date_parsing": lambda _: "is not a time; accepted: a time such as 2027-01-31T00:00:00Z",
    "datetime_parsing": lambda _: "is not a time; accepted: a time such as 2027-01-31T00:00:00Z",
    "datetime_type": lambda _: "is not a time; accepted: a time such as 2027-01-31T00:00:00Z",
}


def explain(
    refused: ValidationError,
    document: Document,
    accepted: Callable[[KeyPath, object], Iterable[str]] = known_keys,
) -> list[Problem]:
    """Every problem that pydantic found, in the order of the file; `accepted` knows the keys of a mapping."""
    # The input is left out for good: for a mistyped secret it is the secret.
    errors = refused.errors(include_input=False, include_url=False)
    located = [(_path(error, document.raw), error) for error in errors if error["type"] not in _NOISE]
    # A field that takes one of several types is refused by each; a validator's own words say most.
    found = (
        Problem(dotted(path), _what(error, path, document.raw, accepted), document.line(path))
        for path, error in located
        if not _follows(path, error["type"], located)
    )
    return list(dict.fromkeys(found))


def _follows(path: KeyPath, kind: str, located: list[tuple[KeyPath, ErrorDetails]]) -> bool:
    """True if another error says better what is wrong: at an item of this list, or at the same place."""
    depth = len(path)
    if any(
        other[:depth] == path and isinstance(other[depth], int) for other, _ in located if len(other) > depth
    ):
        return kind in (*_FOLLOWS, "value_error")
    return kind in _FOLLOWS and any(
        other == path and error["type"] not in _FOLLOWS for other, error in located
    )


def nearest(word: object, known: Iterable[str]) -> str:
    """A question that names the known word nearest to `word`, or nothing."""
    close = difflib.get_close_matches(str(word).lower(), known, n=1)
    return f'; did you mean "{close[0]}"?' if close else ""


def _path(error: ErrorDetails, raw: Any) -> KeyPath:  # noqa: ANN401 - whatever the file holds
    """Keys as they stand in the file: pydantic adds the kind of a channel and other steps of its own."""
    path: list[str | int] = []
    for step in error["loc"]:
        if (isinstance(raw, dict) and step in raw) or (isinstance(raw, list) and isinstance(step, int)):
            path.append(step)
            raw = _raw_at(raw, (step,))
    if error["type"] == "missing":
        path.append(error["loc"][-1])
    if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        path.append("kind")
    return tuple(path)


def _what(
    error: ErrorDetails, path: KeyPath, root: object, accepted: Callable[[KeyPath, object], Iterable[str]]
) -> str:
    kind, context, raw = error["type"], error.get("ctx", {}), _raw_at(root, path)
    if kind == "extra_forbidden":
        return _unknown(path, root, accepted)
    if kind == "union_tag_invalid":
        kinds = [each.strip(" '") for each in context["expected_tags"].split(",")]
        return f"is not a kind of channel; accepted: {', '.join(kinds)}{nearest(context['tag'], kinds)}"
    if isinstance(raw, EnvReference) and kind != "value_error":
        return f"${{{raw.name}}} is only read in secrets and in database.url; write the value itself"
    if raw is None and kind not in ("missing", "union_tag_not_found"):
        return "has no value; write one or delete the key"
    words = _WORDS.get(kind)
    return words(context) if words else error["msg"].replace("Input should be", "must be")


def _unknown(path: KeyPath, raw: object, accepted: Callable[[KeyPath, object], Iterable[str]]) -> str:
    if path in (("route", "matchers"), ("route", "continue")):
        return f"unknown key; {_ROOT_ONLY}"
    hint = _HINTS.get((str(path[0]), str(path[-1])))
    if hint:
        return f"unknown key; {hint}"
    known = tuple(accepted(path[:-1], raw))
    return f"unknown key; accepted: {', '.join(known)}{nearest(path[-1], known)}"


def _raw_at(raw: Any, path: KeyPath) -> Any:  # noqa: ANN401 - whatever the file holds
    for key in path:
        try:
            raw = raw[key]
        except (KeyError, IndexError, TypeError):
            return None
    return raw


def _limit(limit: object) -> str:
    # Where a validator stands before the limit, pydantic gives a timedelta as its repr.
    parts = re.findall(r"(\w+)=(\d+)", str(limit)) if str(limit).startswith("datetime.timedelta(") else []
    return " ".join(f"{number} {unit}" for unit, number in parts) or str(limit)


def _plain(expected: str) -> str:
    return expected.replace("'", "").replace(" or ", ", ")


def _at_least(context: _Context, what: str) -> str:
    least = context["min_length"]
    return f"is too short; accepted: at least {least} {what}{'' if least == 1 else 's'}"
