#!/usr/bin/env python3
"""Write Grafana's dashboards, one file each, from `dashboards.toml`; with `--check` only compare.

Grafana's JSON is long and its panels differ in little; what they ask for stands in the TOML file. It needs the standard
library only.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24
"""Columns of Grafana's grid."""
HEIGHTS = {"row": 1, "stat": 4, "gauge": 5, "timeseries": 8, "bargauge": 8, "table": 8}
COLOURS = ("green", "yellow", "red")


def dashboards() -> dict[str, str]:
    """File name to content of every dashboard."""
    described = tomllib.loads((FOLDER / "dashboards.toml").read_text(encoding="utf-8"))
    return {
        f"{name}.json": json.dumps(_dashboard(name, board), indent=1, ensure_ascii=False) + "\n"
        for name, board in described.items()
    }


def _dashboard(name: str, board: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "uid": f"incidentd-{name}",
        "title": board["title"],
        "description": board["description"],
        "tags": ["incidentd"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": board.get("refresh", "1m"),
        "time": {"from": f"now-{board['window']}", "to": "now"},
        "timezone": "browser",
        "templating": {"list": _variables(environments=board.get("environments", False))},
        "annotations": {"list": [_deployments()]},
        "links": [
            {
                "title": "incidentd",
                "type": "dashboards",
                "tags": ["incidentd"],
                "asDropdown": True,
                "keepTime": True,
            }
        ],
        "panels": list(_panels(board["panels"])),
    }


def _variables(*, environments: bool) -> list[dict[str, Any]]:
    source = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    found = [source, _variable("job", "Job", "label_values(incidentd_deliveries_dead, job)")]
    if environments:
        # The daemon's configuration decides: all of them are figures.environments.
        query = 'label_values(incidentd_figures_environment{job=~"$job"}, environment)'
        found.append(_variable("environment", "Environment", query))
    return found


def _variable(name: str, label: str, query: str) -> dict[str, Any]:
    """One of which any number may be chosen; at first all that the query finds."""
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
    }


def _deployments() -> dict[str, Any]:
    """A line wherever something was deployed: the first question about any bend of a curve."""
    return {
        "name": "Deployments",
        "datasource": SOURCE,
        "enable": True,
        "iconColor": "blue",
        "expr": 'sum by (environment) (increase(deployment_frequency_total{job=~"$job"}[2m])) > 0',
        "titleFormat": "deployed to {{environment}}",
        "step": "60s",
    }


def _panels(described: list[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Place the panels from left to right, in lines as high as their highest."""
    x = y = line = 0
    for number, panel in enumerate(described, start=1):
        kind, width = panel["type"], panel.get("width", WIDTH if panel["type"] == "row" else 12)
        height = panel.get("height", HEIGHTS[kind])
        if x + width > WIDTH:
            x, y, line = 0, y + line, 0
        yield _panel(number, panel) | {"gridPos": {"x": x, "y": y, "w": width, "h": height}}
        x, line = x + width, max(line, height)


def _panel(number: int, panel: Mapping[str, Any]) -> dict[str, Any]:
    kind = panel["type"]
    if kind == "row":
        return {"id": number, "type": "row", "title": panel["title"], "collapsed": False, "panels": []}
    # A gauge and a table show what is now; the others need the course, or all of the window at its end.
    instant = kind in {"gauge", "table", "bargauge", "stat"}
    return {
        "id": number,
        "type": kind,
        "title": panel["title"],
        "description": panel.get("description", ""),
        "datasource": SOURCE,
        "targets": [
            {
                "refId": chr(ord("A") + place),
                "datasource": SOURCE,
                "expr": query["expr"],
                "legendFormat": query.get("legend", ""),
                "instant": instant,
                "range": not instant,
                **({"format": "table"} if kind == "table" else {}),
            }
            for place, query in enumerate(panel["queries"])
        ],
        "fieldConfig": {"defaults": _field(panel), "overrides": []},
        "options": _options(kind),
    }


def _field(panel: Mapping[str, Any]) -> dict[str, Any]:
    """`thresholds` are where it becomes yellow and red; `good` = "high" turns the colours round."""
    colours = COLOURS if panel.get("good", "low") == "low" else COLOURS[::-1]
    limits = panel.get("thresholds", [])
    steps = [{"color": colour, "value": at} for colour, at in zip(colours, [None, *limits], strict=False)]
    if len(limits) == 1:
        steps[1]["color"] = colours[-1]
    field: dict[str, Any] = {
        "unit": panel.get("unit", "short"),
        "noValue": panel.get("none", "-"),
        "thresholds": {"mode": "absolute", "steps": steps if limits else [{"color": "blue", "value": None}]},
        "color": {"mode": "palette-classic" if panel["type"] == "timeseries" else "thresholds"},
        **{name: panel[name] for name in ("min", "max", "decimals") if name in panel},
    }
    if panel["type"] == "timeseries":
        field["custom"] = {
            "drawStyle": panel.get("draw", "line"),
            "fillOpacity": 60 if panel.get("draw") == "bars" else 10,
            "showPoints": "never",
            "stacking": {"mode": "normal" if panel.get("stack") else "none", "group": "A"},
            "thresholdsStyle": {"mode": "line" if limits else "off"},
        }
    return field


def _options(kind: str) -> dict[str, Any]:
    if kind == "timeseries":
        return {
            "legend": {"displayMode": "list", "placement": "bottom", "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    if kind == "table":
        return {"showHeader": True}
    shown: dict[str, Any] = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    return shown | ({"orientation": "horizontal", "displayMode": "basic"} if kind == "bargauge" else {})


def main(arguments: list[str]) -> int:
    """Write them, or with `--check` name those that are not what would be written; exit status 1 then."""
    folder, wanted = FOLDER / "dashboards", dashboards()
    there = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    stale = sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))
    for name in stale:
        if arguments == ["--check"]:
            sys.stderr.write(
                f"{folder / name} is not what dashboards.toml says: run generate_dashboards.py\n"
            )
        elif name in wanted:
            (folder / name).write_text(wanted[name], encoding="utf-8")
        else:
            (folder / name).unlink()
    return int(arguments == ["--check"] and bool(stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
