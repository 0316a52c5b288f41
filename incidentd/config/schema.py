"""The JSON Schema of the configuration: for editors, for the reference, to know which keys exist where."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from incidentd.config.problems import KeyPath
from incidentd.config.section import Section
from incidentd.config.tree import Config
from incidentd.domain.duration import format_duration

Json = Mapping[str, Any]


class _Schema(GenerateJsonSchema):
    def encode_default(self, dft: Any) -> Any:  # noqa: ANN401 - any default of any field
        if isinstance(dft, timedelta):
            return format_duration(dft)
        # The default of a section is the defaults of its keys: they are told one by one.
        return {} if isinstance(dft, Section) else super().encode_default(dft)

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002 - the inherited signature
        """Leave titles out: they repeat the key."""
        return False

    def dict_schema(self, schema: core_schema.DictSchema) -> dict[str, Any]:
        """A mapping whose keys follow a pattern has no others."""
        found = super().dict_schema(schema)
        return {**found, "additionalProperties": False} if "patternProperties" in found else found


@functools.cache
def _schema() -> dict[str, Any]:
    found = Config.model_json_schema(schema_generator=_Schema)
    return {"$schema": _Schema.schema_dialect, **found, "title": "incidentd configuration"}


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the configuration file. It holds no value of any configuration."""
    return dict(_schema())


def schema_of(model: type[Section]) -> dict[str, Any]:
    """The same of any part that stands in a file of its own."""
    return {"$schema": _Schema.schema_dialect, **model.model_json_schema(schema_generator=_Schema)}


def resolve(schema: Json) -> Json:
    """`schema` with its ``$ref`` followed; an optional value stands for the value itself."""
    if "$ref" in schema:
        return resolve(_schema()["$defs"][schema["$ref"].rpartition("/")[2]])
    options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    return resolve(options[0]) if len(options) == 1 else schema


def known_keys(path: KeyPath, raw: object) -> tuple[str, ...]:
    """The keys that a mapping at `path` may have; none if any. `raw` tells the kinds of channels."""
    schema: Json | None = _schema()
    for key in path:
        schema = _below(resolve(schema), key) if schema is not None else None
        raw = _raw_below(raw, key)
        schema = _of_kind(schema, raw) if schema is not None else None
    return tuple(resolve(schema).get("properties", ())) if schema is not None else ()


def kinds() -> Iterator[tuple[str, Json]]:
    """Every kind of channel with its schema."""
    schema = resolve(named(_schema()["properties"]["channels"]) or {})
    mapping = schema.get("discriminator", {}).get("mapping")
    if mapping is None:
        yield schema["properties"]["kind"]["const"], schema
        return
    for kind, reference in sorted(mapping.items()):
        yield kind, resolve({"$ref": reference})


def _below(schema: Json, key: str | int) -> Json | None:
    properties = schema.get("properties", {})
    found = schema.get("items") if isinstance(key, int) else properties.get(key) or named(schema)
    return found if isinstance(found, Mapping) else None


def named(schema: Json) -> Json | None:
    """What the values of a mapping with free names look like; None if `schema` is no such mapping."""
    patterns = schema.get("patternProperties")
    found = next(iter(patterns.values())) if patterns else schema.get("additionalProperties")
    return found if isinstance(found, Mapping) else None


def _raw_below(raw: Any, key: str | int) -> object:  # noqa: ANN401 - whatever the file holds
    try:
        return raw[key]
    except (KeyError, IndexError, TypeError):
        return None


def _of_kind(schema: Json, raw: object) -> Json:
    if "discriminator" not in resolve(schema):
        return schema
    kind = raw.get("kind") if isinstance(raw, Mapping) else None
    return next((each for name, each in kinds() if name == kind), {})
