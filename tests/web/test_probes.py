"""What scanners put into addresses is counted by kind, logged now and then, never shown, and nothing is refused."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.security_events import Activity
from incidentd.web.probes import probes
from tests.web.conftest import TOKENS, Daemon, alert

CASES = [
    ("/../../etc/passwd", Activity.TRAVERSAL),
    ("/x?file=..%2f..%2fboot.ini", Activity.TRAVERSAL),
    ("/%252e%252e%252fetc", Activity.TRAVERSAL),
    ("/.git/config", Activity.TRAVERSAL),
    ("/?q=%00", Activity.TRAVERSAL),
    ("/?q=<script>alert(1)</script>", Activity.XSS),
    ("/?q=%3Cimg%20src=x%20onerror=alert(1)%3E", Activity.XSS),
    ("/?u=javascript:alert(1)", Activity.XSS),
    ("/?id=1'%20OR%20'1'='1", Activity.SQLI),
    ("/?id=1+UNION+ALL+SELECT+NULL--", Activity.SQLI),
    ("/?id=1;DROP%20TABLE%20users", Activity.SQLI),
    ("/?id=1-sleep(5)", Activity.SQLI),
    ("/?name={{7*7}}", Activity.TEMPLATE),
    ("/?name=${jndi:ldap://x}", Activity.TEMPLATE),
    ("/?name=%3C%25=7*7%25%3E", Activity.TEMPLATE),
    ("/?host=x;cat%20/etc/hosts", Activity.COMMAND),
    ("/?host=$(id)", Activity.COMMAND),
    ("/?host=x|whoami", Activity.COMMAND),
]


@pytest.mark.parametrize(("target", "kind"), CASES)
def test_a_probe_is_known_however_it_is_encoded(target: str, kind: Activity) -> None:
    assert kind in probes(target)


@pytest.mark.parametrize(
    "target",
    [
        "/api/v1/incidents?state=triggered&limit=50",
        "/api/v1/incidents?q=select+the+best+union+square",
        "/api/v1/incidents?q=R%26D%20and%20ops",
        "/api/v1/report?window=30d&service=caf%C3%A9",
        "/api/v1/incidents/INC-12/timeline",
        "/runbooks/high-latency?x=1+1",
        "/ack/eyJhbGciOi.JIUzI1NiJ9-_",
        "/api/v1/incidents?since=2026-11-20T17:00:00%2B01:00",
    ],
)
def test_what_people_ask_for_is_none(target: str) -> None:
    assert probes(target) == ()


@given(st.text(string.printable, max_size=3000))
def test_any_text_is_looked_at_in_no_time(target: str) -> None:
    assert set(probes(target)) <= set(Activity)


async def test_probes_are_counted_and_logged_once_with_the_client_and_never_shown(
    daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        answer, body = await daemon.call("GET", "/x%3Cscript%3Ecanary%3C/script%3E?q=<script>")
        assert answer.status == 404
        assert "canary" not in str(body) + str(answer.headers)
    assert daemon.sample("suspicious_activity_total", activity_type="xss") == 3
    assert daemon.sample("security_events_total", event_type="xss", severity="info") == 3
    lines = [line for line in capsys.readouterr().out.splitlines() if "probe_xss" in line]
    assert len(lines) == 1
    assert "client=127.0.0.1" in lines[0]
    assert "request_id=" in lines[0]


async def test_nothing_is_refused_for_looking_like_an_attack(daemon: Daemon) -> None:
    await daemon.alert(alert("<script>' OR 1=1 --", cmd="$(id)", path="../../etc/passwd", tpl="{{7*7}}"))
    answer, _ = await daemon.get("/api/v1/incidents?q=%27%20OR%201=1%20--", TOKENS["read"])
    assert answer.status == 200
    assert daemon.sample("suspicious_activity_total", activity_type="sqli") == 1
    assert daemon.sample("suspicious_activity_total", activity_type="command") == 0


async def test_a_thousand_probes_leave_the_number_of_series_as_it_was(daemon: Daemon) -> None:
    await daemon.call("GET", "/nothing")
    before = _series(daemon)
    for number in range(300):
        await daemon.call("GET", f"/{number}/../{number}?q=<script>{number}")
    assert _series(daemon) == before


def _series(daemon: Daemon) -> int:
    return sum(len(family.samples) for family in daemon.context.metrics.registry.collect())
