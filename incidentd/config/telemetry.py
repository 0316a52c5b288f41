"""`telemetry`: where the daemon's own log, traces and errors go."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from incidentd.config.section import Section
from incidentd.fields import BaseUrl, Secret, Size

Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[\w.:/ -]+$")]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")]


def _dsn(value: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(value.get_secret_value())
        whole = (
            parts.scheme in {"http", "https"} and parts.hostname and parts.username and parts.path.strip("/")
        )
    except ValueError:
        whole = None
    if not whole:
        raise ValueError("is not a DSN; accepted: https://KEY@HOST/PROJECT, from the project's settings")
    return value


def need(module: str, extra: str) -> None:
    """Raise ValueError with the remedy unless `module` is installed; it is not imported, which takes time."""
    found = None
    with contextlib.suppress(ModuleNotFoundError):  # of the package that it is a part of
        found = importlib.util.find_spec(module)
    if found is None:
        raise ValueError(f"needs an extra: pip install 'incidentd[{extra}]', or leave this section out")


class LogFile(Section):
    """A file that takes the log besides the stream."""

    path: Path
    """Where it is; files put aside lie beside it as `.1`, `.2`, ..."""
    max_size: Annotated[Size, Field(ge=64 * 1024)] = Field(
        default=100 * 1024**2, json_schema_extra={"default": "100MiB"}
    )
    """It is put aside before it becomes bigger."""
    keep: int = Field(default=5, ge=0, le=1000)
    """How many put aside are kept."""


class Traces(Section):
    """Spans of requests, commits and deliveries, sent as OpenTelemetry's OTLP over HTTP."""

    endpoint: BaseUrl
    """The collector's address without `/v1/traces`, such as `http://127.0.0.1:4318`."""
    headers: Mapping[HeaderName, Secret] = {}
    """What the collector wants to see, such as an API key."""
    sample: float = Field(default=1.0, ge=0, le=1)
    """Share of the traces that are sent; each is sent whole or not at all."""

    @model_validator(mode="after")
    def _can_be_sent(self) -> Self:
        need("opentelemetry.exporter.otlp.proto.http", "otel")
        return self


class Sentry(Section):
    """Errors of the daemon, sent to Sentry or what speaks its language."""

    dsn: Annotated[Secret, AfterValidator(_dsn)]
    """The project's address, with its key."""

    @model_validator(mode="after")
    def _can_be_sent(self) -> Self:
        need("sentry_sdk", "sentry")
        return self


class Telemetry(Section):
    """What the daemon tells of itself. Changes need a restart."""

    service: Name = "incidentd"
    """`service` in logs, `service.name` in traces."""
    environment: Name | None = None
    """`environment` in logs, traces and errors, such as `production`."""
    log_output: Literal["stdout", "stderr"] = "stdout"
    """Where log lines go; messages of console channels always go to stdout."""
    log_file: LogFile | None = None
    """A file that takes the log too. Absent: none."""
    traces: Traces | None = None
    """Needs the extra `incidentd[otel]`. Absent: nothing is traced."""
    sentry: Sentry | None = None
    """Needs the extra `incidentd[sentry]`. Absent: errors stand in the log only."""
