"""`server` and `auth`: the daemon's own door, and who may come in."""

from __future__ import annotations

import enum
import ipaddress
import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, Field, SecretStr

from incidentd.config.section import PositiveDuration, Section
from incidentd.fields import RESERVED_NAMES, BaseUrl, Secret, Size, Slug

MIN_TOKEN = 20
"""Characters: tokens are stored as plain hashes, which guard only what is too long to be guessed."""


class Scope(enum.StrEnum):
    """What a token may do. Each includes nothing but itself; `admin` includes all."""

    INGEST = "ingest"
    READ = "read"
    RESPOND = "respond"
    ADMIN = "admin"


def _host(value: str) -> str:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?", value):
            raise ValueError(
                "is not a host; accepted: an address or a name, without scheme and port"
            ) from None
    return value


def _long(value: SecretStr) -> SecretStr:
    if len(value) < MIN_TOKEN:
        raise ValueError(f"is too short; accepted: at least {MIN_TOKEN} characters that nobody can guess")
    return value


LongSecret = Annotated[Secret, AfterValidator(_long)]
"""A secret that nobody can guess."""


def _unreserved(name: str) -> str:
    if name in RESERVED_NAMES:
        raise ValueError(
            f"is reserved for the daemon itself; accepted: any but {', '.join(sorted(RESERVED_NAMES))}"
        )
    return name


def _derived_url(data: dict[str, Any]) -> str:
    host, port = data["host"], data["port"]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Listen(Section):
    """A listener of its own."""

    host: Annotated[str, AfterValidator(_host)] = "127.0.0.1"
    """Address or name to listen on."""
    port: int = Field(ge=0, le=65535)
    """TCP port; 0 takes a free one."""


class Queue(Section):
    """How much intake may wait for the disk."""

    max_alerts: int = Field(default=50_000, ge=1)
    """Alerts waiting to be committed; beyond it the webhooks answer 503 and Alertmanager tries again."""


class Server(Section):
    """The daemon's own HTTP door, its log and its end."""

    host: Annotated[str, AfterValidator(_host)] = "127.0.0.1"
    """Address or name to listen on. Anything but loopback needs tokens, or the daemon refuses to start."""
    port: int = Field(default=8650, ge=0, le=65535)
    """TCP port; 0 takes a free one, which the daemon prints."""
    public_url: BaseUrl = Field(
        default_factory=_derived_url, json_schema_extra={"default": "http://HOST:PORT"}
    )
    """Where people reach this daemon: every link in a message begins with it."""
    max_body: Annotated[Size, Field(ge=1)] = Field(
        default=64 * 1024**2, json_schema_extra={"default": "64MiB"}
    )
    """Largest request body, counted after decompression; larger ones are answered 413."""
    metrics_open: bool = False
    """Serve `/metrics` without a token although tokens are configured."""
    log_level: Literal["debug", "info", "warn", "warning", "error"] = "info"
    """Log lines below this level are left out; `warning` is another word for `warn`."""
    log_format: Literal["json", "console"] = "json"
    """One JSON object per line, or lines for people."""
    shutdown_timeout: PositiveDuration = timedelta(seconds=10)
    """How long a stop may take before what is still running is cut off; the outbox sends it again."""
    queue: Queue = Queue()
    """How much intake may wait for the disk."""

    @property
    def loopback(self) -> bool:
        """True if only this machine can reach the daemon."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def public_url_given(self) -> bool:
        """True if the file names `public_url`; False if it follows from host and port."""
        return "public_url" in self.model_fields_set

    def at(self, host: str | None = None, port: int | None = None) -> Server:
        """The same with another host or port, as given on a command line; a derived `public_url` follows.

        Raises pydantic's ValidationError for an impossible host or port.
        """
        given = {name: getattr(self, name) for name in self.model_fields_set}
        given |= {"host": self.host if host is None else host, "port": self.port if port is None else port}
        return Server.model_validate(given)


TokenName = Annotated[Slug, AfterValidator(_unreserved)]
"""A name that timeline and audit may show as the actor."""


class Token(Section):
    """One API token of the configuration; others are made with `incidentd token create`."""

    name: TokenName
    """Who uses it: the actor in timeline and audit."""
    token: LongSecret
    """The token itself, at least 20 characters."""
    scopes: frozenset[Scope] = Field(min_length=1)
    """What it may do: any of `ingest`, `read`, `respond`, `admin`."""
    source: Slug | None = None
    """The source whose alerts it posts; without one, the first configured source."""
    expires: AwareDatetime | None = None
    """When it stops working, such as `2027-01-31T00:00:00Z`; without one, never."""


class Auth(Section):
    """Who may talk to the daemon."""

    tokens: tuple[Token, ...] = ()
    """API tokens. Without any, here or in the database, the daemon serves loopback only."""
