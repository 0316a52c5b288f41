"""`incidentctl status`, as processes against a real server."""

from __future__ import annotations

from pathlib import Path

from tests.web.conftest import COMPONENTS, Daemon, Start, alert
from tests.web.status_world import look, states, summary
from tests.web.test_oncall_cli import Terminal


async def test_a_draft_is_shown_published_updated_resolved_and_explained(
    daemon: Daemon, tmp_path: Path
) -> None:
    terminal = Terminal(daemon, tmp_path)
    assert "nothing waits" in await terminal.run("status", "drafts")
    await daemon.alert(alert("Down", service="search"))
    await look(daemon)
    assert "Search: major outage" in await terminal.run("status", "drafts")
    # Nobody answers the question.
    refused = await terminal.run("status", "publish", "INC-1", code=1)
    assert "then: Partial System Outage (major)" in refused
    assert '"body": "We are investigating a problem with Search."' in refused
    done = await terminal.run("status", "publish", "INC-1", "--yes", "-c", "Search=partial_outage")
    assert done.startswith("published: ")
    assert "updated: " in await terminal.run(
        "status", "update", "INC-1", "--status", "identified", "-m", "Found."
    )
    assert "internal_words" not in await terminal.run("status", "resolve", "INC-1", "-m", "Done.")
    assert "told: " in await terminal.run("status", "postmortem", "INC-1", "It was a disk.")
    shown = await terminal.run("status", "show", "INC-1")
    assert [line for line in shown.splitlines() if line in {"Found.", "Done.", "It was a disk."}] == [
        "Found.", "Done.", "It was a disk.",
    ]  # fmt: skip
    assert "Search" in await terminal.run("status", "list")


async def test_an_override_is_set_listed_and_cleared(daemon: Daemon, tmp_path: Path) -> None:
    terminal = Terminal(daemon, tmp_path)
    await terminal.run("status", "override", "set", "Search", "partial_outage", "--for", "2h", "-m", "half")
    await summary(daemon, lambda s: states(s)["Search"] == "partial_outage")
    assert "half" in await terminal.run("status", "override", "list")
    assert "cleared: " in await terminal.run("status", "override", "clear", "1")
    assert "Nothing" in await terminal.run(
        "status", "override", "set", "Nothing", "operational", "-m", "x", code=5
    )


async def test_a_maintenance_is_scheduled_begun_and_completed(daemon: Daemon, tmp_path: Path) -> None:
    terminal = Terminal(daemon, tmp_path)
    made = await terminal.run("status", "maintenance", "add", "Upgrade", "-c", "Blog", "--for", "2h")
    code = made.split()[0]
    assert "Upgrade" in await terminal.run("status", "maintenance", "list")
    assert "Upgrade" in await terminal.run("maintenance", "list")
    assert "in_progress" in await terminal.run("status", "maintenance", "start", code)
    await summary(daemon, lambda s: states(s)["Blog"] == "under_maintenance")
    assert "verifying" in await terminal.run("status", "maintenance", "verify", code, "-m", "Looking.")
    assert "completed" in await terminal.run("status", "maintenance", "complete", code)
    assert "no maintenance" in await terminal.run("maintenance", "list")


async def test_subscribers_are_added_listed_and_removed(start: Start, tmp_path: Path) -> None:
    page = {"name": "Acme", "components": COMPONENTS, "subscribers": {"private_addresses": True}}
    async with start(status_page=page) as daemon:
        terminal = Terminal(daemon, tmp_path)
        assert "nobody has subscribed" in await terminal.run("status", "subscribers", "list")
        made = await terminal.run("status", "subscribers", "add", "http://10.0.0.1/hook", "-c", "Search")
        code = made.split()[1]
        assert "signed with: whsec_" in made
        listed = await terminal.run("status", "subscribers", "list")
        assert "http://10.0.0.1/hook" in listed
        assert "whsec_" not in listed
        again = ("status", "subscribers", "add", "http://10.0.0.1/hook")
        assert "is subscribed" in await terminal.run(*again, code=1)
        assert "removed: " in await terminal.run("status", "subscribers", "remove", code)
        assert "no such subscription" in await terminal.run("status", "subscribers", "remove", code, code=5)
