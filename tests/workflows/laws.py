"""What random stories of incidents are made of and judged by: configurations, and the legal steps of a timeline."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from incidentd.domain.flapping import Flapping
from incidentd.domain.maintenance import Window, plan
from incidentd.domain.matcher import parse_matcher
from incidentd.workflows.rules import Rules
from tests.workflows.world import MINUTE, RULES, START

GROUPINGS = [("service",), ("service",), ("alertname", "service"), ("...",)]
WINDOWS = [
    (),
    (),
    (Window("w", (parse_matcher('service="api"'),), plan(START, 20 * MINUTE, "Etc/UTC", None)),),
]
HEARTBEATS = [{}, {}, {"main": ((parse_matcher('alertname="c"'),),)}]


@st.composite
def configurations(draw: st.DrawFn) -> Rules:
    """Any of the configurations a story may be told under."""
    return replace(
        RULES,
        grouping=draw(st.sampled_from(GROUPINGS)),
        heartbeats=draw(st.sampled_from(HEARTBEATS)),
        maintenance=draw(st.sampled_from(WINDOWS)),
        flapping=Flapping(refires=draw(st.sampled_from([1, 5]))),
    )


OPEN = ("triggered", "acknowledged")
MOVES = {
    "triggered": (("",), "triggered"),
    "acknowledged": (("triggered",), "acknowledged"),
    "unacknowledged": (("acknowledged",), "triggered"),
    "severity_raised": (OPEN, "triggered"),
    "snooze_ended": (OPEN, "triggered"),
    "resolved": (OPEN, "resolved"),
    "reopened": (("resolved",), "triggered"),
}
"""Kind of a timeline entry -> the states it may be met in, and the state it leads to."""
