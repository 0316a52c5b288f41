"""Who may act from outside: what is unclear about it, and what deserves a warning."""

from __future__ import annotations

from collections.abc import Iterator

from incidentd.channels.pagerduty import PagerDutyConfig
from incidentd.channels.slack import SlackConfig
from incidentd.config.document import Document
from incidentd.config.problems import KeyPath, Problem, dotted
from incidentd.config.tree import Config
from incidentd.fields import RESERVED_NAMES


def unclear_users(config: Config, document: Document) -> Iterator[Problem]:
    """Users of whom it could not be told who acted."""
    seen: dict[str, str] = {}
    for name, user in config.users.items():
        if name in RESERVED_NAMES:
            path: KeyPath = ("users", name)
            what = f"is reserved for the daemon itself; accepted: any but {', '.join(sorted(RESERVED_NAMES))}"
            yield Problem(dotted(path), what, document.line(path))
        first = seen.setdefault(user.slack, name) if user.slack is not None else name
        if first != name:
            path = ("users", name, "slack")
            what = f"is the same as users.{first}.slack; accepted: a member ID of their own for each"
            yield Problem(dotted(path), what, document.line(path))


def unclear_senders(config: Config, document: Document) -> Iterator[Problem]:
    """Secrets of PagerDuty's webhooks by which it could not be told which channel an event came from."""
    seen: dict[str, tuple[str, int]] = {}
    for name, channel in config.channels.items():
        secrets = channel.webhook_secrets if isinstance(channel, PagerDutyConfig) else ()
        for index, secret in enumerate(secrets):
            other, place = seen.setdefault(secret.get_secret_value(), (name, index))
            if other != name:
                path: KeyPath = ("channels", name, "webhook_secrets", index)
                what = (
                    f"is the same as channels.{other}.webhook_secrets.{place}; "
                    "accepted: a subscription with a secret of its own for each channel"
                )
                yield Problem(dotted(path), what, document.line(path))


def idle_sections(config: Config) -> Iterator[str]:
    """Buttons that nobody may press."""
    callable_ = [
        name for name, each in config.channels.items() if isinstance(each, SlackConfig) and each.interactive
    ]
    known = any(user.slack for user in config.users.values())
    for name in callable_:
        if not known:
            yield f"channels.{name}: nobody under users has a slack ID, so every button and command is refused"
