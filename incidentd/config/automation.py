"""`automation`: what machines may do in the steps of runbooks. Off unless it is switched on here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from incidentd.config.section import PositiveDuration, Section
from incidentd.domain.automation import CommandRule, Policy
from incidentd.domain.matcher import Matcher
from incidentd.domain.runbook import LONGEST_TIMEOUT
from incidentd.fields import BaseUrl, Duration, Secret, Size, Slug

_LABEL = re.compile(r"\{label\.([A-Za-z_][A-Za-z0-9_]*)\}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HOST = re.compile(r"(?:[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
_RESERVED = ("INC_", "LD_")
_MIB = 1024 * 1024


def _argument(value: str) -> str:
    if "\0" in value:
        raise ValueError("has a NUL byte in it; accepted: text")
    if "{label." in value and not _LABEL.fullmatch(value):
        raise ValueError(
            "has a label inside other text; accepted: a label as a whole argument, such as {label.instance}"
        )
    return value


def _expression(value: str) -> str:
    try:
        Matcher("label", "=~", value)
    except ValueError:
        raise ValueError("is no regular expression; accepted: one such as [a-z0-9.-]+") from None
    return value


def _variable(value: str) -> str:
    if not _VARIABLE.fullmatch(value) or value.startswith(_RESERVED):
        raise ValueError("is no variable that can be passed on; accepted: a name such as KUBECONFIG")
    return value


def _host(value: str) -> str:
    if not _HOST.fullmatch(value.lower()):
        raise ValueError("is no host; accepted: host or host:port, such as api.internal:8080")
    return value.lower()


class Command(Section):
    """One command. Runbooks and people name it; what it runs stands here alone, and no shell reads it."""

    argv: tuple[Annotated[str, AfterValidator(_argument)], ...] = Field(min_length=1, max_length=100)
    """The program, as an absolute path, and its arguments. `{label.NAME}` as a whole argument is the incident's label,
    which must be allowed under `labels`."""
    mutating: bool = True
    """It changes something: a person must agree. `false`: it only looks, and incidents may start it by themselves."""
    labels: Mapping[str, Annotated[str, AfterValidator(_expression)]] = {}
    """Labels that may be arguments, each with the regular expression that its whole value must match. A value that
    begins with `-` never is."""
    environment: tuple[Annotated[str, AfterValidator(_variable)], ...] = ()
    """Variables of the daemon's environment that it gets. It has no others of them."""
    timeout: Annotated[PositiveDuration, Field(le=LONGEST_TIMEOUT)] = timedelta(minutes=1)
    """It is ended then, even if its step allows more; at most 10m."""
    cooldown: Duration = timedelta()
    """So long after a run of it no other one begins."""
    two_people: bool | None = None
    """A second person must agree. Absent: as `automation.two_people` says."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.argv[0].startswith("/"):
            raise ValueError("argv.0 is no absolute path; accepted: one such as /usr/bin/systemctl")
        missing = sorted(
            {found[1] for each in self.argv if (found := _LABEL.fullmatch(each))} - set(self.labels)
        )
        if missing:
            raise ValueError(
                f"argv has {{label.{missing[0]}}}, which labels does not allow; accepted: labels: "
                f"{{{missing[0]}: '[a-z0-9.-]+'}}"
            )
        return self


class Prometheus(Section):
    """A Prometheus, or what speaks its API."""

    url: BaseUrl
    """Its address, with the path prefix if it has one, without `/api/v1`."""
    token: Secret | None = None
    """A bearer token, if it wants one."""


class Limits(Section):
    """What one command may use; each process of it, where not said otherwise."""

    memory: Size = 512 * _MIB
    """Address space."""
    cpu: PositiveDuration = timedelta(seconds=60)
    """Time of the processor."""
    files: int = Field(default=256, ge=16, le=65536)
    """Open files."""
    file_size: Size = 64 * _MIB
    """Of a file that it writes."""
    processes: int = Field(default=64, ge=1, le=4096)
    """Processes and threads of the whole command. The system counts them for each user: give it a `user` of its own."""


class Automation(Section):
    """Steps of runbooks that a machine takes: see docs/runbooks.md."""

    enabled: bool = False
    """Steps are run. A reload with `false` ends those under way; `incidentctl automation stop` does without one."""
    dry_run: bool = False
    """Nothing is run: what would be is written down in its place."""
    two_people: bool = False
    """What changes something needs a second person, who is not the one that asked."""
    agree_within: PositiveDuration = timedelta(hours=1)
    """So long a request waits for that second person."""
    at_once: int = Field(default=4, ge=1, le=64)
    """Steps that run at the same time, over all replicas."""
    per_runbook: int = Field(default=2, ge=1, le=64)
    """The same for each runbook."""
    waiting: int = Field(default=200, ge=1, le=10_000)
    """Steps that wait for their turn. What a storm of incidents would add by itself is left to people."""
    fresh: PositiveDuration = timedelta(minutes=5)
    """What an incident started by itself and could not begin for so long is given up."""
    http_hosts: tuple[Annotated[str, AfterValidator(_host)], ...] = ()
    """Hosts that `http` steps may ask: `host` for all its ports, or `host:port`. Redirects are not followed."""
    prometheus: Mapping[Slug, Prometheus] = {}
    """Servers that `promql` steps may ask, by name. The first is meant where a step names none."""
    commands: Mapping[Slug, Command] = {}
    """What `command` steps may run, by name."""
    user: str | None = Field(default=None, min_length=1)
    """The system's user whom commands run as. Only a daemon that runs as root can become another; capabilities alone do
    not suffice. One that runs as root and has no `user` here runs no command; any other one runs them as its own user,
    who can read its configuration and database."""
    limits: Limits = Limits()
    """What a command may use."""

    @property
    def policy(self) -> Policy:
        """The same for the domain."""
        return Policy(
            enabled=self.enabled,
            dry_run=self.dry_run,
            two_people=self.two_people,
            at_once=self.at_once,
            per_runbook=self.per_runbook,
            waiting=self.waiting,
            fresh=self.fresh,
            agree_within=self.agree_within,
            commands={
                name: CommandRule(each.mutating, each.two_people, each.cooldown)
                for name, each in self.commands.items()
            },
            hosts=self.http_hosts,
            prometheus=tuple(self.prometheus),
        )


def open_to_commands(section: Automation) -> Iterator[str]:
    """What commands could read that is not theirs."""
    if section.enabled and section.commands and section.user is None:
        yield (
            "automation.user: not set, so commands run as the daemon's own user, who can read its configuration, keys"
            " and database; start it as root with a user of their own here (one that is root runs none without)"
        )


def label_in(argument: str) -> str | None:
    """The label that an argument stands for; None if it is plain text."""
    found = _LABEL.fullmatch(argument)
    return found[1] if found else None
