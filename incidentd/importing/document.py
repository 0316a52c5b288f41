"""The configuration as YAML that people go on with."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML

from incidentd.importing.report import Outcome, Report
from incidentd.importing.words import plain

_WIDTH = 110
_ABOUT = {
    "users": "People. Check that each can be reached: docs/escalation.md, How people are reached.",
    "schedules": "Who is on duty when: docs/on-call.md. A later layer wins over an earlier one.",
    "escalation": "What happens while nobody answers: docs/escalation.md.",
    "status_page": "What the public sees: docs/status-page.md. Say in match which alerts concern each component.",
    "route": "Who is told of what. The first route that matches wins; add notify to the root for your channels.",
}


def as_yaml(config: Mapping[str, Any], report: Report, tool: str = "Grafana OnCall") -> str:
    """The sections, with a heading, and what a person has to finish as comments."""
    counts = ", ".join(f"{report.count(outcome)} {outcome}" for outcome in Outcome)
    lines = [
        f"# Imported from {tool} by `incidentd import {tool.lower().replace(' ', '-')}`.",
        f"# {len(report.entries)} objects: {counts}. The report says what differs and why.",
        "# Copy the sections into your configuration, then run `incidentd check-config` on it.",
    ]
    for name, section in config.items():
        lines += ["", f"# {_ABOUT[name]}", _dumped({name: section}).rstrip()]
    if report.disabled:
        lines += [
            "",
            "# Routes whose condition cannot be written as matchers. Fill them in, or leave them out:",
        ]
        lines += [f"#   {plain(line)}" for line in report.disabled]
    if not config:
        lines += ["", "{}"]
    return "\n".join(lines) + "\n"


def _dumped(section: Mapping[str, Any]) -> str:
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None  # what has no mappings in it stands in one line
    yaml.width = _WIDTH
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # typed by its default
    stream = io.StringIO()
    yaml.dump(section, stream)
    return stream.getvalue()
