"""Field types that configuration models share: secrets, durations, sizes, addresses, names.

Channels declare their own configuration with these, and the configuration tree is made of them. A message of
these validators says what is wrong and what is accepted, and never repeats a value that could be secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Protocol
from urllib.parse import quote, urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    PlainSerializer,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
)

from incidentd.domain.duration import format_duration, parse_duration
from incidentd.domain.placeholders import MAX_TEXT, parse

SECRETS = "secrets"
"""Key of the validation context under which a `SecretResolver` is found."""

RESERVED_NAMES = frozenset({"source", "incidentd", "reconcile"})
"""Actors that are no person and no token: their entries in timeline and audit must not be claimed by one."""

_VENDORS = frozenset({"pagerduty"})
"""Actors of vendors' automatons, which the audit log takes for machines. Only where people name themselves: a
configured token may well be called ``pagerduty``, which is another name than ``PagerDuty``."""


def is_machine(name: str) -> bool:
    """True if a person who gives themselves this name could be taken for a machine."""
    return name.strip().lower() in RESERVED_NAMES | _VENDORS


_FORMS = '"${ENV_NAME}", {file: PATH} or a literal text'
_ENV = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")
_SIZE = re.compile(r"([0-9]{1,15}) ?(B|[KMG]i?B)?")
_SIZE_UNITS = {
    "B": 1,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
}
_MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class EnvReference:
    """A whole value that was written ``${NAME}``.

    The loader puts it in place of the text, so that any field but a secret refuses it by its type instead of
    taking the dollar sign literally.
    """

    name: str


class SecretResolver(Protocol):
    """Where secrets come from. Both methods raise ValueError naming the remedy, never a value."""

    def environment(self, name: str) -> str:
        """The non-empty value of the environment variable `name`."""
        ...

    def file(self, path: str) -> str:
        """The non-empty content of the file at `path`, its trailing newline removed."""
        ...


def env_reference(text: str) -> EnvReference | None:
    """What `text` refers to if the whole of it is ``${NAME}``, else None."""
    match = _ENV.fullmatch(text)
    return EnvReference(match[1]) if match else None


def expand_secret_text(text: str, info: ValidationInfo) -> str:
    """`text` with every ``${NAME}`` inside it replaced by the variable's percent-encoded value.

    Percent-encoded, because the text is an address and a password may hold ``@`` or ``/``. Raises ValueError
    naming a variable that cannot be read.
    """
    return _ENV.sub(lambda match: quote(_environment(match[1], info), safe=""), text)


def resolve_secret(value: object, info: ValidationInfo) -> SecretStr:
    """The secret that `value` holds or refers to. Raises ValueError naming the forms or the remedy."""
    if isinstance(value, SecretStr):
        return value
    if isinstance(value, str):
        value = env_reference(value) or value
    if isinstance(value, EnvReference):
        return SecretStr(_environment(value.name, info))
    if isinstance(value, Mapping) and value.keys() == {"file"} and isinstance(value["file"], str):
        return SecretStr(_resolver(info, "{file: PATH}").file(value["file"]))
    if not isinstance(value, str):
        raise ValueError(f"is not a secret; accepted: {_FORMS}")  # noqa: TRY004 - pydantic wants ValueError
    if not value:
        raise ValueError(f"is empty; accepted: {_FORMS}")
    if _ENV.search(value):
        raise ValueError(
            "has ${...} inside other text; accepted: ${NAME} as the whole value, or {file: PATH}"
        )
    return SecretStr(value)


def _environment(name: str, info: ValidationInfo) -> str:
    return _resolver(info, f"${{{name}}}").environment(name)


def _resolver(info: ValidationInfo, what: str) -> SecretResolver:
    resolver: SecretResolver | None = (info.context or {}).get(SECRETS)
    if resolver is None:
        raise ValueError(f"{what} can only be read when a configuration file is loaded")
    return resolver


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str) or (value == 0 and value is not False):
        return parse_duration(str(value))
    raise ValueError("is not a duration; accepted: text such as 30s, 5m, 1h30m or 2w")


def _size(value: object) -> int:
    match = _SIZE.fullmatch(str(value)) if isinstance(value, str | int) else None
    if match is None:
        units = ", ".join(_SIZE_UNITS)
        raise ValueError(f"is not a size; accepted: a whole number with one of {units}, such as 64MiB")
    return int(match[1]) * _SIZE_UNITS[match[2] or "B"]


def _slug(value: object) -> str:
    if isinstance(value, str) and _SLUG.fullmatch(value):
        return value
    raise ValueError("is not a name; accepted: up to 63 of a-z, 0-9, - and _, a letter or digit at both ends")


def _url(value: object, *, query: bool) -> str:
    accepted = "accepted: http:// or https:// with a host, such as https://host.example:8443/path"
    if not isinstance(value, str):
        raise ValueError(f"is not an address; {accepted}")  # noqa: TRY004 - pydantic wants ValueError
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ValueError(f"is not an address; {accepted}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or (port is not None and port > _MAX_PORT):
        raise ValueError(f"is not an http address; {accepted}")
    if re.search(r"[\s\x00-\x1f\x7f]", value):
        raise ValueError(f"has blanks or control characters; {accepted}")
    if "@" in parts.netloc:
        raise ValueError("has a user or password in it; accepted: an address without them")
    if (parts.query or parts.fragment) and not query:
        raise ValueError("has a query or fragment; accepted: an address without ? and #")
    return value


def _base_url(value: object) -> str:
    return _url(value, query=False).rstrip("/?#")


def _http_url(value: object) -> str:
    return _url(value, query=True)


def _secret_url(secret: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(secret.get_secret_value())
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ValueError("is not an http address; accepted: http:// or https:// with a host")
    return secret


def origin(url: SecretStr) -> str:
    """Scheme, host and port of an address, to show it by: what follows them may be a token."""
    parts = urlsplit(url.get_secret_value())
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}"


def _placeholders(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("is no text; accepted: text such as '{incident.title} in {label.cluster|default:-}'")
    parse(value)
    return value


SECRET_SCHEMA: Mapping[str, Any] = {
    "description": f"A secret: {_FORMS}. Only the first two keep it out of this file.",
    "anyOf": [
        {"type": "string", "minLength": 1},
        {
            "type": "object",
            "properties": {"file": {"type": "string", "minLength": 1}},
            "required": ["file"],
            "additionalProperties": False,
        },
    ],
}
"""JSON Schema of what a secret may be written as."""

Secret = Annotated[
    SecretStr,
    BeforeValidator(resolve_secret),
    WithJsonSchema(dict(SECRET_SCHEMA)),
]
"""A value that is never printed; the context's `SecretResolver` reads ``${NAME}`` and ``{file: PATH}``."""

SecretUrl = Annotated[Secret, AfterValidator(_secret_url)]
"""An http or https address that is held like a secret, for there is a token in it."""

Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(
        {"type": "string", "examples": ["5m", "30s", "1h30m"], "description": "A duration such as 5m."}
    ),
]
"""A length of time in Prometheus' syntax; a bare 0 is accepted, any other bare number is not."""

Size = Annotated[
    int,
    BeforeValidator(_size),
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": f"^{_SIZE.pattern}$"}],
            "description": "A number of bytes such as 64MiB.",
        }
    ),
]
"""A number of bytes: plain, or with B, KB, MB, GB (powers of 1000), KiB, MiB, GiB (powers of 1024)."""

BaseUrl = Annotated[
    str,
    BeforeValidator(_base_url),
    WithJsonSchema({"type": "string", "format": "uri", "pattern": "^https?://"}),
]
"""An http or https address to append paths to: no user, query or fragment; a trailing slash is cut."""

HttpUrl = Annotated[
    str,
    BeforeValidator(_http_url),
    WithJsonSchema({"type": "string", "format": "uri", "pattern": "^https?://"}),
]
"""An http or https address, kept as written: it may have a path and a query, but no user or password."""

Slug = Annotated[
    str, BeforeValidator(_slug), WithJsonSchema({"type": "string", "pattern": f"^{_SLUG.pattern}$"})
]
"""A name that is safe in addresses, metrics and command lines: 1 to 63 of a-z, 0-9, - and _."""

PlaceholderText = Annotated[
    str,
    BeforeValidator(_placeholders),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_TEXT}),
]
"""A text with placeholders, checked to be one that can be filled in."""
