"""Critical alerts that leave over one way alone are warned about."""

from pathlib import Path

import pytest

from incidentd.config import load

CHANNELS = """
severity: {map: {page: critical}}
channels:
  phones: {kind: apprise, urls: ["${NTFY}"]}
  backed: {kind: apprise, urls: ["${NTFY}"], fallback: [hook]}
  hook: {kind: webhook, url: "${HOOK}"}
  ops: {kind: webhook, url: "${HOOK}"}
  screen: {kind: console}
"""
ENV = {"NTFY": "ntfys://ops", "HOOK": "https://hooks.example"}


def _weak(folder: Path, text: str) -> list[str]:
    path = folder / "incidentd.yaml"
    path.write_text(text, encoding="utf-8")
    return [line for line in load(path, ENV).warnings if "critical alerts reach" in line]


def _places(folder: Path, route: str, reason: str) -> list[str]:
    found = _weak(folder, f"{CHANNELS}route: {route}\n")
    return sorted(line.partition(":")[0] for line in found if reason in line)


@pytest.mark.parametrize(
    ("route", "places"),
    [
        ("{notify: [phones]}", ["route.notify"]),
        ("{notify: [phones, hook]}", []),
        ("{notify: [phones, screen]}", ["route.notify"]),
        ("{notify: [backed]}", []),
        ("{notify: [hook], routes: [{notify: [phones]}]}", ["route.routes.0.notify"]),
        (
            "{notify: [phones], routes: [{matchers: ['team=\"a\"']}]}",
            ["route.notify", "route.routes.0.notify"],
        ),
        (
            "{notify: [hook], routes: [{matchers: ['severity=\"critical\"'], notify: [phones]}]}",
            ["route.routes.0.notify"],
        ),
        # Matchers see the severity as mapped, so no alert has this one.
        ("{notify: [hook], routes: [{matchers: ['severity=\"page\"'], notify: [phones]}]}", []),
        ("{notify: [hook], routes: [{matchers: ['severity=\"warning\"'], notify: [phones]}]}", []),
        ("{notify: [hook], routes: [{matchers: ['severity!~\"critical|page\"'], notify: [phones]}]}", []),
        ("{notify: [hook], routes: [{notify: []}]}", []),
    ],
)
def test_apprise_as_the_only_way_for_critical_alerts_is_warned_about(
    tmp_path: Path, route: str, places: list[str]
) -> None:
    assert _places(tmp_path, route, "apprise does not tell why") == places


CRITICAL = "matchers: ['severity=\"critical\"']"
A_TEAM = "matchers: ['team=\"a\"']"


@pytest.mark.parametrize(
    ("root", "routes", "places"),
    [
        ("hook", [], ["route.notify"]),
        ("hook, ops", [], []),
        ("hook, screen", [], ["route.notify"]),
        ("screen", [], ["route.notify"]),
        ("", [], []),
        ("hook", [f"{CRITICAL}, notify: [hook, ops]"], []),
        ("hook, ops", [f"{CRITICAL}, notify: [hook]"], ["route.routes.0.notify"]),
        # A team's own alerts end at its route, everybody else's at the root.
        ("hook", [f"{A_TEAM}, notify: [hook, ops]"], ["route.notify"]),
        # The first one catches them all, so the second one sees none.
        ("hook", [f"{CRITICAL}, notify: [hook, ops]", f"{A_TEAM}, notify: [hook]"], []),
        # With `continue` an alert leaves over both, if the first one is sure to match.
        ("hook", [f"{CRITICAL}, notify: [hook], continue: true", f"{CRITICAL}, notify: [ops]"], []),
        (
            "hook",
            [f"{A_TEAM}, notify: [hook], continue: true", f"{CRITICAL}, notify: [ops]"],
            ["route.routes.1.notify"],
        ),
        (
            "hook",
            [f"{A_TEAM}, notify: [ops]", f"{CRITICAL}, notify: [hook]"],
            [
                "route.routes.0.notify",
                "route.routes.1.notify",
            ],
        ),
    ],
)
def test_one_channel_as_the_only_way_for_critical_alerts_is_warned_about(
    tmp_path: Path, root: str, routes: list[str], places: list[str]
) -> None:
    children = ", ".join(f"{{{each}}}" for each in routes)
    route = f"{{notify: [{root}], routes: [{children}]}}"
    assert _places(tmp_path, route, "if that cannot deliver nobody is paged") == places


def test_a_fallback_is_a_second_way(tmp_path: Path) -> None:
    text = """
channels:
  a: {kind: webhook, url: "${HOOK}", fallback: [b]}
  b: {kind: webhook, url: "${HOOK}"}
route: {notify: [a]}
"""
    assert _weak(tmp_path, text) == []


def test_who_has_nothing_but_a_console_is_not_bothered(tmp_path: Path) -> None:
    assert _weak(tmp_path, "") == []
    assert _weak(tmp_path, "channels: {a: {kind: console}}\nroute: {notify: [a]}") == []
