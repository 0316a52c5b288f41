"""`incidentctl`, the on-call command line. Talks only to the HTTP API of incidentd.

A command's module is imported when that command runs: the help must come at once.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys

import click

from incidentd import __version__
from incidentd.cli.ctl_common import api_options
from incidentd.cli.suggesting import SuggestingGroup

# Command -> (module, function, one line for the list). A test keeps the lines equal to the commands' own.
COMMANDS: dict[str, tuple[str, str, str]] = {
    "list": ("ctl_read", "list_incidents", "List incidents."),
    "show": ("ctl_read", "show", "Show one incident with its alerts and deliveries."),
    "timeline": ("ctl_read", "timeline", "Show what happened in an incident."),
    "why": ("ctl_why", "why", "Explain an incident, or what became of an alert."),
    "why-not": ("ctl_why", "why_not", "Explain why somebody was not told."),
    "runbook": ("ctl_runbook", "runbook", "Show the runbook of an incident and its steps."),
    "step": ("ctl_runbook", "step", "Mark a step of an incident's runbook, or run it."),
    "automation": ("ctl_automation", "automation", "Show or throw the switch that ends all automation."),
    "oncall": ("ctl_oncall", "oncall", "Show who is on duty."),
    "schedule": ("ctl_oncall", "schedule", "Show schedules and their calendars."),
    "override": ("ctl_override", "override", "Put somebody on duty for a while; list or cancel that."),
    "watch": ("ctl_watch", "watch", "Follow what happens, one line for each event."),
    "ack": ("ctl_act", "ack", "Acknowledge incidents: you are on it."),
    "unack": ("ctl_act", "unack", "Give incidents back: they page again."),
    "snooze": ("ctl_act", "snooze", "Leave an incident alone for a while."),
    "silence": ("ctl_silence", "silence", "Silence an incident's alerts in Alertmanager."),
    "unsilence": ("ctl_silence", "unsilence", "End an incident's silence in Alertmanager."),
    "silences": ("ctl_silence", "silences", "List silences made from incidents, and forgotten ones."),
    "escalate": ("ctl_act", "escalate", "Tell the next ones now."),
    "assign": ("ctl_act", "assign", "Ask somebody to work on an incident."),
    "note": ("ctl_act", "note", "Add a note to the timeline."),
    "resolve": ("ctl_act", "resolve", "Resolve incidents."),
    "reopen": ("ctl_act", "reopen", "Reopen a resolved incident."),
    "declare": ("ctl_act", "declare", "Open an incident by hand."),
    "alerts": ("ctl_ops", "alerts", "List alerts."),
    "deliveries": (
        "ctl_deliveries",
        "deliveries",
        "List notifications and their fate; retry those given up.",
    ),
    "maintenance": ("ctl_maintenance", "maintenance", "Plan times in which alerts tell nobody."),
    "status": ("ctl_status", "status", "Decide what the public status page tells."),
    "channels": ("ctl_deliveries", "channels", "Show how each channel is doing."),
    "deployments": ("ctl_deployments", "deployments", "List deployments."),
    "quarantine": ("ctl_ops", "quarantine", "List alerts that were received but could not be understood."),
    "report": ("ctl_figures", "report", "Show the figures of a window, DORA's too."),
    "slo": ("ctl_figures", "slo", "Show how the objectives stand."),
    "postmortem": ("ctl_actions", "postmortem", "Write down what is known of an incident."),
    "actions": ("ctl_actions", "actions", "List and close what is to be done."),
    "health": ("ctl_ops", "health", "Show the daemon's checks."),
    "drill": ("ctl_drill", "drill", "Send a marked page over the whole way and see each hop."),
    "test-alert": ("ctl_test_alert", "test_alert", "Send a realistic test alert and see who is told."),
    "config": ("ctl_setup", "config", "Show which server, user and profile are in force."),
    "completion": ("ctl_setup", "completion", "Print the shell completion script."),
}


class LazyGroup(SuggestingGroup):
    """A group that imports a command only to run it, and is quiet when its reader goes away."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The commands in the order people need them, not the alphabet's."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import and return one command, or None."""
        if cmd_name not in COMMANDS:
            return None
        module, function, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(f"incidentd.cli.{module}"), function)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write the list from the table, without importing the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; a closed pipe (`incidentctl list | head -1`) is not a failure."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # Python flushes stdout once more at exit, which would fail again and be reported.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)
        return result


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(__version__, prog_name="incidentctl")
@api_options
def cli() -> None:
    """See and handle incidents from the command line.

    The server is http://127.0.0.1:8650 unless INCIDENTD_URL, --url or a profile says otherwise;
    `incidentctl config` shows what is in force. An ID is 12 or INC-12.

    \b
    Examples:
      incidentctl list --state triggered
      incidentctl ack INC-12 -m "looking"
      incidentctl show INC-12
      incidentctl resolve INC-12 -m "rolled back"

    \b
    Exit codes: 0 done; 1 the server refused; 2 wrong usage; 3 not reachable;
    4 not authorised; 5 no such object.
    """


def main() -> None:
    """Run `incidentctl` and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError, OSError):
            # A title may hold what a narrow locale cannot show: a question mark beats a traceback.
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    cli.main(prog_name="incidentctl")


if __name__ == "__main__":
    main()
