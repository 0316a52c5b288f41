"""`sources.NAME.alertmanagers` and `sources.NAME.reconcile`: whom to ask what really fires, and how often."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from incidentd.config.section import PositiveDuration, Section
from incidentd.domain.matcher import Matcher
from incidentd.domain.reconcile import Policy
from incidentd.fields import BaseUrl, Duration, Secret

_EITHER: JsonDict = {
    "type": ["object", "string"],
    "pattern": "^https?://",
    "examples": ["http://127.0.0.1:9093"],
}


class Alertmanager(Section):
    """One Alertmanager: its address, or a mapping with what its API needs besides."""

    model_config = ConfigDict(json_schema_extra=_EITHER)

    url: BaseUrl
    """Its address, with the path prefix if it has one, without `/api/v2`."""
    username: str | None = None
    """For basic authentication, together with `password`."""
    password: Secret | None = None
    """For basic authentication."""
    token: Secret | None = None
    """A bearer token, in place of user name and password."""
    ca_file: Path | None = None
    """Certificates to trust instead of the machine's."""

    @model_validator(mode="before")
    @classmethod
    def _address_alone(cls, value: Any) -> Any:  # noqa: ANN401 - whatever the file holds
        return value if isinstance(value, Mapping | BaseModel) else {"url": value}

    @model_validator(mode="after")
    def _fits_together(self) -> Alertmanager:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password belong together: give both or neither")
        if self.username is not None and self.token is not None:
            raise ValueError("has a token and a user name; accepted: one of them")
        return self


def _receiver(value: str) -> str:
    try:
        Matcher("receiver", "=~", value)
    except ValueError:
        raise ValueError(
            "is no regular expression; accepted: a receiver's name, or such as page|chat"
        ) from None
    return value


class Reconcile(Section):
    """Comparing with what the source's Alertmanagers hold: closes what is over there, opens what never came."""

    enabled: bool = True
    """Only of a source with `alertmanagers`."""
    every: PositiveDuration = timedelta(seconds=60)
    """How often all of them are asked."""
    rounds: int = Field(default=3, ge=2, le=1000)
    """In how many rounds in a row an alert must be gone before its end is believed."""
    group_interval: Duration = timedelta(minutes=5)
    """That of Alertmanager's routes: so long it may take to tell of a change by itself; nothing is decided before."""
    settle: Duration = timedelta(minutes=5)
    """How long an Alertmanager must be up before it is believed: more than three times Prometheus'
    `--rules.alert.resend-delay`."""
    open: bool = True
    """Open incidents for alerts that fire there and never came here."""
    receiver: Annotated[str, AfterValidator(_receiver)] | None = None
    """Which of Alertmanager's receivers post here, as an anchored regular expression. Only alerts routed to them are
    opened. Default: those that have posted so far."""
    unseen: Duration = timedelta(days=1)
    """An alert that was never seen there may be another sender's: it must also have been silent here for so long."""

    @property
    def policy(self) -> Policy:
        """The same for the domain."""
        receiver = None if self.receiver is None else Matcher("receiver", "=~", self.receiver)
        return Policy(
            every=self.every,
            rounds=self.rounds,
            group_interval=self.group_interval,
            settle=self.settle,
            opens=self.open,
            receiver=receiver,
            unseen=self.unseen,
        )
