"""Bytes -> objects of Grafana OnCall: what its HTTP API answered, or a Terraform state with its resources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from incidentd.importing.checks import problems_of
from incidentd.importing.report import Account

KINDS = (
    "users",
    "teams",
    "user_groups",
    "slack_channels",
    "webhooks",
    "personal_notification_rules",
    "schedules",
    "on_call_shifts",
    "shift_swaps",
    "final_shifts",
    "escalation_chains",
    "escalation_policies",
    "integrations",
    "routes",
)
"""What an export may hold, as OnCall's API calls it."""

_TERRAFORM = {
    "schedule": "schedules",
    "on_call_shift": "on_call_shifts",
    "escalation_chain": "escalation_chains",
    "escalation": "escalation_policies",
    "route": "routes",
    "integration": "integrations",
    "user_notification_rule": "personal_notification_rules",
    "outgoing_webhook": "webhooks",
    "action": "webhooks",
    "user": "users",
    "team": "teams",
    "slack_channel": "slack_channels",
    "user_group": "user_groups",
}
_PREFIXES = ("grafana_oncall_", "oncall_", "amixr_")
FOREIGN = "resources"
"""Kind of what a Terraform state holds besides."""
_SHOWN = 20


class ImportRefused(Exception):
    """What was given is no export, or a broken one. As text: one line per problem, with its place and the remedy."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        more = [f"and {len(problems) - _SHOWN} more problems"] if len(problems) > _SHOWN else []
        super().__init__("\n".join([*problems[:_SHOWN], *more]))


@dataclass(frozen=True, slots=True)
class Export:
    """What was exported."""

    accounts: tuple[Account, ...]
    """Every object, in the order of the file."""

    def of(self, kind: str) -> list[Account]:
        """The objects of a kind."""
        return [account for account in self.accounts if account.kind == kind]


def read(data: bytes) -> Export:
    """The objects in `data`, checked for what the import relies on. Raises ImportRefused with all problems at once."""
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError as refused:
        where = f"line {refused.lineno}, column {refused.colno}"
        raise ImportRefused(f"{where}: is not JSON ({refused.msg}); {_ACCEPTED}") from None
    if not isinstance(found, dict):
        raise ImportRefused(f"the file is no JSON object; {_ACCEPTED}")
    problems: list[str] = []
    accounts = list(_terraform(found, problems) if _is_terraform(found) else _api(found, problems))
    for account in accounts:
        problems += problems_of(account)
    if problems:
        raise ImportRefused(*problems)
    if not any(account.kind in KINDS for account in accounts):
        raise ImportRefused(f"the file holds nothing of Grafana OnCall; {_ACCEPTED}")
    return Export(tuple(accounts))


_ACCEPTED = (
    'accepted: one object such as {"schedules": [...], "on_call_shifts": [...]} made from the API, '
    "or the output of `terraform show -json`"
)


def _is_terraform(found: Mapping[str, Any]) -> bool:
    return "format_version" in found or ("terraform_version" in found and "resources" in found)


def _api(found: Mapping[str, Any], problems: list[str]) -> Iterator[Account]:
    for kind, value in found.items():
        if kind == "final_shifts" and isinstance(value, Mapping) and "results" not in value:
            # Asked for one schedule at a time, so that the answers stand under its ID.
            for schedule, answer in value.items():
                for place, each in _items(f"{kind}.{schedule}", answer, problems):
                    yield Account(kind, place, {"schedule_id": schedule, **each})
        else:
            for place, each in _items(str(kind), value, problems):
                yield Account(str(kind), place, each)


def _items(place: str, value: object, problems: list[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The objects of a list, of a page, or of a list of pages."""
    pages = value if isinstance(value, list) and value and all(map(_is_page, value)) else None
    if _is_page(value):
        pages = [value]
    if pages is None:
        yield from _objects(place, value, problems)
        return
    for index, page in enumerate(pages):
        here = f"{place}.results" if page is value else f"{place}[{index}].results"
        yield from _objects(here, page["results"], problems)
    if pages[-1].get("next"):
        problems.append(f"{place}.next: the last page is missing; fetch pages until next is null")


def _is_page(value: object) -> bool:
    return isinstance(value, dict) and "results" in value


def _objects(place: str, value: object, problems: list[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if not isinstance(value, list):
        detail = value.get("detail") if isinstance(value, dict) else None
        said = f' (the API answered "{detail}")' if isinstance(detail, str) else ""
        problems.append(f"{place}: is no list{said}; accepted: a list of objects, or an answer with results")
        return
    for index, each in enumerate(value):
        if isinstance(each, dict):
            yield f"{place}[{index}]", each
        else:
            problems.append(f"{place}[{index}]: is no object; accepted: objects as the API answers them")


def _terraform(found: Mapping[str, Any], problems: list[str]) -> Iterator[Account]:
    if "resources" in found:  # the state file itself
        resources = list(_instances(found["resources"]))
    else:
        values = found.get("values")
        root = values.get("root_module") if isinstance(values, dict) else None
        if not isinstance(root, dict):
            problems.append(
                "values.root_module: is missing; accepted: `terraform show -json` of an applied state"
            )
            return
        resources = list(_module(root))
    for resource in resources:
        address, values = str(resource.get("address", "?")), resource.get("values")
        if isinstance(values, dict):
            yield Account(_kind(str(resource.get("type", ""))), address, values)
        else:
            problems.append(f"{address}: has no values; accepted: `terraform show -json` of an applied state")


def _module(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from (each for each in module.get("resources") or () if isinstance(each, dict))
    for child in module.get("child_modules") or ():
        if isinstance(child, dict):
            yield from _module(child)


def _instances(resources: object) -> Iterator[Mapping[str, Any]]:
    for each in resources if isinstance(resources, list) else ():
        if not isinstance(each, dict):
            continue
        data = "data." if each.get("mode") == "data" else ""
        for index, instance in enumerate(each.get("instances") or ()):
            key = instance.get("index_key", index) if isinstance(instance, dict) else index
            address = f"{data}{each.get('type')}.{each.get('name')}[{key}]"
            values = instance.get("attributes") if isinstance(instance, dict) else None
            yield {"address": address, "type": each.get("type"), "values": values}


def _kind(resource: str) -> str:
    for prefix in _PREFIXES:
        if resource.startswith(prefix):
            return _TERRAFORM.get(resource.removeprefix(prefix), FOREIGN)
    return FOREIGN
