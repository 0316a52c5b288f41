"""Where the values of secrets come from: the environment, and files that a secret manager mounts."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pydantic import BaseModel, SecretStr

from incidentd.config.database import DatabaseUrl, literal_password
from incidentd.config.problems import KeyPath, dotted
from incidentd.fields import EnvReference

_USER_INFO = re.compile(r"://([^?#]*)@")
_MAX_BYTES = 64 * 1024
"""No secret is larger; a wrong path, such as a log file, often is."""


@dataclass(frozen=True, slots=True)
class SecretReader:
    """Reads secrets for one configuration file; a `SecretResolver`."""

    env: Mapping[str, str]
    folder: Path
    """What the paths of secret files are relative to: the configuration file's folder."""

    def environment(self, name: str) -> str:
        """Value of the variable `name`. Raises ValueError if it is not set or empty."""
        value = self.env.get(name)
        if not value:
            state = "is not set" if value is None else "is empty"
            raise ValueError(f"the environment variable {name} {state}; set it, or write {{file: PATH}}")
        return value

    def file(self, path: str) -> str:
        """Content of the file without its trailing newline. Raises ValueError saying what to do about it."""
        found = self.folder / path
        try:
            with found.open("rb") as file:
                content = file.read(_MAX_BYTES + 1)
            text = content[:_MAX_BYTES].decode().removesuffix("\n").removesuffix("\r")
        except FileNotFoundError:
            raise ValueError(
                f"the file {found} does not exist; create it with the secret as its content"
            ) from None
        except OSError as refused:
            reason = refused.strerror or "unreadable"
            raise ValueError(
                f"the file {found} cannot be read ({reason}); let the daemon's user read it"
            ) from None
        except (UnicodeDecodeError, ValueError):
            raise ValueError(
                f"the file {found} is not UTF-8 text; write the secret into it as text"
            ) from None
        if len(content) > _MAX_BYTES:
            raise ValueError(
                f"the file {found} is larger than 64 KiB; name the file that holds the secret alone"
            )
        if not text:
            raise ValueError(f"the file {found} is empty; write the secret into it")
        return text

    def exposed(self, path: str) -> bool:
        """True if every user of this machine may read the file."""
        try:
            return bool((self.folder / path).stat().st_mode & stat.S_IROTH)
        except OSError:
            return False


def secret_warnings(tree: BaseModel, raw: object, reader: SecretReader) -> Iterator[str]:
    """What deserves attention about the secrets in `tree`, which was read from `raw`."""
    for path, value in _secrets(tree, raw, ()):
        written = _at(raw, path)
        if isinstance(value, DatabaseUrl):
            if literal_password(written):
                yield f'{dotted(path)}: the password is written out here; write "${{ENV_NAME}}" in its place'
        elif isinstance(written, str):
            yield f'{dotted(path)}: the secret is written out here; write "${{ENV_NAME}}" or {{file: PATH}}'
        if isinstance(written, Mapping) and reader.exposed(str(written["file"])):
            where = reader.folder / str(written["file"])
            yield f"{dotted(path)}: every user of this machine can read {where}; chmod o-r {where}"


def secret_texts(tree: BaseModel) -> Iterator[str]:
    """Everything in `tree` that must never be shown: each secret, and the password of each that is an address."""
    for _, secret in _secrets(tree, {}, ()):
        text = secret.get_secret_value()
        yield text
        # A password may hold what an address should not: up to the last @.
        if (address := _USER_INFO.search(text)) is not None:
            yield from (unquote(part) for part in address[1].partition(":")[::2])
            yield from address[1].partition(":")[::2]


def _secrets(value: object, raw: object, path: KeyPath) -> Iterator[tuple[KeyPath, SecretStr]]:
    """Every secret below `value`, under the path it has in the file."""
    if isinstance(value, SecretStr):
        yield path, value
    elif isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            alias = field.alias or name
            # A model may accept its own name for an aliased key; the file says which was used.
            key = name if _at(raw, (*path, alias)) is None else alias
            yield from _secrets(getattr(value, name), raw, (*path, key))
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _secrets(item, raw, (*path, str(name)))
    elif isinstance(value, tuple | list):
        for index, item in enumerate(value):
            yield from _secrets(item, raw, (*path, index))


def _at(raw: Any, path: KeyPath) -> Any:  # noqa: ANN401 - whatever the file holds
    """The raw value at `path`; None where the file says nothing."""
    for key in path:
        try:
            raw = raw[key]
        except (KeyError, IndexError, TypeError):
            return None
    return None if isinstance(raw, EnvReference) else raw
