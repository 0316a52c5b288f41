"""Integrations and their routes -> `route`: one tree for all, for here all sources share it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from incidentd.importing.escalation import Chains
from incidentd.importing.expressions import Condition, Unsayable, labels, regex, template
from incidentd.importing.report import Account, Outcome, block
from incidentd.importing.source import Export

_INTAKE = {
    "alertmanager": "/webhooks/alertmanager",
    "legacy_alertmanager": "/webhooks/alertmanager",
    "grafana_alerting": "/webhooks/grafana",
    "legacy_grafana_alerting": "/webhooks/grafana",
    "grafana": "/webhooks/grafana",
}
_BACKENDS = {"slack": "channel_id", "telegram": "id", "msteams": "id"}
_SHARED = "here all integrations share one tree: alerts of the others take it too"
_NO_CHAIN = "it escalates to nobody, as in OnCall"


class Routes:
    """The route tree, as far as it can be said."""

    def __init__(self, export: Export, chains: Chains, channels: Mapping[str, str]) -> None:
        self._chains, self._channels = chains, channels
        self.config: list[dict[str, Any]] = []
        self.disabled: list[str] = []
        self._several = len(export.of("integrations")) > 1
        self._defaults: list[dict[str, Any]] = []
        routes: dict[str, list[Account]] = {}
        for account in export.of("routes"):
            routes.setdefault(str(account.get("integration_id")), []).append(account)
        for account in export.of("integrations"):
            self._integration(account, routes.pop(account.id, []))
        for left in routes.values():
            for account in left:
                account.drop("the export does not hold its integration; export integrations too")
        self.config += [route for route in self._defaults if route]

    def _integration(self, account: Account, routes: list[Account]) -> None:
        account.mapped("id", "name", "type")
        _unused(account)
        intake = _INTAKE.get(str(account.get("type")))
        if intake is None:
            why = (
                f"nothing takes in alerts of type {account.get('type')} here: send them through Alertmanager"
            )
            account.settle(Outcome.APPROXIMATED, why, "route")
        else:
            account.settle(Outcome.MAPPED, f"point it to {intake} with a token of its own", "route")
        default = block(account.get("default_route"))
        last = [route for route in routes if route.get("is_the_last_route")]
        for route in sorted(routes, key=lambda each: int(each.get("position") or 0)):
            if route not in last:
                self._route(route)
        for route in last:
            route.mapped(
                "id", "integration_id", "position", "is_the_last_route", "routing_regex", "routing_type"
            )
            self._last(route, route.raw, "")
        if last:
            account.mapped("default_route", why="the same as the last of its routes")
        elif default:
            self._last(account, default, _prefix(account))

    def _last(self, account: Account, route: Mapping[str, Any], prefix: str) -> None:
        """The route that catches what no other one of its integration does."""
        made = self._node(account, route, prefix)
        account.mapped(f"{prefix}id")
        if self._defaults and made != self._defaults[0]:
            why = "another integration's default route stands at the end of the tree; this one would be behind it"
            if prefix:
                account.settle(Outcome.APPROXIMATED, f"default route dropped: {why}")
                account.note(Outcome.DROPPED, why, "default_route")
            else:
                account.drop(why)
            return
        self._defaults = [made]
        account.settle(Outcome.MAPPED, becomes="route.routes")
        if self._several:
            account.settle(Outcome.APPROXIMATED, _SHARED)

    def _route(self, account: Account) -> None:
        account.mapped(
            "id", "integration_id", "position", "is_the_last_route", "routing_regex", "routing_type"
        )
        account.mapped("filtering_labels", "labels")
        try:
            condition = _condition(account)
        except Unsayable as refused:
            account.drop(
                f"its condition cannot be written as matchers ({refused}); alerts take the routes after it"
            )
            account.note(Outcome.DROPPED, str(refused), "routing_regex", "routing_type", "filtering_labels")
            self._disable(account)
            return
        node = self._node(account, account.raw, "")
        for alternative in condition.alternatives:
            matchers = [str(matcher) for matcher in alternative]
            self.config.append({"matchers": matchers, **node} if matchers else dict(node))
        account.settle(Outcome.MAPPED, becomes=f"route.routes.{len(self.config) - 1}")
        if condition.differs:
            account.settle(Outcome.APPROXIMATED, condition.differs)
            account.note(Outcome.APPROXIMATED, condition.differs, "routing_regex", "filtering_labels")
        if self._several:
            account.settle(Outcome.APPROXIMATED, _SHARED)

    def _disable(self, account: Account) -> None:
        node = self._node(account, account.raw, "", told=False)
        wanted = ", ".join(f"{key}: {value}" for key, value in node.items())
        said = " ".join(str(account.get("routing_regex") or account.get("filtering_labels")).split())
        self.disabled.append(f"- {{matchers: [], {wanted}}}  # {account.id}, OnCall: {said}")

    def _node(
        self, account: Account, route: Mapping[str, Any], prefix: str, *, told: bool = True
    ) -> dict[str, Any]:
        """Whom a route tells, and its policy."""
        node: dict[str, Any] = {}
        notify = [
            name
            for kind, key in _BACKENDS.items()
            if (name := self._backend(account, route, prefix, kind, key))
        ]
        if notify:
            node["notify"] = notify
        chain = route.get("escalation_chain_id")
        if not chain:
            if told:
                account.settle(Outcome.MAPPED, _NO_CHAIN)
            return node
        slug = self._chains.slugs.get(str(chain))
        if slug is not None:
            node["escalation"] = slug
            account.mapped(f"{prefix}escalation_chain_id")
        else:
            why = "its chain is not here, so it escalates to nobody"
            account.note(Outcome.DROPPED, why, f"{prefix}escalation_chain_id")
            account.settle(Outcome.APPROXIMATED, why)
        return node

    def _backend(
        self, account: Account, route: Mapping[str, Any], prefix: str, kind: str, key: str
    ) -> str | None:
        """Our channel for a chat of the route; None without one."""
        said = block(route.get(kind))
        field, place = f"{prefix}{kind}", said.get(key)
        if not said.get("enabled", True) or not place:
            why = (
                "off"
                if not said.get("enabled", True)
                else "whatever channel OnCall takes where none is named"
            )
            account.note(Outcome.MAPPED if why == "off" else Outcome.DROPPED, why, field)
            return None
        channel = self._channels.get(str(place))
        if channel is None:
            why = (
                f"no channel was given for it, say --channel {place}=NAME; the channels of the root are told"
            )
            account.note(Outcome.DROPPED, why, field)
            account.settle(Outcome.APPROXIMATED, f"{kind}: {why}")
            return None
        account.mapped(field, why=f"channels.{channel}")
        return channel


def _condition(account: Account) -> Condition:
    kind, text = str(account.get("routing_type") or "regex"), str(account.get("routing_regex") or "")
    if kind == "labels":
        return labels(account.get("filtering_labels") or account.get("labels"))
    if kind == "jinja2":
        return template(text)
    if kind == "regex" and text:
        return regex(text)
    raise Unsayable(f"a condition of type {kind} is not known" if kind != "regex" else "it has none")


def _prefix(account: Account) -> str:
    return "default_route.0." if isinstance(account.get("default_route"), list) else "default_route."


def _unused(account: Account) -> None:
    account.note(Outcome.DROPPED, "teams own nothing here", "team_id")
    account.note(
        Outcome.DROPPED, "its own address is OnCall's; here senders have tokens", "link", "inbound_email"
    )
    why = "words are said by channels.NAME.texts, and grouping by grouping.by"
    account.note(Outcome.DROPPED, why, "templates")
    aside = "a heartbeat is configured by sources.NAME.heartbeats or heartbeats, labels come with the alerts"
    account.note(Outcome.DROPPED, aside, "heartbeat", "labels", "dynamic_labels", "description_short")
    grouping = block(block(account.get("templates"))).get("grouping_key")
    if grouping:
        account.settle(
            Outcome.APPROXIMATED,
            "templates.grouping_key is dropped: see grouping.by",
        )
