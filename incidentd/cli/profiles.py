"""Where the CLI finds its server and token: option, then environment, then profile.

The profiles file is `$XDG_CONFIG_HOME/incidentd/profiles.toml` (default
`~/.config/incidentd/profiles.toml`), one table for each profile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from incidentd.cli.client import CtlError

DEFAULT_URL = "http://127.0.0.1:8650"
DEFAULT_PROFILE = "default"
ACCEPTED_KEYS = ("url", "token", "token_file", "user")


@dataclass(frozen=True)
class Options:
    """What was given on the command line; None where nothing was."""

    url: str | None = None
    token: str | None = field(default=None, repr=False)
    profile: str | None = None


@dataclass(frozen=True)
class Settings:
    """What the CLI will use, and where each value comes from. `token` is never shown."""

    url: str
    url_from: str
    token: str | None = field(repr=False)
    token_from: str
    user: str | None
    profile: str
    path: Path
    notice: str | None = None


def profiles_path(env: Mapping[str, str]) -> Path:
    """Return the path of the profiles file, which need not exist."""
    base = env.get("XDG_CONFIG_HOME") or str(Path(env.get("HOME") or "~").expanduser() / ".config")
    return Path(base) / "incidentd" / "profiles.toml"


def resolve(options: Options, env: Mapping[str, str]) -> Settings:
    """Combine option, environment and profile, in that order. Raises CtlError (exit 2)."""
    path = profiles_path(env)
    name = options.profile or env.get("INCIDENTD_PROFILE") or DEFAULT_PROFILE
    required = name != DEFAULT_PROFILE or options.profile is not None
    profile = _profile(path, name, required=required)
    place = f"profile {name}"
    url, url_from = _first(
        (options.url, "option --url"),
        (env.get("INCIDENTD_URL"), "INCIDENTD_URL"),
        (profile.get("url"), place),
        (DEFAULT_URL, "default"),
    )
    token, token_from = _first(
        (options.token, "option --token"), (env.get("INCIDENTD_TOKEN"), "INCIDENTD_TOKEN")
    )
    url, notice = check_url(url or DEFAULT_URL, url_from), None
    if token is None and ("token" in profile or "token_file" in profile):
        # A profile's token belongs to the profile's server: another address must not receive it.
        if "url" in profile and _origin(profile["url"]) != _origin(url):
            notice = f"the token of {place} was not sent: it belongs to {_origin(profile['url'])}"
        else:
            token, token_from = _profile_token(profile, path, place), place
    user, _ = _first((env.get("INCIDENTD_USER"), ""), (profile.get("user"), ""), (env.get("USER"), ""))
    return Settings(url, url_from, check_token(token, token_from), token_from, user, name, path, notice)


def check_url(url: str, origin: str) -> str:
    """Return the base URL without a trailing slash. Raises CtlError when it is none."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, good = urlsplit(""), False
    if not good or parts.query or parts.fragment or not url.isprintable() or " " in url:
        raise CtlError(
            f"the URL ({origin}) is not usable", "accepted: http://HOST:PORT or https://HOST", code=2
        )
    if parts.username is not None or parts.password is not None:
        # It would be printed with every error and stored in shell histories.
        raise CtlError(f"the URL ({origin}) holds a user name or password", "use a token instead", code=2)
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))


def check_token(token: str | None, origin: str) -> str | None:
    """Return a token that fits in a header. Raises CtlError without repeating the token."""
    if token is None:
        return None
    stripped = token.strip()
    if not stripped or not stripped.isascii() or not stripped.isprintable() or " " in stripped:
        raise CtlError(
            f"the token ({origin}) is not usable", "a token is one line of visible ASCII characters", code=2
        )
    return stripped


def _first(*choices: tuple[str | None, str]) -> tuple[str | None, str]:
    return next(((value, origin) for value, origin in choices if value), (None, ""))


def _origin(url: str) -> str:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    return f"{parts.scheme}://{parts.hostname}:{port}"


def _profile(path: Path, name: str, *, required: bool) -> dict[str, str]:
    # Imported here: most commands of a user without profiles never need it.
    import tomllib

    try:
        document: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        document = {}
    except (OSError, ValueError) as error:
        # The reason of a TOML error has no content of the file, only the place.
        raise CtlError(f"cannot read {path}: {error}", code=2) from None
    table = document.get(name)
    if table is None:
        if required:
            known = ", ".join(sorted(document)) or "none"
            raise CtlError(f"no profile {name!r} in {path}", f"profiles there: {known}", code=2)
        return {}
    return _checked(table, name, path)


def _checked(table: object, name: str, path: Path) -> dict[str, str]:
    accepted = "accepted: " + ", ".join(ACCEPTED_KEYS)
    if not isinstance(table, dict):
        raise CtlError(f"{path}: {name}: must be a table [{name}]", accepted, code=2)
    for key, value in table.items():
        if key not in ACCEPTED_KEYS:
            raise CtlError(f"{path}: {name}.{key}: unknown key", accepted, code=2)
        if not isinstance(value, str):
            raise CtlError(f"{path}: {name}.{key}: must be text", code=2)
    if "token" in table and "token_file" in table:
        raise CtlError(f"{path}: {name}: both token and token_file", "keep one of them", code=2)
    if "url" in table:
        check_url(table["url"], f"{path}: {name}.url")
    return table


def _profile_token(profile: Mapping[str, str], path: Path, place: str) -> str:
    if "token" in profile:
        return profile["token"]
    # Relative to the profiles file, so that the two can be moved together.
    file = path.parent / Path(profile["token_file"]).expanduser()
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise CtlError(f"cannot read the token_file of {place}: {file}: {reason}", code=2) from None
