"""The key tables of docs/configuration.md, made from the tree.

`python -m incidentd.config.reference docs/configuration.md` renews them; a test says when they are stale.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import orjson

from incidentd.config.schema import Json, json_schema, kinds, named, resolve

BEGIN = "<!-- keys: generated from the code, do not edit below -->"
END = "<!-- keys: end -->"


def key_tables() -> str:
    """One Markdown table per section, and one per kind of channel."""
    parts = []
    for section, schema in json_schema()["properties"].items():
        parts.append(f"### `{section}`\n\n{_meaning(schema)}\n\n{_table(_rows(schema, section))}")
        if section == "channels":
            parts += [_kind(kind, schema) for kind, schema in kinds()]
    return "\n".join(parts)


def renewed(text: str) -> str:
    """`text` with what stands between the two marks made anew. Raises ValueError if a mark is missing."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the marks {BEGIN} and {END} are missing")
    return f"{before}{BEGIN}\n\n{key_tables()}\n{END}{after}"


def _kind(kind: str, schema: Json) -> str:
    # The heading says what there is to say of `kind`.
    others = {key: child for key, child in schema["properties"].items() if key != "kind"}
    rows = _rows({**schema, "properties": others}, "channels.NAME")
    return f"#### `kind: {kind}`\n\n{_meaning(schema)}\n\n{_table(rows)}"


def _table(rows: Iterator[tuple[str, str, str, str]]) -> str:
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return (
        "\n".join(["| key | value | default | meaning |", "|---|---|---|---|", *lines, ""]) if lines else ""
    )


def _rows(schema: Json, path: str, above: tuple[str, ...] = ()) -> Iterator[tuple[str, str, str, str]]:
    """One row per key below `path`; `above` holds the types on the way, for routes hold routes."""
    whole = resolve(schema)
    for key, child in whole.get("properties", {}).items():
        required = key in whole.get("required", ())
        yield f"`{path}.{key}`", _type(child), _default(child, required=required), _meaning(child)
        yield from _rows(child, f"{path}.{key}", above)
    item = whole.get("items") or named(whole) or {}
    reference = str(item.get("$ref", ""))
    if reference and reference not in above:
        below = f"{path}[]" if "items" in whole else f"{path}.NAME"
        yield from _rows(item, below, (*above, reference))


def _type(schema: Json) -> str:
    whole = resolve(schema)
    if "enum" in whole or "const" in whole:
        return ", ".join(f"`{value}`" for value in whole.get("enum", [whole.get("const")]))
    if "anyOf" in whole:
        return _choice(whole["anyOf"])
    if whole.get("examples"):
        return f"text such as `{whole['examples'][0]}`"
    if whole.get("type") == "array":
        return f"list of {_type(whole['items'])}"
    if whole.get("format") == "uri":
        return "http(s) address"
    words = {"string": "text", "integer": "whole number", "number": "number"}
    words |= {"boolean": "`true`, `false`", "object": "mapping"}
    return words.get(str(whole.get("type")), "anything")


def _choice(options: list[Json]) -> str:
    if any("file" in option.get("properties", {}) for option in options):
        return "secret"
    if any("[KMG]" in option.get("pattern", "") for option in options):
        return "size such as `64MiB`"
    names = [_type(option) for option in options if option.get("type") != "null"]
    return " or ".join(dict.fromkeys(names))


def _default(schema: Json, *, required: bool) -> str:
    if required:
        return "required"
    default = schema.get("default")
    if default is None or default in ({}, [], ""):
        return ""
    return f"`{default if isinstance(default, str) else orjson.dumps(default).decode()}`"


def _meaning(schema: Json) -> str:
    text = schema.get("description") or resolve(schema).get("description", "")
    return "" if text.startswith("A secret: ") or text == "A duration such as 5m." else " ".join(text.split())


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(renewed(target.read_text(encoding="utf-8")), encoding="utf-8")
