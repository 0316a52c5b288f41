"""`server`: the daemon's own door, its log and its end."""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from incidentd.config.section import PositiveDuration, Section
from incidentd.fields import BaseUrl, Size


def _host(value: str) -> str:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?", value):
            raise ValueError(
                "is not a host; accepted: an address or a name, without scheme and port"
            ) from None
    return value


def _network(value: object) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    if isinstance(value, ipaddress.IPv4Network | ipaddress.IPv6Network):
        return value
    try:
        return ipaddress.ip_network(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("is not a network; accepted: such as 10.0.0.0/8, fd00::/8 or 192.0.2.7") from None


Network = Annotated[
    ipaddress.IPv4Network | ipaddress.IPv6Network,
    BeforeValidator(_network),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["10.0.0.0/8"]}),
]
"""A network, or one address."""


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
    trusted_proxies: tuple[Network, ...] = ()
    """Networks of the proxies in front, such as `10.0.0.0/8`: only what they say of a client in `X-Forwarded-For`, or
    of its certificate, is believed."""
    hosts: tuple[Annotated[str, AfterValidator(_host)], ...] = ()
    """Further names that browsers may sign in under, beside that of `public_url` and this machine's."""
    max_connections: int = Field(default=0, ge=0)
    """Connections at once; 0: what the limit of open files leaves room for. Beyond it an idle one is cut,
    or else the new one."""
    public_rate: int = Field(default=10, ge=0)
    """Requests a second that one client may make to the status page, links of mails and the sign-in page, in bursts of
    ten times as many; 0: any number. A client is an IPv4 address or an IPv6 /64; this machine is none."""

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
